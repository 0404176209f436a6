"""Points at rest of modules that conserve something: the one in the guess's own class."""

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.engine import equilibrium, simulate
from riemannian_modules.engine.conserved import conserved
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.modules.differential import Jacobian
from tests.engine.flows import Integrator
from tests.strategies import rngs


def binding(**rates):
    """A + B <-> C."""
    table = {"on": 1.0, "off": 0.1} | rates
    return rm.MassAction("A B C", [[1, 1, 0], [0, 0, 1]], [[0, 0, 1], [1, 1, 0]], table)


def bound(a, b, ratio):
    """C at rest where A + C = a and B + C = b: the lower root of (a - C)(b - C) = ratio C."""
    s = a + b + ratio
    return 2 * a * b / (s + np.sqrt(s * s - 4 * a * b))


def test_a_reaction_rests_with_the_totals_of_its_guess():
    rest = equilibrium(binding(), guess={"A": 100.0, "B": 1.0, "C": 1.0})
    c = bound(101.0, 2.0, 0.1)
    np.testing.assert_allclose(rest.x, [101.0 - c, 2.0 - c, c], atol=101 * 1e-15)


@settings(max_examples=30, deadline=None)
@given(rngs)
def test_of_the_two_roots_with_these_totals_the_one_of_amounts_is_found(rng):
    a, b, c = 10.0 ** rng.uniform(-2, 3, 3)
    on, off = 10.0 ** rng.uniform(-3, 3, 2)
    rest = equilibrium(binding(), guess=[a, b, c], theta={"on": on, "off": off})
    want = bound(a + c, b + c, off / on)
    # A and B are differences, good to the rounding of the totals.
    size = 1e-10 * (a + b + 2 * c)
    np.testing.assert_allclose(rest.x, [a + c - want, b + c - want, want], rtol=1e-9, atol=size)


@pytest.mark.parametrize("seed", range(12))
def test_a_reversible_network_rests_where_its_trajectory_from_the_guess_tends_to(seed):
    rng = np.random.default_rng(seed)
    n, count = rng.integers(3, 6), rng.integers(1, 4)
    forth, back = rng.integers(0, 2, (2, count, n))
    network = rm.MassAction(
        " ".join("ABCDE"[:n]), np.vstack([forth, back]), np.vstack([back, forth]),
        {f"k{i}": 10.0 ** rng.uniform(-1, 1) for i in range(2 * count)},
    )  # fmt: skip
    guess = 10.0 ** rng.uniform(-1, 1, n)
    rest = equilibrium(network, guess=guess)
    laws = conserved(network, network.point())
    np.testing.assert_allclose(laws @ rest.x, laws @ guess, atol=1e-13 * guess.sum())
    late = simulate(network, [0.0, 1e9], guess).final_state
    np.testing.assert_allclose(rest.x, late, rtol=1e-5, atol=1e-7 * late.max())


def test_several_laws_hold_at_once_and_what_is_used_up_is_zero():
    enzyme = rm.MassAction(
        "E S ES P", [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]],
        [[0, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]], {"on": 1e6, "off": 0.1, "turn": 1e-3},
    )  # fmt: skip
    rest = equilibrium(enzyme, guess=[1e-3, 2.0, 0.0, 0.5])
    np.testing.assert_allclose(rest.x, [1e-3, 0.0, 0.0, 2.5], rtol=1e-9, atol=1e-12)


class Compartments(rm.Flow):
    """Concentrations in two volumes that exchange; the law has their sizes as coefficients."""

    state = rm.space("c d")
    parameters = {"flow": 2e-3, "V": 0.1, "W": 0.7}

    def equations(self, x, u, p):
        passing = p.flow * (x.c - x.d)
        return {"c": -passing / p.V, "d": passing / p.W}


def test_laws_have_the_coefficients_of_the_equations_at_the_given_parameters():
    rest = equilibrium(Compartments(), guess={"c": 8.0})
    np.testing.assert_allclose(rest.x, [1.0, 1.0], rtol=1e-13)
    rest = equilibrium(Compartments(), guess={"c": 8.0}, theta={"flow": 1.0, "V": 0.3, "W": 0.9})
    np.testing.assert_allclose(rest.x, [2.0, 2.0], rtol=1e-13)


class RoundedCompartments(rm.Flow):
    """The same with quotients rounded beforehand, so that no law holds to the last bit."""

    state = rm.space("c d")

    def equations(self, x, u, p):
        return {"c": -(1 / 0.1) * (x.c - x.d), "d": (1 / 0.7) * (x.c - x.d)}


class ByHand(rm.RiemannianModule):
    """A + B <-> C without equations that could be traced."""

    time, state, outputs = rm.Time.CONTINUOUS, rm.space("A B C"), rm.space("y")

    def forward(self, x, u, theta):
        v = x[..., 0] * x[..., 1] - 0.1 * x[..., 2]
        return np.stack([-v, -v, v], -1), x[..., :1]

    def jacobian(self, x, u, theta):
        row = np.stack([x[..., 1], x[..., 0], np.full(x.shape[:-1], -0.1)], -1)
        A = np.stack([-row, -row, row], -2)
        batch = x.shape[:-1]
        C = np.broadcast_to([[1.0, 0.0, 0.0]], (*batch, 1, 3))
        none = [np.zeros((*batch, n, 0)) for n in (3, 1)]
        return Jacobian(A, none[0], C, none[1], none[0], none[1])


@pytest.mark.parametrize(
    ("module", "guess", "want"),
    [
        (RoundedCompartments(), [8.0, 0.0], [1.0, 1.0]),
        (ByHand(), [100.0, 1.0, 1.0], [101 - bound(101, 2, 0.1), 2 - bound(101, 2, 0.1),
                                       bound(101, 2, 0.1)]),
    ],
    ids=["rounded", "not traced"],
)  # fmt: skip
def test_laws_are_found_where_exact_terms_show_none(module, guess, want):
    np.testing.assert_allclose(equilibrium(module, guess=guess).x, want, rtol=1e-10)


def test_a_composite_keeps_the_laws_of_its_parts():
    two = (
        rm.Wiring(left=binding(), right=binding(), sensor=rm.Lag(3.0))
        .connect("left.C", "sensor.u")
        .build()
    )
    names = [f"{part}.{s}" for part in ("left", "right") for s in "ABC"]
    rest = equilibrium(two, guess=dict(zip(names, [100.0, 1, 1, 5, 2, 0], strict=True)))
    values = dict(zip(two.signature.state.coordinates, rest.x, strict=True))
    left, right = bound(101, 2, 0.1), bound(5, 2, 0.1)
    want = [101 - left, 2 - left, left, 5 - right, 2 - right, right]
    np.testing.assert_allclose([values[n] for n in names], want, rtol=1e-11)


class Hopping(rm.StepMap):
    """Shares that move between two places and add up to what they were."""

    state = rm.space("a b")

    def equations(self, x, u, p):
        return {"a": 0.9 * x.a + 0.3 * x.b, "b": 0.1 * x.a + 0.7 * x.b}


def test_a_step_map_keeps_what_its_steps_keep():
    np.testing.assert_allclose(equilibrium(Hopping(), guess=[1.0, 3.0]).x, [3.0, 1.0], rtol=1e-13)


class Damped(rm.Flow):
    """A mass with friction: b q + v is kept where no force acts."""

    state, inputs = rm.space(q="m", v="m/s"), rm.space(force="N")

    def equations(self, x, u, p):
        return {"q": x.v, "v": u.force - 0.5 * x.v}


def test_a_law_that_holds_without_the_input_does_not_bind_one_that_is_free():
    np.testing.assert_allclose(equilibrium(Damped(), guess=[1.0, 3.0]).x, [7.0, 0.0], atol=1e-14)
    held = equilibrium(Damped(), guess=[1.0, 3.0], outputs={"q": 2.0}, free=["force"])
    np.testing.assert_allclose([*held.x, *held.u], [2.0, 0.0, 0.0], atol=1e-14)


def test_wanted_outputs_come_before_the_totals_of_the_guess():
    np.testing.assert_allclose(equilibrium(Integrator(), outputs={"x": 3.0}).x, [3.0])
    within = equilibrium(Hopping(), guess=[1.0, 3.0], outputs={"a": 3.0})
    np.testing.assert_allclose(within.x, [3.0, 1.0], rtol=1e-13)
    without = equilibrium(Hopping(), guess=[1.0, 3.0], outputs={"a": 6.0})
    np.testing.assert_allclose(without.x, [6.0, 2.0], rtol=1e-13)


class Coasting(rm.Flow):
    """A mass without friction, which rests in no class but that of speed zero."""

    state = rm.space(q="m", v="m/s")

    def equations(self, x, u, p):
        return {"q": x.v, "v": 0.0}


def test_a_class_without_a_point_at_rest_is_named():
    with pytest.raises(ConvergenceError, match=r"conserves .*1 v = 2"):
        equilibrium(Coasting(), guess=[1.0, 2.0])
    np.testing.assert_array_equal(equilibrium(Coasting(), guess=[1.0, 0.0]).x, [1.0, 0.0])
