"""Elementary functions of interval arrays, named as in NumPy.

Monotone functions are taken at end points, even ones at the mignitude and the magnitude, periodic
ones at end points and at the critical points between. Values of library functions are padded by 16
ulp plus 2^-1022 (see `rounding`) and then clipped to the function's mathematical range. Outside a
function's domain the result is undecided.

Source: Moore, Kearfott, Cloud (2009), Introduction to Interval Analysis, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval, Operand, as_interval
from riemannian_modules.arithmetic.rounding import (
    Array,
    Mask,
    library_down,
    library_up,
    quiet,
    sum_down,
    sum_up,
)

# math.pi is below pi, by less than one ulp: the next doubles are above pi and pi / 2.
PI_ABOVE = math.nextafter(math.pi, math.inf)
HALF_PI_ABOVE = math.nextafter(math.pi / 2, math.inf)


@quiet
def _increasing(
    function: Callable[[Array], Array], x: Interval, least: float, most: float
) -> Interval:
    # np.maximum and np.minimum pass NaN on, unlike a comparison with where.
    lower, upper = library_down(function(x.lower)), library_up(function(x.upper))
    return Interval(np.asarray(np.maximum(lower, least)), np.asarray(np.minimum(upper, most)))


def _increasing_through_zero(
    function: Callable[[Array], Array], x: Interval, least: float, most: float
) -> Interval:
    # The sign of f(x) is the sign of x, so that the padding need not cross zero.
    padded = _increasing(function, x, least, most)
    return Interval(
        np.where(x.lower >= 0, np.maximum(padded.lower, 0.0), padded.lower),
        np.where(x.upper <= 0, np.minimum(padded.upper, 0.0), padded.upper),
    )


def _undecided_where(outside: Mask, x: Interval) -> Interval:
    if not np.any(outside):
        return x
    return Interval(np.where(outside, np.nan, x.lower), np.where(outside, np.nan, x.upper))


@quiet
def sqrt(x: Operand) -> Interval:
    """Square root, correctly rounded by IEEE 754; undecided where ``x`` dips below 0."""
    x = as_interval(x)
    root = Interval(sum_down(np.sqrt(x.lower)), sum_up(np.sqrt(x.upper)))
    return _undecided_where(x.lower < 0, root)


def square(x: Operand) -> Interval:
    """``x^2`` as an even function: never below 0."""
    return as_interval(x) ** 2


def exp(x: Operand) -> Interval:
    """Exponential."""
    return _increasing(np.exp, as_interval(x), 0.0, np.inf)


def expm1(x: Operand) -> Interval:
    """``exp(x) - 1``, with relative accuracy near 0."""
    return _increasing_through_zero(np.expm1, as_interval(x), -1.0, np.inf)


def log(x: Operand) -> Interval:
    """Natural logarithm; undecided unless ``x > 0``."""
    x = as_interval(x)
    return _undecided_where(x.lower <= 0, _increasing(np.log, x, -np.inf, np.inf))


def log1p(x: Operand) -> Interval:
    """``log(1 + x)``, with relative accuracy near 0; undecided unless ``x > -1``."""
    x = as_interval(x)
    return _undecided_where(x.lower <= -1, _increasing_through_zero(np.log1p, x, -np.inf, np.inf))


def sinh(x: Operand) -> Interval:
    """Hyperbolic sine."""
    return _increasing_through_zero(np.sinh, as_interval(x), -np.inf, np.inf)


def cosh(x: Operand) -> Interval:
    """Hyperbolic cosine, at least 1."""
    return _increasing(np.cosh, abs(as_interval(x)), 1.0, np.inf)


def tanh(x: Operand) -> Interval:
    """Hyperbolic tangent, in [-1, 1]."""
    return _increasing_through_zero(np.tanh, as_interval(x), -1.0, 1.0)


def arcsinh(x: Operand) -> Interval:
    """Inverse hyperbolic sine."""
    return _increasing_through_zero(np.arcsinh, as_interval(x), -np.inf, np.inf)


def arctan(x: Operand) -> Interval:
    """Inverse tangent, in [-pi/2, pi/2]."""
    return _increasing_through_zero(np.arctan, as_interval(x), -HALF_PI_ABOVE, HALF_PI_ABOVE)


def arcsin(x: Operand) -> Interval:
    """Inverse sine; undecided unless ``|x| <= 1``."""
    x = as_interval(x)
    value = _increasing_through_zero(np.arcsin, x, -HALF_PI_ABOVE, HALF_PI_ABOVE)
    return _undecided_where((x.lower < -1) | (x.upper > 1), value)


def arccos(x: Operand) -> Interval:
    """Inverse cosine, decreasing; undecided unless ``|x| <= 1``."""
    x = as_interval(x)
    value = _increasing(_negative_arccos, x, -PI_ABOVE, 0.0)
    return _undecided_where((x.lower < -1) | (x.upper > 1), -value)


def _negative_arccos(x: Array) -> Array:
    return np.negative(np.arccos(x))


def arccosh(x: Operand) -> Interval:
    """Inverse hyperbolic cosine, at least 0; undecided unless ``x >= 1``."""
    x = as_interval(x)
    return _undecided_where(x.lower < 1, _increasing(np.arccosh, x, 0.0, np.inf))


def arctanh(x: Operand) -> Interval:
    """Inverse hyperbolic tangent; undecided unless ``|x| < 1``."""
    x = as_interval(x)
    value = _increasing_through_zero(np.arctanh, x, -np.inf, np.inf)
    return _undecided_where((x.lower <= -1) | (x.upper >= 1), value)


def cbrt(x: Operand) -> Interval:
    """Cube root of any real number."""
    return _increasing_through_zero(np.cbrt, as_interval(x), -np.inf, np.inf)


@quiet
def arctan2(y: Operand, x: Operand) -> Interval:
    """The angle of (x, y), in [-pi, pi]; undecided where the box may touch its cut y = 0 >= x."""
    y, x = as_interval(y), as_interval(x)
    # A box off the cut lies in a half plane through zero, where the points of an angle of at least
    # c are convex: the angle is largest and smallest at corners, also in the limit.
    ends = [np.arctan2(b, a) for b in y.bounds for a in x.bounds]
    lower, upper = np.minimum.reduce(ends), np.maximum.reduce(ends)
    value = Interval(
        np.asarray(np.maximum(library_down(lower), -PI_ABOVE)),
        np.asarray(np.minimum(library_up(upper), PI_ABOVE)),
    )
    # The sign of the angle is the sign of y, so that the padding need not cross zero.
    value = Interval(
        np.where(y.lower >= 0, np.maximum(value.lower, 0.0), value.lower),
        np.where(y.upper <= 0, np.minimum(value.upper, 0.0), value.upper),
    )
    return _undecided_where((y.lower <= 0) & (y.upper >= 0) & (x.lower <= 0), value)


def erf(x: Operand) -> Interval:
    """Error function, in [-1, 1]."""
    # Cephes' erf: peak relative error 3.7e-16 (Moshier 1989), a tenth of the padding.
    from scipy import special

    return _increasing_through_zero(special.erf, as_interval(x), -1.0, 1.0)


@quiet
def sech2(x: Operand) -> Interval:
    """``1 - tanh(x)^2 = 1 / cosh(x)^2``, the slope of tanh, relatively accurate in the tails."""
    # Even and falling in |x|.
    size = abs(as_interval(x))
    lower, upper = library_down(_sech2(size.upper)), library_up(_sech2(size.lower))
    return Interval(np.asarray(np.maximum(lower, 0.0)), np.asarray(np.minimum(upper, 1.0)))


def _sech2(x: Array) -> Array:
    # 4 e / (1 + e)^2 with e = exp(-2 |x|), which no cancellation meets and only underflow ends.
    # Errors, in units of 2^-52: 4 from e; at most 4 from e in (1 + e)^2, of opposite sign; 1 from 1
    # + e; 1 from the last two: below 16.
    e = np.exp(-2.0 * x)
    return 4.0 * e / np.square(1.0 + e)


@quiet
def sigmoid(x: Operand) -> Interval:
    """``1 / (1 + exp(-x))``, increasing, accurate in both tails."""
    return _increasing(_sigmoid, as_interval(x), 0.0, 1.0)


def _sigmoid(x: Array) -> Array:
    # exp(min(x, 0)) / (1 + exp(-|x|)): 4 units of 2^-52 from each exp, 1 from the sum and the
    # quotient: below 16.
    return np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))


@quiet
def softplus(x: Operand) -> Interval:
    """``log(1 + exp(x))``, increasing, accurate in both tails."""
    return _increasing(_softplus, as_interval(x), 0.0, np.inf)


def _softplus(x: Array) -> Array:
    # Both terms are nonnegative; log1p does not amplify relative errors: 4 + 4 + 1 units of 2^-52,
    # below 16.
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def power_log(x: Operand, y: Operand) -> Interval:
    """``x^y log x``, zero at ``x = 0``; undecided unless ``x > 0``, or ``x >= 0`` and ``y > 0``."""
    x, y = as_interval(x), as_interval(y)
    away = x**y * log(x)
    touches = (x.lower == 0) & (y.lower > 0)
    if not touches.any():
        return away
    # On [0, u] the function falls from 0 to its least value -1 / (e y) at exp(-1 / y), then rises.
    # If y log u <= -1 for all y in question, u lies before that point and has the least value.
    # math.e is below e, so that -1 / (math.e y) is below -1 / (e y).
    end = Interval(x.upper, x.upper)
    at_end = end**y * log(end)
    falling = (y * log(end)).upper <= -1
    lower = np.where(falling, at_end.lower, (-1.0 / (math.e * Interval(y.lower, y.lower))).lower)
    upper = np.where(x.upper <= 1, 0.0, at_end.upper)
    lower, upper = np.where(x.upper == 0, 0.0, lower), np.where(x.upper == 0, 0.0, upper)
    return Interval(np.where(touches, lower, away.lower), np.where(touches, upper, away.upper))


# Beyond this a critical point can no longer be placed to 1e-6 of a period by one product in double
# precision.
_PERIODIC_LIMIT = 2.0**30


def _meets_whole_number(low: Array, high: Array) -> Mask:
    # low and high are x / period - phase, computed with three roundings of relative size 2^-53 each
    # (the constant, the product, the phase): off by less than 2^-51 (|q| + 1). With twice that as
    # slack, "no" is a proof; "yes" wrongly said changes a bound by less than 2 pi^2 slack^2, far
    # below rounding.
    ceiling = np.ceil(low - 2.0**-50 * (np.abs(low) + 1.0))
    floor = np.floor(high + 2.0**-50 * (np.abs(high) + 1.0))
    return floor >= ceiling


def _periodic(function: Callable[[Array], Array], x: Interval, phase_of_maximum: float) -> Interval:
    # Argument reduction leaves an absolute error that matters near zeros of the function, unless
    # |x| <= 1 < pi / 2 where none is made: hence the further padding by 2^-50.
    low, high = np.asarray(function(x.lower)), np.asarray(function(x.upper))
    reduced = 2.0**-50 * ((x.lower < -1) | (x.upper > 1))
    lower = sum_down(library_down(np.asarray(np.minimum(low, high))) - reduced)
    upper = sum_up(library_up(np.asarray(np.maximum(low, high))) + reduced)
    turns_low, turns_high = x.lower * (0.5 / math.pi), x.upper * (0.5 / math.pi)
    maximum = _meets_whole_number(turns_low - phase_of_maximum, turns_high - phase_of_maximum)
    phase_of_minimum = phase_of_maximum + 0.5
    minimum = _meets_whole_number(turns_low - phase_of_minimum, turns_high - phase_of_minimum)
    far = (x.lower < -_PERIODIC_LIMIT) | (x.upper > _PERIODIC_LIMIT)
    lower = np.where(far | minimum, -1.0, np.maximum(lower, -1.0))
    upper = np.where(far | maximum, 1.0, np.minimum(upper, 1.0))
    return Interval(lower, upper)


@quiet
def sin(x: Operand) -> Interval:
    """Sine, exact at its critical points; ``[-1, 1]`` beyond ``|x| = 2^30``."""
    x = as_interval(x)
    value = _periodic(np.sin, x, 0.25)
    # On [-3, 3], inside (-pi, pi), the sign of the sine is that of x.
    return Interval(
        np.where((x.lower >= 0) & (x.upper <= 3), np.maximum(value.lower, 0.0), value.lower),
        np.where((x.upper <= 0) & (x.lower >= -3), np.minimum(value.upper, 0.0), value.upper),
    )


@quiet
def cos(x: Operand) -> Interval:
    """Cosine, exact at its critical points; ``[-1, 1]`` beyond ``|x| = 2^30``."""
    return _periodic(np.cos, as_interval(x), 0.0)


@quiet
def tan(x: Operand) -> Interval:
    """Tangent; undecided where the interval may hold a pole, or reaches beyond ``|x| = 2^30``."""
    x = as_interval(x)
    # Between poles it increases. sin / cos of each end carries the errors of argument reduction
    # through.
    low, high = Interval(x.lower, x.lower), Interval(x.upper, x.upper)
    low, high = sin(low) / cos(low), sin(high) / cos(high)
    pole = _meets_whole_number(x.lower * (1.0 / math.pi) - 0.5, x.upper * (1.0 / math.pi) - 0.5)
    far = (x.lower < -_PERIODIC_LIMIT) | (x.upper > _PERIODIC_LIMIT)
    # Near a pole one end alone may have failed: undecided values come in pairs.
    failed = ~(low.is_decided & high.is_decided)
    return _undecided_where(pole | far | failed, Interval(low.lower, high.upper))
