"""Activations equal their closed forms, and their enclosures hold values and slopes tightly."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.arithmetic.interval import Interval, interval
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules import scalar_function as functions
from tests.strategies import rngs

CLOSED = {
    "tanh": (rm.Tanh(), mpmath.tanh),
    "sigmoid": (rm.Sigmoid(), lambda z: 1 / (1 + mpmath.exp(-z))),
    "relu": (rm.ReLU(), lambda z: max(z, 0)),
    "leaky": (rm.LeakyReLU(leak=0.25), lambda z: z if z > 0 else z / 4),
    "softplus": (rm.Softplus(), lambda z: mpmath.log1p(mpmath.exp(z))),
    "elu": (rm.ELU(alpha=0.5), lambda z: z if z >= 0 else mpmath.expm1(z) / 2),
    "gelu": (rm.GELU(), lambda z: z * mpmath.ncdf(z)),
    "silu": (rm.SiLU(), lambda z: z / (1 + mpmath.exp(-z))),
    "saturation": (rm.Saturation(-0.5, 2.0), lambda z: min(max(z, -0.5), 2)),
}
cases = pytest.mark.parametrize("name", CLOSED)
numbers = st.floats(-30.0, 30.0)
NO = np.zeros(0)


def _slope(name: str, z: float) -> float:
    _, exact = CLOSED[name]
    if name in ("relu", "leaky", "elu", "saturation"):  # one-sided at kinks: not differenced there
        step = mpmath.mpf("1e-20")
        return float((exact(mpmath.mpf(z) + step) - exact(mpmath.mpf(z) - step)) / (2 * step))
    return float(mpmath.diff(exact, z))


@cases
@settings(max_examples=30, deadline=None)
@given(z=numbers)
def test_values_and_slopes_are_the_closed_forms(name, z):
    module, exact = CLOSED[name]
    with mpmath.workdps(60):
        value = float(exact(mpmath.mpf(z)))
        slope = _slope(name, z)
    u = np.array([z])
    # A few units of the largest term that is added, which |z| + 1 bounds.
    assert abs(module.output(NO, u, NO)[0] - value) <= 8 * np.finfo(float).eps * (abs(z) + 1)
    if abs(z) > 1e-15 and min(abs(z + 0.5), abs(z - 2)) > 1e-15:
        got = module.jacobian(NO, u, NO).D[0, 0]
        assert abs(got - slope) <= 16 * np.finfo(float).eps * (abs(z) + 1)


@cases
@settings(max_examples=30, deadline=None)
@given(z=numbers, width=st.floats(0.0, 5.0), share=st.floats(0.0, 1.0))
def test_enclosures_hold_values_and_slopes_of_every_point(name, z, width, share):
    module, exact = CLOSED[name]
    box = interval([z], [z + width])
    at = min(z + share * width, z + width)
    e = module.enclose(Interval.point(NO), box, Interval.point(NO))
    with mpmath.workdps(60):
        value = exact(mpmath.mpf(at))
        assert mpmath.mpf(e.y.lower[0]) <= value <= mpmath.mpf(e.y.upper[0])
        slope = module.jacobian(NO, np.array([at]), NO).D[0, 0]
    assert e.D.lower[0, 0] - 1e-14 <= slope <= e.D.upper[0, 0] + 1e-14


@cases
@settings(max_examples=20, deadline=None)
@given(z=st.floats(-6.0, 6.0), width=st.floats(0.01, 5.0))
def test_enclosures_are_tight(name, z, width):
    module, _ = CLOSED[name]
    points = np.linspace(z, z + width, 20001)[:, None]
    box = interval([z], [z + width])
    e = module.enclose(Interval.point(NO), box, Interval.point(NO))
    y, D = module.output(NO, points, NO), module.jacobian(NO, points, NO).D[..., 0]
    # Between neighbours of the grid nothing moves by more than slope * spacing, slopes up to 1.13;
    # second derivatives are below 1.2. Kinked slopes jump, and the grid may miss their one point.
    spacing = 1.3 * width / 20000 + 1e-10
    assert e.y.lower[0] >= y.min() - spacing
    assert e.y.upper[0] <= y.max() + spacing
    if name not in ("relu", "leaky", "elu", "saturation"):
        assert e.D.lower[0, 0] >= D.min() - spacing
        assert e.D.upper[0, 0] <= D.max() + spacing


@cases
def test_enclosures_over_all_reals_are_the_ranges(name):
    module, _ = CLOSED[name]
    e = module.enclose(Interval.point(NO), interval([-np.inf], [np.inf]), Interval.point(NO))
    slopes = {
        "sigmoid": (0.0, 0.25), "leaky": (0.25, 1.0), "gelu": (-0.12890, 1.12890),
        "silu": (-0.09984, 1.09984),
    }.get(name, (0.0, 1.0))  # fmt: skip
    assert np.allclose([e.D.lower[0, 0], e.D.upper[0, 0]], slopes, atol=1e-5)
    least = {"tanh": -1.0, "sigmoid": 0.0, "relu": 0.0, "leaky": -np.inf, "softplus": 0.0,
             "elu": -0.5, "gelu": -0.16997, "silu": -0.27846, "saturation": -0.5}  # fmt: skip
    assert np.isclose(e.y.lower[0], least[name], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_the_differential_is_its_own_adjoint_and_equals_the_traced_one(rng):
    for module in (rm.Tanh(3), rm.GELU(3), rm.SiLU(3), rm.ELU(3), rm.Softplus(3), rm.Sigmoid(3)):
        u, t, p = rng.standard_normal(3), rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
        d = module.differential(NO, u, NO)
        pushed = np.sum(p * d.push_outputs(np.zeros((0, 2)), t))
        assert np.isclose(pushed, np.sum(t * d.pull_outputs(p)[1]), rtol=0, atol=1e-14)
        e = module.expressions
        diagonal = tuple(y.diff(v) for y, v in zip(e.y, e.inputs, strict=True))
        traced = compile_floats(diagonal, e.arguments)(NO, u, NO)
        assert np.allclose(d.slope, traced, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("bracket", "sign"),
    [
        (functions.GELU_TURN, lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z)),
        (functions.GELU_SLOPE_TURN, lambda z: z * z - 2),
        (functions.SILU_TURN, lambda z: 1 + z / (1 + mpmath.exp(z))),
        (functions.SILU_SLOPE_TURN, lambda z: z * mpmath.tanh(z / 2) - 2),
    ],
)
def test_each_turning_point_lies_in_its_bracket(bracket, sign):
    with mpmath.workdps(60):
        assert sign(mpmath.mpf(bracket[0])) < 0 < sign(mpmath.mpf(bracket[1]))


def test_bad_arguments_are_refused():
    with pytest.raises(DomainError, match="leak"):
        rm.LeakyReLU(leak=np.nan)
    with pytest.raises(DomainError, match="alpha"):
        rm.ELU(alpha=0.0)
    with pytest.raises(DomainError, match="lower < upper"):
        rm.Saturation(1.0, 1.0)
    with pytest.raises(SignatureError, match="size"):
        rm.Tanh(-3)
