"""Several points at rest: all of those that closed forms know, each with its stability."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import Stability, equilibria, simulate
from riemannian_modules.errors import ConvergenceError, RegionError, SignatureError
from tests.engine.flows import Integrator

STABLE, NOT = Stability.STABLE, Stability.UNSTABLE


class Double(rm.Flow):
    """``x' = x - x^3``."""

    state = rm.space("x")

    def equations(self, x, u, p):
        return {"x": x.x - x.x**3}


class Toggle(rm.Flow):
    state, parameters = rm.space("a b"), {"strength": 4.0}

    def equations(self, x, u, p):
        return {
            "a": p.strength / (1 + x.b**2) - x.a,
            "b": p.strength / (1 + x.a**2) - x.b,
        }


class Hunting(rm.Flow):
    """Prey that grow to a capacity K, and predators that are satiated."""

    state, parameters = rm.space("prey predator"), {"K": 2.5, "loss": 0.5}

    def equations(self, x, u, p):
        eaten = x.prey * x.predator / (1 + x.prey)
        return {
            "prey": x.prey * (1 - x.prey / p.K) - eaten,
            "predator": eaten - p.loss * x.predator,
        }


def test_a_bistable_switch_has_three_points_of_which_two_are_stable():
    found = equilibria(Double())
    np.testing.assert_allclose(found.states.ravel(), [-1.0, 0.0, 1.0], atol=1e-12)
    assert found.stability == (STABLE, NOT, STABLE)
    assert sum(found.counts) <= found.starts == 65
    assert [p.x[0] for p in found.stable] == pytest.approx([-1.0, 1.0])


def test_a_toggle_has_both_states_and_the_border_between_them():
    found = equilibria(Toggle(), guess=[1.0, 1.0])
    a = np.roots([1.0, 0.0, 1.0, -4.0])  # a = b
    middle = a[np.abs(a.imag) < 1e-9].real[0]
    low, high = 2 - np.sqrt(3.0), 2 + np.sqrt(3.0)  # a b = 1, a + b = 4
    np.testing.assert_allclose(
        found.states, [[low, high], [middle, middle], [high, low]], rtol=1e-9
    )
    assert found.stability == (STABLE, NOT, STABLE)
    single = equilibria(Toggle(strength=1.0), guess=[1.0, 1.0])
    assert len(single) == 1
    assert single.stability == (STABLE,)


def test_predators_and_prey_rest_in_three_ways():
    found = equilibria(Hunting(), guess=[1.0, 1.0])
    np.testing.assert_allclose(found.states, [[0, 0], [1.0, 1.2], [2.5, 0]], atol=1e-12)
    assert found.stability == (NOT, STABLE, NOT)
    # Beyond K = 3 they hunt in cycles.
    cycling = equilibria(Hunting(), guess=[1.0, 1.0], theta={"K": 4.0})
    assert cycling.stability == (NOT, NOT, NOT)


def test_points_lie_in_the_guesss_class_and_none_is_negative():
    network = rm.MassAction(
        reactions={"grow": ("A + 2 B -> 3 B", 1.0), "fade": ("B -> A", 2.0 / 9.0)}
    )
    found = equilibria(network, guess=[0.4, 0.6])
    # B (A B - 2/9) = 0 with A + B = 1.
    want = [[1 / 3, 2 / 3], [2 / 3, 1 / 3], [1.0, 0.0]]
    np.testing.assert_allclose(found.states, want, atol=1e-9)
    assert found.stability == (STABLE, NOT, STABLE)
    for point in found:
        end = simulate(network, [0.0, 10.0], point.x).final_state
        np.testing.assert_allclose(end, point.x, atol=1e-5)
    for total in (0.5, 3.0):
        for point in equilibria(network, guess=[total, 0.1]):
            assert point.x.sum() == pytest.approx(total + 0.1, rel=1e-12)


def test_a_region_says_where_points_count():
    found = equilibria(Double(), region=rm.box(x=(0.5, 2.0)))
    np.testing.assert_allclose(found.states, [[1.0]])
    half = equilibria(Double(), region=rm.box(x=(-0.1, np.inf)))
    np.testing.assert_allclose(half.states.ravel(), [0.0, 1.0], atol=1e-12)
    with pytest.raises(ConvergenceError, match="region in which one is expected"):
        equilibria(Double(), region=rm.box(x=(3.0, 4.0)))
    with pytest.raises(RegionError, match="speed"):
        equilibria(Double(), region=rm.box(speed=(3.0, 4.0)))


def test_starts_may_be_given_and_are_the_same_at_each_call():
    found = equilibria(Double(), guess=[0.9], starts=[[2.0], {"x": -2.0}])
    np.testing.assert_allclose(found.states.ravel(), [-1.0, 1.0])
    assert found.counts == (1, 2)
    first, second = (equilibria(Toggle(), guess=[1.0, 1.0], starts=9) for _ in range(2))
    assert first.counts == second.counts
    np.testing.assert_array_equal(first.states, second.states)
    other = equilibria(Toggle(), guess=[1.0, 1.0], starts=40, rng=np.random.default_rng(1))
    assert len(other) == 3


class Cubic(rm.StepMap):
    state = rm.space("x")

    def equations(self, x, u, p):
        return {"x": 1.5 * x.x - 0.5 * x.x**3}


def test_fixed_points_of_steps():
    found = equilibria(Cubic())
    np.testing.assert_allclose(found.states.ravel(), [-1.0, 0.0, 1.0], atol=1e-12)
    assert found.stability == (STABLE, NOT, STABLE)


def test_what_has_no_point_or_no_state_is_refused():
    with pytest.raises(ConvergenceError, match="no point at rest"):
        equilibria(Integrator(), [1.0])
    with pytest.raises(SignatureError, match="no state"):
        equilibria(rm.Gain(1.0))
    with pytest.raises(SignatureError, match="batch"):
        equilibria(Double(), guess=np.ones((2, 1)))
    with pytest.raises(SignatureError, match="at least 1"):
        equilibria(Double(), starts=0)
