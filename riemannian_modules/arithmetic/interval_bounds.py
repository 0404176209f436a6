"""Bounds of products, quotients and powers, from the bounds of their operands.

All functions take and give plain arrays; `Interval` wraps them. Infinite sides stand for unbounded
sets of real numbers, so that ``0 * inf`` is 0 and ``inf / inf`` adds nothing to the corners that
are finite. NaN bounds (undecided) give NaN bounds.

Source: Moore, Kearfott, Cloud (2009), Introduction to Interval Analysis, chapters 2 and 4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riemannian_modules.arithmetic.rounding import (
    Array,
    library_down,
    library_up,
    product_down,
    product_up,
)

EndPoints = tuple[Array, Array]


def _corners(operation: Callable[[Array, Array], Array], a: EndPoints, b: EndPoints) -> list[Array]:
    # A thin operand carries one array twice: its corners need not be computed twice.
    left = a[:1] if a[0] is a[1] else a
    right = b[:1] if b[0] is b[1] else b
    return [np.asarray(operation(x, y)) for x in left for y in right]


def _extremes(corners: list[Array]) -> EndPoints:
    lower, upper = corners[0], corners[0].copy()
    for corner in corners[1:]:
        np.minimum(lower, corner, out=lower)
        np.maximum(upper, corner, out=upper)
    return lower, upper


def _real_product(x: Array, y: Array) -> Array:
    # An end of 0 against an infinite side: every real product there is 0. NaN * 0 stays NaN.
    product = np.asarray(x * y)
    unbounded = ((x == 0) & np.isinf(y)) | ((y == 0) & np.isinf(x))
    return np.where(unbounded, 0.0, product)


def _real_quotient(x: Array, y: Array) -> Array:
    # Both unbounded: quotients of a fixed numerator tend to 0, which is a limit point of the set.
    quotient = np.asarray(x / y)
    return np.where(np.isinf(x) & np.isinf(y), 0.0, quotient)


def _rounded(lower: Array, upper: Array, a: EndPoints, b: EndPoints) -> EndPoints:
    # A bound that is 0 may be an exact 0 or underflow. Signs multiply exactly, so they tell on
    # which side of 0 the exact results lie; nonnegative times nonnegative must not dip below 0.
    zero_lower, zero_upper = lower == 0, upper == 0
    lower, upper = product_down(lower), product_up(upper)
    if zero_lower.any() or zero_upper.any():
        sign_a, sign_b = (np.sign(a[0]), np.sign(a[1])), (np.sign(b[0]), np.sign(b[1]))
        low, high = _extremes(_corners(np.multiply, sign_a, sign_b))
        np.copyto(lower, 0.0, where=zero_lower & (low >= 0))
        np.copyto(upper, 0.0, where=zero_upper & (high <= 0))
    return lower, upper


def product_bounds(a: EndPoints, b: EndPoints) -> EndPoints:
    """Bounds of ``x y`` over ``x`` in ``a`` and ``y`` in ``b``: the extremes lie at corners."""
    lower, upper = _extremes(_corners(np.multiply, a, b))
    if np.isnan(lower).any():
        lower, upper = _extremes(_corners(_real_product, a, b))
    return _rounded(lower, upper, a, b)


def quotient_bounds(a: EndPoints, b: EndPoints) -> EndPoints:
    """Bounds of ``x / y`` , operands in ``a`` and ``b``; undecided where ``b`` contains 0."""
    lower, upper = _extremes(_corners(np.divide, a, b))
    if np.isnan(lower).any():
        lower, upper = _extremes(_corners(_real_quotient, a, b))
    lower, upper = _rounded(lower, upper, a, b)
    outside = (b[0] <= 0) & (b[1] >= 0)
    if outside.any():
        lower, upper = np.where(outside, np.nan, lower), np.where(outside, np.nan, upper)
    return lower, upper


def absolute_bounds(a: EndPoints) -> EndPoints:
    """Bounds of ``|x|``, exact: the mignitude and the magnitude."""
    # One of lower, -upper, 0 is the largest: the distance of the interval from 0. NaN wins in
    # maximum.
    return (
        np.asarray(np.maximum(np.maximum(a[0], -a[1]), 0.0)),
        np.asarray(np.maximum(-a[0], a[1])),
    )


def _nonnegative_power(y: Array, exponent: int, rounded: Callable[[Array], Array]) -> Array:
    # Binary powering of y >= 0, each product rounded the same way: products of nonnegative bounds
    # of one side bound the product on that side. Clipping at 0 undoes the padding of an exact 0.
    result, base = y, y
    for bit in bin(exponent)[3:]:
        result = np.maximum(rounded(np.asarray(result * result)), 0.0)
        if bit == "1":
            result = np.maximum(rounded(np.asarray(result * base)), 0.0)
    # 0 stays exact, above as below.
    return np.where(y == 0, 0.0, result)


def _power_down(y: Array, exponent: int) -> Array:
    # Up to 8 the chain of at most 4 products is tighter than the padding of a library power.
    if exponent <= 8:
        return _nonnegative_power(y, exponent, product_down)
    return real_power_bounds((y, y), _thin(float(exponent)))[0]


def _power_up(y: Array, exponent: int) -> Array:
    if exponent <= 8:
        return _nonnegative_power(y, exponent, product_up)
    return real_power_bounds((y, y), _thin(float(exponent)))[1]


def _thin(number: float) -> EndPoints:
    point = np.array(number)
    return point, point


def integer_power_bounds(a: EndPoints, exponent: int) -> EndPoints:
    """Bounds of ``x^exponent`` for a whole exponent of at least 1."""
    if exponent == 1:
        return a
    if exponent % 2 == 0:
        low, high = absolute_bounds(a)
        return _power_down(low, exponent), _power_up(high, exponent)
    # Odd powers increase, and x^n = sign(x) |x|^n.
    below, above = np.asarray(np.abs(a[0])), np.asarray(np.abs(a[1]))
    lower, upper = _power_down(below, exponent), _power_up(above, exponent)
    if (a[0] < 0).any():
        lower = np.where(a[0] < 0, -_power_up(below, exponent), lower)
    if (a[1] < 0).any():
        upper = np.where(a[1] < 0, -_power_down(above, exponent), upper)
    return lower, upper


def real_power_bounds(a: EndPoints, b: EndPoints) -> EndPoints:
    """Bounds of ``x^y``; undecided unless ``x > 0``, or ``x >= 0`` and ``y > 0``.

    ``x^y`` is monotone in ``y`` for fixed ``x`` and in ``x`` for fixed ``y``, so that its extremes
    over a box lie at corners.
    """
    lower, upper = _extremes(_corners(np.power, a, b))
    zero = upper == 0
    lower, upper = np.maximum(library_down(lower), 0.0), library_up(upper)
    # An upper bound of 0 is exact where the base is 0 itself, else it is underflow.
    upper = np.where(zero & (a[1] == 0), 0.0, upper)
    inside = (a[0] > 0) | ((a[0] == 0) & (b[0] > 0))
    # pow(1, nan) and pow(nan, 0) are 1 in IEEE 754, but an undecided operand must stay undecided.
    decided = inside & ~(np.isnan(a[0]) | np.isnan(b[0]))
    return np.where(decided, lower, np.nan), np.where(decided, upper, np.nan)
