"""All zeros of a function of one variable on an interval, found by interval arithmetic.

Source: Moore, Kearfott and Cloud (2009), *Introduction to Interval Analysis*, section 8.1: a piece
on which the function cannot vanish has none, one on which its slope cannot vanish has at most one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.spaces import Array

PIECES = 64  # at the beginning
LEAST = 1e-10  # of the whole: pieces are cut down to this
MOST = 200_000  # pieces at once


def isolated_roots(
    both: Callable[[Interval], tuple[Interval, Interval]], start: float, end: float
) -> list[float] | None:
    """The zeros at which a function changes its sign, to 1e-10 of the interval, increasing.

    Args:
        both: The enclosures of the function and of its slope over a batch of intervals.
        start: Where to begin.
        end: Where to end.

    Returns:
        The zeros; zeros that touch without crossing may be missing. None where there are too many,
        or the function is undefined somewhere. Cost: some evaluations for each zero.
    """
    edges = np.linspace(start, end, PIECES + 1)
    low, high, found = edges[:-1], edges[1:], list[Array]()
    while len(low):
        if len(low) > MOST:
            return None
        value, slope = both(Interval(low, high))
        bounds = np.stack([*value.bounds, *slope.bounds])
        if np.isnan(bounds[:2]).any():
            return None
        may_vanish = (bounds[0] <= 0) & (bounds[1] >= 0)
        is_monotone = (bounds[2] > 0) | (bounds[3] < 0)
        is_small = high - low <= LEAST * (end - start)
        last = may_vanish & (is_monotone | is_small)
        found.append(_by_halves(both, low[last], high[last]))
        cut = may_vanish & ~last
        middle = (low[cut] + high[cut]) / 2
        low, high = np.concatenate([low[cut], middle]), np.concatenate([middle, high[cut]])
    roots = np.sort(np.concatenate([np.zeros(0), *found]))
    return roots.tolist()


def _by_halves(
    both: Callable[[Interval], tuple[Interval, Interval]], low: Array, high: Array
) -> Array:
    """The zero in each piece at whose ends the signs differ."""

    def sign(t: Array) -> Array:
        value = both(Interval(t, t))[0]
        return np.sign(value.lower + value.upper)

    if not len(low):
        return low
    at_low, at_high = sign(low), sign(high)
    differs = (at_low != at_high) & (at_low != 0)
    low, high, at_low = low[differs], high[differs], at_low[differs]
    for _ in range(60):  # down to neighbouring numbers, wherever the zero is
        middle = (low + high) / 2
        is_before = sign(middle) == at_low
        low, high = np.where(is_before, middle, low), np.where(is_before, high, middle)
    return high
