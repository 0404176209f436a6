"""At the border of its domain a law has its limit, and a little beyond it no solver meets NaN."""

import numpy as np
import pytest
from scipy.integrate import BDF, LSODA, RK45, Radau

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.certify import Proved, certify
from riemannian_modules.engine import NoProgress, fit, simulate
from riemannian_modules.region import box

NONE = np.zeros(0)
TINY = (0.0, -0.0, 1e-300, -1e-300, 1e-18, -1e-18, 1e-12, -1e-12)
EXPONENTS = (0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0)
pytestmark = pytest.mark.filterwarnings("error")  # no warning either: the limits are meant


@pytest.mark.parametrize("law", [rm.HillActivation, rm.HillRepression])
@pytest.mark.parametrize("n", EXPONENTS)
def test_hill_laws_have_one_limit_at_zero_for_all_exponents(law, n):
    module = law(4.0, 2.0, n, 0.1)
    limit = 0.1 if law is rm.HillActivation else 4.1
    for a in TINY:
        rate = module.output(NONE, np.array([a]), module.theta)[0]
        J = module.jacobian(NONE, np.array([a]), module.theta)
        # |z| <= (1e-12 / 2)^n moves the rate by less than 4 |z|, and by its rounding.
        assert abs(rate - limit) <= 4 * (5e-13) ** n + 1e-15, a
        assert not np.isnan(J.D).any()
        # In maximum, half, exponent, basal; what is left is of size z log z.
        F = [float(law is rm.HillRepression), 0.0, 0.0, 1.0]
        assert np.abs(J.F[0] - F).max() <= 200 * (5e-13) ** n + 1e-15, a


@pytest.mark.parametrize("n", EXPONENTS)
def test_the_slope_of_a_hill_law_at_zero_is_its_one_sided_limit(n):
    module = rm.HillActivation(4.0, 2.0, n)
    slope = module.jacobian(NONE, np.zeros(1), module.theta).D[0, 0]
    assert slope == (np.inf if n < 1 else 2.0 if n == 1 else 0.0)


LAWS = {
    "Michaelis-Menten": rm.MichaelisMenten(2.0, 0.5),
    "mass action": rm.MassAction.of({"f": ("2 A + B -> C", 0.3), "b": ("C ->", 0.7)}),
    "phosphorylation": rm.PhosphorylationCycle(1.0, 0.3, 0.2, 1.0, 0.5),
    "gene expression": rm.GeneExpression(0.5, 0.1, 0.2),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_laws_of_amounts_go_on_through_zero(law):
    s = law.signature
    zero = law.forward(np.zeros(s.state.size), np.zeros(s.inputs.size), law.theta)
    for a in TINY:
        x, u = np.full(s.state.size, a), np.full(s.inputs.size, a)
        for near, at in zip(law.forward(x, u, law.theta), zero, strict=True):
            assert np.abs(near - at).max(initial=0) <= 100 * abs(a)
        J = law.jacobian(x, u, law.theta)
        parts = [J.A.ravel(), J.B.ravel(), J.C.ravel(), J.D.ravel(), J.E.ravel(), J.F.ravel()]
        assert np.isfinite(np.concatenate(parts)).all()


def traced(formula):
    class Map(rm.StaticMap):
        inputs, outputs, parameters = rm.space("x"), rm.space("y"), {"n": 0.5, "k": 2.0}

        def map(self, u, p):
            return {"y": formula(u.x, p)}

    return Map()


# Formula; its limit at zero; its slope at zero from above, and from below; its slopes in n and k.
FORMULAS = {
    "a root by a parameter": (lambda x, p: x**p.n, 0, np.inf, 0, (0, 0)),
    "a power by a parameter": (lambda x, p: x ** (p.n + 1), 0, 0, 0, (0, 0)),
    "scaled": (lambda x, p: (x / p.k) ** p.n, 0, np.inf, 0, (0, 0)),
    "a fixed power": (lambda x, p: (x / p.k) ** 0.7, 0, np.inf, 0, (0, 0)),
    "a fixed power above one": (lambda x, p: (p.k * x) ** 1.5, 0, 0, 0, (0, 0)),
    "an irrational one": (lambda x, p: x ** np.sqrt(2.0), 0, 0, 0, (0, 0)),
    "a root of what is cut": (lambda x, p: np.sqrt(np.maximum(x, 0)) * p.k, 0, 0, 0, (0, 0)),
    "cut from the other side": (lambda x, p: np.sqrt(np.maximum(0, p.k * x)), 0, None, 0, (0, 0)),
    "x log x, cut": (
        lambda x, p: np.maximum(x, 0) * np.log(np.maximum(x, 0)) + p.n, 0.5, 0, 0, (1, 0)),
    "Gompertz' growth, cut": (
        lambda x, p: p.n * np.maximum(x, 0) * np.log(np.maximum(x, 0) / p.k), 0, 0, 0, (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_powers_and_logarithms_have_their_limits_at_the_border(name):
    formula, limit, above, below, by_parameters = FORMULAS[name]
    module = traced(formula)
    with np.errstate(divide="ignore"):  # log 0 stands in slopes
        for x in (0.0, -1e-300, -1e-12):
            u = np.array([x])
            assert module.output(NONE, u, module.theta)[0] == limit
            J = module.jacobian(NONE, u, module.theta)
            assert J.F.tolist() == [list(by_parameters)]
            slope = above if x == 0 else below
            assert slope is None or J.D[0, 0] == slope
            batch = module.jacobian(NONE, u[None], module.theta)
            assert np.array_equal(batch.D[0], J.D)


def test_a_length_has_the_subgradient_zero_at_zero():
    class Drag(rm.Flow):
        state = rm.space("a b")

        def equations(self, x, u, p):
            return {"a": -x.a * np.hypot(x.a, x.b), "b": -x.b * np.sqrt(x.a**2 + x.b**2)}

    # |v| v is differentiable at 0, where its derivative is 0.
    assert (Drag().jacobian(np.zeros(2), NONE, NONE).A == 0).all()
    moved = Drag().jacobian(np.array([3.0, 4.0]), NONE, NONE).A
    assert np.allclose(moved, -5 * np.eye(2) - np.outer([3, 4], [3, 4]) / 5, rtol=1e-15)


def test_x_log_x_is_zero_at_zero_and_numpy_s_elsewhere():
    module = traced(lambda x, p: p.k * x * np.log(x / p.k) - x)
    assert module.output(NONE, np.zeros(1), module.theta)[0] == 0.0
    x = np.array([[0.3], [1.0], [7.0]])
    expected = 2.0 * x * np.log(x / 2.0) - x
    assert np.allclose(module.output(NONE, x, module.theta), expected, rtol=1e-14, atol=0)


def test_whole_powers_below_zero_stay_what_they_are():
    module = traced(lambda x, p: x**p.n)
    theta = np.array([2.0, 1.0])
    assert module.output(NONE, np.array([-3.0]), theta)[0] == 9.0
    assert module.jacobian(NONE, np.array([-3.0]), theta).D[0, 0] == -6.0
    cubic = traced(lambda x, p: x**3)
    assert cubic.jacobian(NONE, np.array([-3.0]), cubic.theta).D[0, 0] == 27.0


@pytest.mark.parametrize("formula", [lambda x: x**0.7, lambda x: x**1.5, lambda x: x * np.log(x)])
def test_nothing_is_proved_beyond_the_border(formula):
    module = traced(lambda x, p: formula(x))
    none, theta = interval(NONE, NONE), interval([0.5, 2.0], [0.5, 2.0])
    beyond = module.enclose(none, interval([-1e-12], [1.0]), theta)
    assert not beyond.y.is_decided.any()
    assert not isinstance(certify(module, box(x=(-1e-12, 1.0))), Proved)
    inside = module.enclose(none, interval([0.25], [1.0]), theta)
    for x in np.linspace(0.25, 1.0, 7):
        assert inside.y.contains(module.output(NONE, np.array([x]), module.theta)).all()


class Tank(rm.Flow):
    state = rm.space("h")

    def equations(self, x, u, p):
        return {"h": -np.sqrt(np.maximum(x.h, 0.0))}


class Consumed(rm.Flow):
    """Used up at a Hill rate with an exponent below one: gone after a finite time."""

    state, parameters = rm.space("a"), {"n": 0.5}

    def equations(self, x, u, p):
        return {"a": -(x.a**p.n)}


@pytest.mark.parametrize("flow", [Tank(), Consumed()], ids=["cut", "power"])
@pytest.mark.parametrize("method", [LSODA, Radau, BDF, RK45])
def test_what_is_used_up_stays_used_up_under_every_solver(flow, method):
    end = simulate(flow, [0, 1, 1.9, 3.0], [1.0], method=method)
    assert np.abs(end[flow.state.names[0]] - [1, 0.25, 0.0025, 0]).max() <= 1e-5


@pytest.mark.parametrize("start", [0.8, 2.0])
def test_a_dose_response_with_a_control_at_dose_zero_is_fitted(start):
    a = np.array([0, 0.1, 0.3, 1, 3, 10, 30.0])
    y = 5 * a**0.7 / (2**0.7 + a**0.7) + 0.2
    module = rm.HillActivation(4.0, 1.0, start, 0.1)
    result = fit(module, {"activator": a, "rate": y}, progress=NoProgress())
    assert np.abs(result.theta - [5, 2, 0.7, 0.2]).max() <= 1e-6
