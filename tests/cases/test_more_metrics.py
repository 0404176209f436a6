"""Metrics M(x) that are no polynomials, on regions without ends: the true bounds are reached."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import (
    coordinates,
    l1,
    l2,
    linf,
)
from tests.cases import systems_metrics as m
from tests.cases.truths import EXACT, Case
from tests.nightly import gate_without

PLANE, SLANT = [[-1.0, 1.0], [-1.0, -2.0]], [[-1.0, 0.5], [0.0, -2.0]]
OBLIQUE = [[1.0, 0.25], [0.25, 0.5]]
BENDS = {
    "rational shear": (m.PLAIN, m.RATIONAL, m.PLAIN),
    "polynomial and sine": (m.CUBIC, m.SINE, m.PLAIN),
    "sines alone": (m.WAVY, m.SINE, m.WAVY),
    "exponentials": (m.EXPONENTIAL, m.PLAIN, m.EXPONENTIAL),
    "fractions": (m.ARCTANGENT, m.PLAIN, m.ARCTANGENT),
    "fraction, fraction, exponential": (m.ARCTANGENT, m.RATIONAL, m.EXPONENTIAL),
    "hyperbolic cosine and polynomial": (m.HYPERBOLIC, m.SINE, m.CUBIC),
}

SPIRAL, TILT = [[0.5, -0.25], [0.25, 0.5]], [[0.5, 0.25], [0.0, 0.25]]
SORTED = [[[-1.5, 0.5], [s - 0.25, -1.25 - s]] for s in (0.0, 1.0)]
SHEARS = {
    "square": m.SQUARE, "sine": m.SINE, "fraction": m.RATIONAL, "exponential": m.EXPONENTIAL,
    "hyperbolic tangent": m.TANH,
}  # fmt: skip


def rate_in(A, P):
    """The log-norm of z' = A z in a constant metric P, with its sign changed."""
    A, P = np.asarray(A, dtype=float), np.asarray(P, dtype=float)
    return -np.linalg.eigvals(np.linalg.solve(P, P @ A + A.T @ P) / 2).real.max()


def bent(bends, A, P=None):
    module, truth = m.Curved(A, *bends), rate_in(A, np.eye(2) if P is None else P)
    norm = coordinates(module.coordinates) if P is None else l2(module.metric(P))
    return Case(module, rm.box(), norm, truth, EXACT)


def swaying(bends):
    module = m.Curved(PLANE, *bends, k=0.5)
    worst = min(rate_in(np.add(PLANE, [[k, 0], [0, 0]]), OBLIQUE) for k in (-0.5, 0.5))
    return Case(module, rm.box(), l2(module.metric(OBLIQUE)), worst, EXACT)


def scalar(f, metric, truth):
    return Case(m.Scalar(f), rm.box(), l2(lambda x, u, p: [[metric(x.x)]]), truth, EXACT)


def factor_in(A, P):
    """The norm of z+ = A z in a constant metric P."""
    L = np.linalg.cholesky(np.asarray(P, dtype=float)).T
    return np.linalg.norm(L @ np.asarray(A, dtype=float) @ np.linalg.inv(L), 2)


def step(bend, A, P, k=0.0):
    module = m.CurvedStep(A, bend, k)
    truth = max(factor_in(np.add(A, [[s, 0], [0, 0]]), P) for s in {-k, k})
    return Case(module, rm.box(), l2(m.pulled_back(P, module.coordinates)), truth, EXACT)


def searched(module, truth):
    return Case(module, rm.box(), l2(degree=2), truth, 0.9999)


def slowest(A):
    return np.abs(np.linalg.eigvals(A)).max()


POSITIVE = {
    **{f"{name}, coordinates": lambda b=b: bent(b, PLANE) for name, b in BENDS.items()},
    **{f"{name}, metric": lambda b=b: bent(b, SLANT, np.eye(2)) for name, b in BENDS.items()},
    **{f"{name}, oblique": lambda b=b: bent(b, PLANE, OBLIQUE) for name, b in BENDS.items()},
    "a slope that sways": lambda: swaying(BENDS["polynomial and sine"]),
    **{f"step, {name}": lambda b=b: step(b, SPIRAL, np.eye(2)) for name, b in SHEARS.items()},
    **{f"step, {name}, oblique": lambda b=b: step(b, TILT, OBLIQUE) for name, b in SHEARS.items()},
    "step, a slope that sways": lambda: step(m.SINE, TILT, OBLIQUE, 0.125),
    "step, half": lambda: Case(
        m.Half(), rm.box(), l2(lambda x, u, p: [[1 + x.x**2]]), 0.5, EXACT
    ),
    "step, searched, spiral": lambda: searched(m.CurvedStep(SPIRAL, m.SQUARE), slowest(SPIRAL)),
    "step, searched, tilt": lambda: searched(m.CurvedStep(TILT, m.SQUARE), slowest(TILT)),
    "flow, searched": lambda: searched(m.Curved(PLANE, m.PLAIN, m.SQUARE, m.PLAIN), 1.5),
    # J = [[-1.5, 0.5], [s - 0.25, -1.25 - s]] with s = 0 or 1, or anything between at the kink.
    "larger and smaller in l1": lambda: Case(m.Sorted(), rm.box(), l1([1.0, 1.0]), 0.75, EXACT),
    "larger and smaller in linf": lambda: Case(m.Sorted(), rm.box(), linf([1.0, 1.0]), 1.0, EXACT),
    "larger and smaller in l2": lambda: Case(
        m.Sorted(), rm.box(), l2(np.eye(2)), min(rate_in(J, np.eye(2)) for J in SORTED), EXACT
    ),
    # M' f + 2 M f' = -2 r M with r = 1 + x^2 / (1 + x^2), 1 + 2 x^2 and 1.
    "one over a root": lambda: scalar(lambda x: -x, lambda x: 1 + x**2, 1.0),
    "a root": lambda: scalar(lambda x: -x - x**3, lambda x: 1 / (1 + x**2), 1.0),
    "an exponential alone": lambda: scalar(lambda x: -1 + 0 * x, lambda x: np.exp(2 * x), 1.0),
}  # fmt: skip


LONG = (
    "fraction, fraction, exponential, coordinates", "fraction, fraction, exponential, oblique",
    "hyperbolic cosine and polynomial, oblique", "sines alone, coordinates",
    "polynomial and sine, coordinates", "a slope that sways", "step, fraction",
    "step, fraction, oblique",
)  # fmt: skip


@pytest.mark.parametrize("name", gate_without(POSITIVE, *LONG))
def test_the_true_bound_is_reached_and_never_passed(name, tmp_path):
    POSITIVE[name]().is_reached(tmp_path)


@pytest.mark.parametrize("name", gate_without(POSITIVE, *LONG))
def test_more_than_the_truth_is_not_proved(name):
    POSITIVE[name]().is_not_passed()
