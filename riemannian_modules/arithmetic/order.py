"""Comparison, selection and the piecewise constant functions of interval arrays.

A comparison of intervals has three outcomes. It is told as an interval of truth values: ``[1, 1]``
where it holds for all members, ``[0, 0]`` where for none, ``[0, 1]`` where that depends, undecided
where an operand is. All of it is exact: no operation here rounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.interval_array import Interval, Operand, as_interval
from riemannian_modules.arithmetic.rounding import Array


def _truth(
    certain: NDArray[np.bool_], possible: NDArray[np.bool_], a: Interval, b: Interval
) -> Interval:
    known = a.is_decided & b.is_decided
    return Interval(np.where(known, certain, np.nan), np.where(known, possible, np.nan))


def less(a: Operand, b: Operand) -> Interval:
    """Truth of ``a < b``."""
    a, b = as_interval(a), as_interval(b)
    return _truth(a.upper < b.lower, a.lower < b.upper, a, b)


def less_equal(a: Operand, b: Operand) -> Interval:
    """Truth of ``a <= b``."""
    a, b = as_interval(a), as_interval(b)
    return _truth(a.upper <= b.lower, a.lower <= b.upper, a, b)


def greater(a: Operand, b: Operand) -> Interval:
    """Truth of ``a > b``."""
    return less(b, a)


def greater_equal(a: Operand, b: Operand) -> Interval:
    """Truth of ``a >= b``."""
    return less_equal(b, a)


def equal(a: Operand, b: Operand) -> Interval:
    """Truth of ``a == b``."""
    a, b = as_interval(a), as_interval(b)
    same = (a.lower == b.upper) & (a.upper == b.lower)
    return _truth(same, (a.lower <= b.upper) & (b.lower <= a.upper), a, b)


def logical_and(a: Interval, b: Interval) -> Interval:
    """Truth of both; undecided where either is."""
    return minimum(a, b)


def logical_or(a: Interval, b: Interval) -> Interval:
    """Truth of one at least; undecided where either is."""
    return maximum(a, b)


def logical_not(a: Interval) -> Interval:
    """Truth of the opposite."""
    return Interval(np.asarray(1.0 - a.upper), np.asarray(1.0 - a.lower))


def where(condition: Operand, a: Operand, b: Operand) -> Interval:
    """``a`` where the condition holds, ``b`` where it fails, their hull where that depends.

    The condition is a truth from this file or an array of bools. A branch that is certainly not
    taken may be undecided without harm.
    """
    truth = as_interval(condition)
    a, b = as_interval(a), as_interval(b)
    both = a.hull(b)
    lower, upper = both.lower, both.upper
    holds, fails = truth.lower == 1, truth.upper == 0
    lower = np.where(holds, a.lower, np.where(fails, b.lower, lower))
    upper = np.where(holds, a.upper, np.where(fails, b.upper, upper))
    unknown = ~truth.is_decided
    return Interval(np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper))


def maximum(a: Operand, b: Operand) -> Interval:
    """The larger of two, exact."""
    a, b = as_interval(a), as_interval(b)
    return Interval(
        np.asarray(np.maximum(a.lower, b.lower)), np.asarray(np.maximum(a.upper, b.upper))
    )


def minimum(a: Operand, b: Operand) -> Interval:
    """The smaller of two, exact."""
    a, b = as_interval(a), as_interval(b)
    return Interval(
        np.asarray(np.minimum(a.lower, b.lower)), np.asarray(np.minimum(a.upper, b.upper))
    )


def absolute(x: Operand) -> Interval:
    """``|x|``, exact."""
    return abs(as_interval(x))


def sign(x: Operand) -> Interval:
    """The sign, -1, 0 or 1, exact."""
    x = as_interval(x)
    return Interval(np.asarray(np.sign(x.lower)), np.asarray(np.sign(x.upper)))


def heaviside(x: Operand, at_zero: float = 0.5) -> Interval:
    """0 below zero, 1 above, ``at_zero`` (in [0, 1]) at zero; exact."""
    x = as_interval(x)
    return Interval(_heaviside(x.lower, at_zero), _heaviside(x.upper, at_zero))


def step(x: Operand) -> Interval:
    """1 where positive, else 0; exact."""
    return heaviside(x, 0.0)


def _heaviside(x: Array, at_zero: float) -> Array:
    return np.asarray(np.heaviside(x, at_zero))


def floor(x: Operand) -> Interval:
    """The largest whole number not above, exact."""
    x = as_interval(x)
    return Interval(np.asarray(np.floor(x.lower)), np.asarray(np.floor(x.upper)))
