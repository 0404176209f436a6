"""Interval arithmetic contains every exact result, of random and adversarial operands."""

import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.errors import DomainError
from tests.arithmetic.adversarial import around, random_numbers
from tests.strategies import rngs

OPERATIONS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


def contains_exactly(lower, upper, exact: Fraction) -> bool:
    return (lower == -math.inf or Fraction(lower) <= exact) and (
        upper == math.inf or exact <= Fraction(upper)
    )


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=20, deadline=None)
@given(rngs)
def test_every_exact_result_of_members_is_contained(name, rng):
    operation = OPERATIONS[name]
    x, y = random_numbers(rng, 500), random_numbers(rng, 500)
    result = operation(around(rng, x), around(rng, y))
    decided = result.is_decided
    for i in np.flatnonzero(decided):
        exact = operation(Fraction(x[i]), Fraction(y[i]))
        assert contains_exactly(result.lower[i], result.upper[i], exact), (x[i], y[i])
    assert name == "divide" or decided.all()


def two_sum(x, y):
    s = x + y
    part = s - x
    return s, (x - (s - part)) + (y - part)


def two_product(x, y):
    # Dekker (1971): exact while nothing overflows or underflows.
    def split(a):
        c = 134217729.0 * a
        high = c - (c - a)
        return high, a - high

    p = x * y
    (xh, xl), (yh, yl) = split(x), split(y)
    return p, xl * yl - (((p - xh * yh) - xl * yh) - xh * yl)


@pytest.mark.parametrize(
    ("operation", "error_free"), [(operator.add, two_sum), (operator.mul, two_product)]
)
@settings(max_examples=5, deadline=None)
@given(rngs)
def test_a_hundred_thousand_exact_sums_and_products_at_once(operation, error_free, rng):
    x, y = (rng.standard_normal(100_000) * 2.0 ** rng.integers(-60, 60, 100_000) for _ in "xy")
    result = operation(iv.Interval.point(x), y)
    value, error = error_free(x, y)
    # value + error is exact. Bounds within a factor of two make these differences exact (Sterbenz).
    assert ((result.lower - value <= error) & (error <= result.upper - value)).all()
    # Each side is padded by 2^-52 |value| and rounded by at most 2^-53 |value|, twice.
    assert (result.width <= 4 * 2.0**-52 * np.abs(value) * (1 + 2.0**-50)).all()


@settings(max_examples=5, deadline=None)
@given(rngs)
def test_a_hundred_thousand_quotients_and_roots_at_once(rng):
    x, y = (rng.uniform(0.5, 2, 100_000) * 2.0 ** rng.integers(-60, 60, 100_000) for _ in "xy")
    quotient, root = iv.Interval.point(x) / y, iv.sqrt(x)
    for bound, sign in ((quotient.lower, 1), (quotient.upper, -1)):
        product, error = two_product(bound, y)
        assert (sign * ((x - product) - error) >= 0).all()
    for bound, sign in ((root.lower, 1), (root.upper, -1)):
        product, error = two_product(bound, bound)
        assert (sign * ((x - product) - error) >= 0).all()


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(-12, 12))
def test_whole_powers_contain_the_exact_powers_of_members(rng, exponent):
    x = random_numbers(rng, 100)
    result = around(rng, x) ** exponent
    for i in np.flatnonzero(result.is_decided):
        if x[i] != 0 or exponent >= 0:
            assert contains_exactly(result.lower[i], result.upper[i], Fraction(x[i]) ** exponent)
    assert exponent < 0 or result.is_decided.all()


@given(rngs, st.integers(1, 5))
def test_even_powers_are_never_negative_and_odd_ones_keep_the_sign(rng, half):
    x = around(rng, random_numbers(rng, 200))
    assert ((x ** (2 * half)).lower >= 0).all()
    assert ((x ** (2 * half + 1)).lower[x.lower >= 0] >= 0).all()
    assert ((x ** (2 * half + 1)).upper[x.upper <= 0] <= 0).all()


@given(rngs)
def test_products_of_nonnegative_intervals_never_dip_below_zero(rng):
    x, y = abs(around(rng, random_numbers(rng, 500))), abs(around(rng, random_numbers(rng, 500)))
    assert ((x * y).lower >= 0).all()
    assert ((x * -y).upper <= 0).all()


@given(st.fractions())
def test_a_rational_is_enclosed_by_itself_or_its_two_neighbours(fraction):
    enclosure = iv.Interval.rational(fraction)
    lower, upper = float(enclosure.lower), float(enclosure.upper)
    assert Fraction(lower) <= fraction <= Fraction(upper)
    assert upper == lower == fraction or upper == math.nextafter(lower, math.inf)


def test_fractions_beyond_the_largest_double_are_enclosed():
    huge = iv.Interval.rational(Fraction(10) ** 400)
    assert float(huge.lower) == np.finfo(float).max
    assert float(huge.upper) == math.inf


@given(rngs)
def test_midpoint_and_radius_contain_the_interval(rng):
    x = around(rng, random_numbers(rng, 300))
    centre, radius = x.midpoint, x.radius
    assert x.contains(centre).all()
    for low, high, c, r in zip(x.lower, x.upper, centre, radius, strict=True):
        if math.isfinite(r):
            assert Fraction(c) - Fraction(r) <= Fraction(low)
            assert Fraction(high) <= Fraction(c) + Fraction(r)
    assert (radius[x.lower == x.upper] == 0).all()


UNARY = [
    iv.sqrt,
    iv.exp,
    iv.expm1,
    iv.log,
    iv.log1p,
    iv.sin,
    iv.cos,
    iv.tan,
    iv.sinh,
    iv.cosh,
    iv.tanh,
    iv.arctan,
    iv.arcsin,
    iv.arccos,
    iv.arcsinh,
    iv.arctanh,
    iv.erf,
    iv.sech2,
    iv.sigmoid,
    iv.softplus,
    iv.absolute,
    iv.sign,
    iv.heaviside,
    iv.step,
    iv.floor,
    iv.square,
    operator.neg,
    lambda x: x**0,
    lambda x: x**2,
    lambda x: x**3,
    lambda x: x**-2,
    lambda x: x**0.5,
    lambda x: x**10,
    lambda x: x * 0.0,
    lambda x: 0.0 / x,
    lambda x: x.hull(1.0),
    lambda x: x.intersect(1.0),
    lambda x: iv.maximum(x, 1.0),
    lambda x: iv.minimum(x, 1.0),
    lambda x: iv.less(x, 1.0),
    lambda x: iv.where(iv.less(x, 1.0), 1.0, 2.0),
    lambda x: iv.Interval.point(1.0) ** x,
    lambda x: x ** iv.interval(0.0, 0.0),
    lambda x: iv.power_log(x, 1.0),
    lambda x: iv.power_log(0.0, x),
]


@pytest.mark.parametrize("function", UNARY)
def test_undecided_stays_undecided(function):
    result = function(iv.undecided((2,)))
    assert np.isnan(result.lower).all()
    assert np.isnan(result.upper).all()


@pytest.mark.parametrize(
    "outside",
    [
        lambda: iv.sqrt(iv.interval(-1e-300, 1)),
        lambda: iv.log(iv.interval(0, 1)),
        lambda: iv.log1p(iv.interval(-1, 1)),
        lambda: 1 / iv.interval(-1, 1),
        lambda: 1 / iv.interval(0, 1),
        lambda: iv.interval(-1, 1) ** -1,
        lambda: iv.interval(-1, 1) ** Fraction(1, 3),
        lambda: iv.interval(0, 1) ** -0.5,
        lambda: iv.arcsin(iv.interval(0, 1.1)),
        lambda: iv.arccos(iv.interval(-1.1, 0)),
        lambda: iv.arctanh(iv.interval(0, 1)),
        lambda: iv.tan(iv.interval(1, 2)),
        lambda: iv.tan(math.pi / 2),
    ],
)
def test_leaving_a_domain_makes_the_result_undecided(outside):
    result = outside()
    assert np.isnan(result.lower)
    assert np.isnan(result.upper)


def test_unbounded_sides_stand_for_real_numbers_only():
    ray, everything = iv.interval(0, math.inf), iv.entire()
    assert (0.0 * everything).bounds == (0.0, 0.0)
    assert (ray - ray).bounds == (-math.inf, math.inf)
    assert (everything + everything).bounds == (-math.inf, math.inf)
    assert (iv.interval(1, math.inf) / iv.interval(1, math.inf)).bounds == (0.0, math.inf)
    assert float((iv.interval(1e308, 1e308) * 10).lower) == pytest.approx(1.797e308, rel=1e-3)
    assert float((iv.interval(1e308, 1e308) * 10).upper) == math.inf
    assert float((iv.interval(-1e308, -1e308) + iv.interval(-1e308, -1e308)).lower) == -math.inf
    assert np.isfinite((iv.interval(-1e308, -1e308) + iv.interval(-1e308, -1e308)).upper)


def test_bad_bounds_are_refused_with_the_reason():
    with pytest.raises(DomainError, match="lower <= upper"):
        iv.interval(1, 0)
    with pytest.raises(DomainError, match="NaN"):
        iv.interval(math.nan, 0)
    with pytest.raises(DomainError, match="real numbers between"):
        iv.interval(math.inf, math.inf)
    with pytest.raises(DomainError, match="finite"):
        iv.Interval.point(math.inf)
    with pytest.raises(DomainError, match="finite"):
        iv.interval(0, 1) * math.nan
    with pytest.raises(DomainError, match="2\\^53"):
        iv.interval(0, 1) + np.array([2**53 + 1])
    with pytest.raises(DomainError, match="empty"):
        iv.interval(0, 1).intersect(iv.interval(2, 3))
    with pytest.raises(DomainError, match="truth value"):
        bool(iv.less(iv.interval(0, 1), 0.5))


@given(rngs)
def test_operands_of_every_kind_mean_their_exact_value(rng):
    x = around(rng, random_numbers(rng, 20))
    for plain in (
        2,
        0.1,
        np.float64(0.1),
        Fraction(1, 3),
        2**60 + 1,
        np.full(20, 0.1),
        np.arange(20),
    ):
        enclosed = iv.as_interval(plain)
        for operation in OPERATIONS.values():
            for left, right in ((operation(x, plain), operation(x, enclosed)),
                                (operation(plain, x), operation(enclosed, x))):  # fmt: skip
                np.testing.assert_array_equal(left.lower, right.lower)
                np.testing.assert_array_equal(left.upper, right.upper)


def test_shapes_follow_numpy():
    x = iv.interval(np.zeros((2, 3)), np.ones((2, 3)))
    assert x[0].shape == (3,)
    assert x[..., None].shape == (2, 3, 1)
    assert x.T.shape == (3, 2)
    assert x.reshape(3, 2).shape == (3, 2)
    assert iv.stack([x, 1.0, x], axis=-1).shape == (2, 3, 3)
    assert iv.concatenate([x, x]).shape == (4, 3)
    assert (x + np.ones(3)).shape == (2, 3)
    assert x.sum(axis=-1).contains(1.5).all()
    assert x.sum().contains(6.0)
    assert len(list(x)) == 2
