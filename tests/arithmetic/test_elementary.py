"""Elementary functions contain what high-precision balls prove, at members of each interval."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings

from riemannian_modules.arithmetic import interval as iv
from tests.arithmetic.adversarial import around, near_multiples, random_numbers
from tests.strategies import rngs

# Name, function on balls, domain of the test points.
FUNCTIONS = {
    "sqrt": (iv.sqrt, arb.sqrt, lambda x: x >= 0),
    "exp": (iv.exp, arb.exp, None),
    "expm1": (iv.expm1, arb.expm1, None),
    "log": (iv.log, arb.log, lambda x: x > 0),
    "log1p": (iv.log1p, arb.log1p, lambda x: x > -1),
    "sin": (iv.sin, arb.sin, None),
    "cos": (iv.cos, arb.cos, None),
    "tan": (iv.tan, arb.tan, None),
    "sinh": (iv.sinh, arb.sinh, None),
    "cosh": (iv.cosh, arb.cosh, None),
    "tanh": (iv.tanh, arb.tanh, None),
    "arcsinh": (iv.arcsinh, arb.asinh, None),
    "arctan": (iv.arctan, arb.atan, None),
    "arcsin": (iv.arcsin, arb.asin, lambda x: abs(x) <= 1),
    "arccos": (iv.arccos, arb.acos, lambda x: abs(x) <= 1),
    "arccosh": (iv.arccosh, arb.acosh, lambda x: x >= 1),
    "arctanh": (iv.arctanh, arb.atanh, lambda x: abs(x) < 1),
    "cbrt": (iv.cbrt, lambda x: arb.sgn(x) * abs(x) ** (arb(1) / 3), lambda x: x != 0),
    "erf": (iv.erf, arb.erf, None),
    "sech2": (iv.sech2, lambda x: arb.sech(x) ** 2, None),
    "sigmoid": (iv.sigmoid, lambda x: 1 / (1 + arb.exp(-x)), None),
    "softplus": (iv.softplus, lambda x: arb.log1p(arb.exp(x)), None),
    "square root of the cube": (
        lambda x: iv.power(x, Fraction(3, 2)), lambda x: arb.sqrt(x) ** 3, lambda x: x >= 0),
    "cube root": (lambda x: iv.power(x, Fraction(1, 3)),
                  lambda x: x ** (arb(1) / 3), lambda x: x > 0),
    "power 2.7": (lambda x: iv.power(x, 2.7), lambda x: x ** arb(2.7), lambda x: x > 0),
    "power -0.3": (lambda x: iv.power(x, -0.3), lambda x: x ** arb(-0.3), lambda x: x > 0),
    "seventh power": (lambda x: iv.power(x, 7), lambda x: x**7, None),
    "twentieth power": (lambda x: iv.power(x, 20), lambda x: x**20, None),
    "minus fourth power": (lambda x: iv.power(x, -4), lambda x: x**-4, lambda x: x != 0),
    "two to the x": (lambda x: iv.power(2.0, x), lambda x: arb(2) ** x, None),
    "x^1.5 log x": (lambda x: iv.power_log(x, 1.5),
                    lambda x: x ** arb(1.5) * arb.log(x), lambda x: x > 0),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _precision():
    before = ctx.prec
    ctx.prec = 200
    yield
    ctx.prec = before


def members_inside(rng, domain):
    x = np.concatenate(
        [random_numbers(rng, 500), near_multiples(rng, 200), 1 + rng.normal(size=100) * 1e-8]
    )
    return x if domain is None else np.array([t for t in x if domain(t)])


def assert_contained(result, x, on_balls):
    for i in np.flatnonzero(result.is_decided):
        exact = on_balls(arb(x[i]))
        # A comparison of balls is True only if it holds for all numbers in them; a ball that is too
        # wide to say, as for exp(1e300), is no evidence against the enclosure.
        assert not exact < arb(result.lower[i]), (x[i], result.lower[i])
        assert not exact > arb(result.upper[i]), (x[i], result.upper[i])


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=5)
@given(rngs)
def test_the_value_at_each_member_is_contained(name, rng):
    function, on_balls, domain = FUNCTIONS[name]
    x = members_inside(rng, domain)
    assert_contained(function(iv.Interval.point(x)), x, on_balls)
    assert_contained(function(around(rng, x)), x, on_balls)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=3)
@given(rngs)
def test_enclosures_of_points_are_tight(name, rng):
    function, _, domain = FUNCTIONS[name]
    x = rng.uniform(-20, 20, 1000)
    x = x if domain is None else np.array([t for t in x if domain(t)])
    value = function(iv.Interval.point(x))
    # Each side is padded by 2^-48 |value|, in a few steps for some. Argument reduction leaves an
    # absolute error, which tan multiplies by its slope 1 + tan^2; x^1.5 log x cancels near 1.
    absolute = {"sin": 1.0, "cos": 1.0, "tan": 1.0 + value.magnitude**2, "x^1.5 log x": 1.0}
    scale = value.magnitude + absolute.get(name, 0.0)
    assert value.is_decided.all()
    assert (value.width <= 6 * 2.0**-48 * scale + 2.0**-1000).all()


@settings(max_examples=5)
@given(rngs)
def test_angles_of_boxes_are_the_hull_of_their_corners_and_undecided_on_the_cut(rng):
    y, x = (np.concatenate([random_numbers(rng, 300), rng.normal(size=300)]) for _ in "yx")
    shares = rng.choice([0.0, 1e-12, 0.3, 2.0, np.inf], (2, y.size))
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.nan_to_num(np.abs(np.stack([y, x])) * shares, posinf=np.inf)
        Y, X = iv.interval(y - sizes[0], y + sizes[0]), iv.interval(x - sizes[1], x + sizes[1])
    value = iv.arctan2(Y, X)
    assert np.array_equal(value.is_decided, (Y.lower > 0) | (Y.upper < 0) | (X.lower > 0))
    for k in np.flatnonzero(value.is_decided):
        corners = [(a, b) for a in (y[k], Y.lower[k], Y.upper[k]) for b in (X.lower[k], X.upper[k])]
        for a, b in corners:
            if np.isfinite([a, b]).all():
                angle = arb.atan2(arb(a), arb(b))
                assert not angle < arb(value.lower[k])
                assert not angle > arb(value.upper[k])


@given(rngs)
def test_sine_and_cosine_reach_their_extremes_where_a_critical_point_lies_inside(rng):
    k = rng.integers(-1000, 1000, 200)
    # The double nearest to a multiple of pi / 2 is off by less than its spacing.
    centre = k * (math.pi / 2)
    x = iv.interval(
        centre - 4 * np.spacing(np.abs(centre)), centre + 4 * np.spacing(np.abs(centre))
    )
    for function, phase in ((iv.sin, 1), (iv.cos, 0)):
        value = function(x)
        assert (value.upper[k % 4 == phase] == 1).all()
        assert (value.lower[k % 4 == (phase + 2) % 4] == -1).all()
    wide = iv.sin(iv.interval(centre, centre + 7))
    assert (wide.lower == -1).all()
    assert (wide.upper == 1).all()


@given(rngs)
def test_sine_between_critical_points_is_the_hull_of_its_ends(rng):
    k = rng.integers(-1000, 1000, 200)
    ends = np.sort(rng.uniform(-1.5, 1.5, (2, 200)), axis=0) + k * np.pi
    value = iv.sin(iv.interval(*ends))
    # Padding: 16 ulp, 2^-50 for argument reduction.
    np.testing.assert_allclose(value.lower, np.sin(ends).min(axis=0), atol=2.0**-46, rtol=0)
    np.testing.assert_allclose(value.upper, np.sin(ends).max(axis=0), atol=2.0**-46, rtol=0)


def test_periodic_functions_of_huge_arguments_give_up_soundly():
    x = iv.interval([1e300, 2.0**31, -np.inf], [1e300, 2.0**31, np.inf])
    np.testing.assert_array_equal(iv.sin(x).lower, -1)
    np.testing.assert_array_equal(iv.cos(x).upper, 1)
    assert np.isnan(iv.tan(x).upper).all()


@given(rngs)
def test_results_stay_inside_the_ranges_of_the_functions(rng):
    x = around(rng, random_numbers(rng, 300))
    for function, low, high in [
        (iv.tanh, -1, 1), (iv.erf, -1, 1), (iv.sech2, 0, 1), (iv.sigmoid, 0, 1),
        (iv.exp, 0, np.inf), (iv.cosh, 1, np.inf), (iv.softplus, 0, np.inf),
        (iv.sin, -1, 1), (iv.cos, -1, 1), (iv.expm1, -1, np.inf),
    ]:  # fmt: skip
        value = function(x)
        assert ((value.lower >= low) & (value.upper <= high)).all()
    for odd in (iv.tanh, iv.sinh, iv.arctan, iv.erf, iv.arcsinh, iv.expm1):
        value = odd(x)
        assert (value.lower[x.lower >= 0] >= 0).all()
        assert (value.upper[x.upper <= 0] <= 0).all()
