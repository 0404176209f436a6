"""Units do not matter: a system written in other units gives the same curve in those units."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import DOP853, Radau
from scipy.special import lambertw

import riemannian_modules as rm
from riemannian_modules.engine import held_table, simulate
from riemannian_modules.errors import DomainError, SignatureError


def michaelis_menten(x):
    v = x[0] / (1.0 + x[0])
    return np.stack([-v, v])


def enzyme(x):
    """Substrate, enzyme, complex, product; the complex starts at zero and stays small."""
    on, off, cat = 1e3 * x[0] * x[1], 1e2 * x[2], 5.0 * x[2]
    return np.stack([off - on, off + cat - on, on - off - cat, cat])


def robertson(x):
    slow, back, fast = 0.04 * x[0], 1e4 * x[1] * x[2], 3e7 * x[1] ** 2
    return np.stack([back - slow, slow - back - fast, fast])


def second_order(x):
    return np.stack([-x[0] * x[0], x[0] * x[0] - 0.1 * x[1]])


def oscillator(x):
    return np.stack([x[1], 5.0 * (1.0 - x[0] * x[0]) * x[1] - x[0]])


def cascade(x):
    """Each state is zero until the one before it is not."""
    return np.stack([-x[0], x[0] * x[0] - x[1], x[1] * x[1] - x[2], x[2] * x[1] - x[3]])


SYSTEMS = {
    "michaelis-menten": (michaelis_menten, [5.0, 0.0], [0.0, 5.0, 10.0, 30.0]),
    "enzyme": (enzyme, [1.0, 1e-3, 0.0, 0.0], [0.0, 1e-3, 10.0, 1000.0]),
    "robertson": (robertson, [1.0, 0.0, 0.0], [0.0, 0.4, 4e2, 4e5]),
    "second order": (second_order, [1.0, 0.0], [0.0, 1.0, 20.0]),
    "oscillator": (oscillator, [2.0, 0.0], [0.0, 3.0, 9.0]),
    "cascade": (cascade, [1.0, 0.0, 0.0, 0.0], [0.0, 0.1, 1.0, 8.0]),
}


class Rescaled(rm.Flow):
    """``dx = s f(x / s)``: the system of f in other units, s times smaller."""

    def __init__(self, f, scale):
        self.f = f
        self.state = rm.space(x=len(scale))
        self.parameters = {"scale": np.asarray(scale)}
        super().__init__()

    def equations(self, x, u, p):
        return {"x": p.scale * self.f(x.x / p.scale)}


def curve(f, scale, start, times, **options):
    run = simulate(Rescaled(f, scale), times, np.asarray(start) * scale, **options)
    return run.states / scale


@lru_cache
def plain_curve(name):
    f, start, times = SYSTEMS[name]
    one = np.ones(len(start))
    return curve(f, one, start, times, method=Radau, rtol=1e-11, atol=1e-25)


@pytest.mark.parametrize("name", SYSTEMS)
@given(st.data())
@settings(max_examples=12, deadline=None)
def test_other_units_give_the_same_curve(name, data):
    f, start, times = SYSTEMS[name]
    exponents = st.floats(-20.0, 10.0)
    scale = 10.0 ** np.array([data.draw(exponents) for _ in start])
    plain = plain_curve(name)
    ours = curve(f, scale, start, times)
    # Some thousand steps of local errors of 1e-9 of each state add up, late states being small.
    tolerance = 1e-6 * np.maximum(np.abs(plain), 1e-7 * np.abs(plain).max(0))
    assert (np.abs(ours - plain) <= tolerance).all()


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("exponent", [-20, -9, 10])
def test_other_units_cost_the_same(name, exponent):
    f, start, times = SYSTEMS[name]
    modules = [Rescaled(f, np.full(len(start), 10.0**k)) for k in (0, exponent)]
    runs = [simulate(m, times, np.asarray(start) * m.parameters["scale"]) for m in modules]
    assert runs[1].solver.evaluations <= 1.3 * runs[0].solver.evaluations + 50


def test_an_amount_of_a_cell_follows_lamberts_function():
    class Uptake(rm.Flow):
        state = rm.space(s="mol", p="mol")
        parameters = {"V": 1e-18, "Km": 1e-18}

        def equations(self, x, u, p):
            v = p.V * x.s / (p.Km + x.s)
            return {"s": -v, "p": v}

    times = np.array([0.0, 5.0, 10.0, 20.0])
    run = simulate(Uptake(), times, [5e-18, 0.0])
    exact = lambertw(5.0 * np.exp(5.0 - times)).real
    np.testing.assert_allclose(run["s"] / 1e-18, exact, rtol=1e-7)
    np.testing.assert_allclose(run["p"] / 1e-18, 5.0 - exact, rtol=1e-7, atol=1e-14)


@given(st.floats(1e-30, 1e12))
@settings(max_examples=20, deadline=None)
def test_a_second_order_decay_from_any_start_is_its_closed_form(start):
    class Pair(rm.Flow):
        state, parameters = rm.space("x"), {"k": 1.0}

        def equations(self, x, u, p):
            return {"x": -p.k * x.x**2}

    times = np.array([0.0, 1.0, 10.0, 100.0])
    run = simulate(Pair(k=1.0 / start), times, [start])
    np.testing.assert_allclose(run["x"], start / (1.0 + times), rtol=1e-6)


class Cancelling(rm.Flow):
    """The last two states hang at zero: what moves them cancels, up to rounding."""

    state = rm.space("a b e f")

    def equations(self, x, u, p):
        none = (x.a**2 - x.b**2) - (x.a - x.b) * (x.a + x.b)
        return {"a": -x.a + np.sin(x.b), "b": -x.b + 0.3 * x.a, "e": none - x.e, "f": none}


@pytest.mark.parametrize("start", [[1.0, 1.0, 0.0, 0.0], [1.0, 0.3, 0.0, 0.0], [0, 2.0, 1e-17, 0]])
def test_states_that_hang_at_zero_by_cancellation_cost_no_steps(start):
    times = np.linspace(0.0, 50.0, 6)
    run = simulate(Cancelling(), times, start)
    plain = simulate(Cancelling(), times, start, atol=5e-15)
    assert run.solver.evaluations <= 5 * plain.solver.evaluations + 4096
    assert np.abs(run.states[:, 2:]).max() <= 1e-14


def test_a_difference_of_equal_states_costs_no_steps():
    class Twins(rm.Flow):
        state = rm.space("a b e")

        def equations(self, x, u, p):
            return {"a": -x.a + np.cos(x.a), "b": -x.b + np.cos(x.b), "e": x.a - x.b - 0.1 * x.e}

    run = simulate(Twins(), [0.0, 10.0, 100.0], [0.3, 0.3, 0.0])
    assert run.solver.evaluations <= 5000
    assert np.abs(run["e"]).max() <= 1e-14


def test_a_state_that_an_input_moves_late_gets_its_scale_then():
    class Filter(rm.Flow):
        state, inputs = rm.space("a b"), rm.space("u")

        def equations(self, x, u, p):
            return {"a": u.u - x.a, "b": x.a - x.b}

    pulse = held_table([0.0, 5.0, 6.0], [0.0, 1e-18, 0.0])
    run = simulate(Filter(), [0.0, 5.0, 6.0, 8.0], inputs={"u": pulse})
    top = 1e-18 * (1.0 - np.exp(-1.0))
    np.testing.assert_allclose(run["a"], [0.0, 0.0, top, top * np.exp(-2.0)], rtol=1e-7)


def test_tolerances_are_given_for_all_for_each_or_by_name():
    f, start, times = SYSTEMS["second order"]
    module, names = Rescaled(f, np.ones(2)), {"x[0]": 1e-12, "x[1]": 1e-9}
    runs = [simulate(module, times, start, atol=atol) for atol in ([1e-12, 1e-9], names)]
    np.testing.assert_array_equal(runs[0].states, runs[1].states)
    loose = simulate(module, times, start, atol=1e-3, rtol=1e-3)
    assert loose.solver.evaluations < runs[0].solver.evaluations
    by_class = simulate(module, times, start, atol=[1e-12, 1e-12], method=DOP853)
    np.testing.assert_allclose(by_class.states, runs[0].states, atol=1e-7)


@pytest.mark.parametrize(
    ("atol", "error"),
    [(0.0, DomainError), ([1e-9, -1.0], DomainError), ([1e-9] * 3, SignatureError),
     ({"x[0]": 1e-9}, SignatureError), ({"y": 1.0}, SignatureError), (np.nan, DomainError)],
)  # fmt: skip
def test_other_tolerances_are_refused(atol, error):
    f, start, times = SYSTEMS["second order"]
    with pytest.raises(error, match="atol"):
        simulate(Rescaled(f, np.ones(2)), times, start, atol=atol)
