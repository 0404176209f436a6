"""Tight ranges of scalar expressions over boxes: natural, mean-value and monotone enclosures.

Source: Moore, Kearfott and Cloud, *Introduction to Interval Analysis* (2009), chapters 5 and 6.
Every bound is an interval enclosure, so the intersection contains the true range.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.space import Array

SLICES = 32
ROUNDS = 30
MOST_BOXES = 4096
FACTORED = 120  # operations up to which derivatives are brought over one denominator
WIDTH = 1e-9  # relative accuracy at which refining stops


def atom_range(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Range of one expression on a batch of boxes (batch, dim); NaN where it may be undefined.

    Natural interval extension; where a symbol comes more than once, cut with the mean-value form
    and, where a derivative keeps its sign, with the values at that symbol's ends.
    """
    low, high = natural_range(atom, symbols, lower, upper)
    if np.array_equal(lower, upper):
        return low, high  # at points the other forms evaluate the same term again
    axes, slopes = _repeated(atom, symbols)
    if not axes:
        return low, high
    derivative = [_evaluate(s, symbols, lower, upper) for s in slopes]
    down_low, down_high = lower.copy(), upper.copy()  # box on which the smallest value is taken
    up_low, up_high = lower.copy(), upper.copy()
    for axis, d in zip(axes, derivative, strict=True):
        rising, falling = d.lower >= 0, d.upper <= 0
        finite_low, finite_high = np.isfinite(lower[:, axis]), np.isfinite(upper[:, axis])
        for sides, take_low, take_high in (
            ((down_low, down_high), rising & finite_low, falling & finite_high),
            ((up_low, up_high), falling & finite_low, rising & finite_high),
        ):
            sides[1][take_low, axis] = lower[take_low, axis]
            sides[0][take_high, axis] = upper[take_high, axis]
    low = _larger(low, _evaluate(atom, symbols, down_low, down_high).lower)
    high = _smaller(high, _evaluate(atom, symbols, up_low, up_high).upper)
    bounded = np.isfinite(lower).all(1) & np.isfinite(upper).all(1)
    if bounded.any():
        form = _mean_value(atom, symbols, axes, derivative, lower, upper)
        low = np.where(bounded, _larger(low, form.lower), low)
        high = np.where(bounded, _smaller(high, form.upper), high)
    return low, high


def natural_range(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """As `atom_range`, by the natural interval extension alone: wider, one evaluation."""
    value = _evaluate(atom, symbols, lower, upper)
    return value.lower.copy(), value.upper.copy()


def refined_range(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[float, float]:
    """Range of one expression on one box (dim,), by cutting the box where the extremes may lie."""
    axes = [i for i, s in enumerate(symbols) if s in atom.free_symbols]
    if not axes or len(axes) > 3:
        low, high = atom_range(atom, symbols, lower[None], upper[None])
        return float(low[0]), float(high[0])
    floor = _extreme(atom, symbols, axes, lower, upper, largest=False)
    ceiling = _extreme(atom, symbols, axes, lower, upper, largest=True)
    return floor, ceiling


def _extreme(
    atom: sp.Expr,
    symbols: tuple[sp.Symbol, ...],
    axes: list[int],
    lower: Array,
    upper: Array,
    *,
    largest: bool,
) -> float:
    """A rigorous bound of the largest (smallest) value: boxes that cannot hold it are dropped."""
    lows, highs = lower[None].copy(), upper[None].copy()
    for _ in range(ROUNDS):
        while True:
            for axis in axes:
                lows, highs = _halved(lows, highs, axis)
            if len(lows) >= SLICES:
                break
        low, high = atom_range(atom, symbols, lows, highs)
        bound = high.max() if largest else low.min()
        if np.isnan(bound) or len(lows) > MOST_BOXES:
            return float(bound)
        middle = inner_points(lows, highs)
        at = _evaluate(atom, symbols, middle, middle)
        reached = np.nanmax(at.lower) if largest else np.nanmin(at.upper)
        if abs(bound - reached) <= WIDTH * max(abs(bound), 1e-12):
            return float(bound)
        kept = high >= reached if largest else low <= reached
        lows, highs = lows[kept], highs[kept]
    low, high = atom_range(atom, symbols, lows, highs)
    return float(high.max() if largest else low.min())


def _halved(lows: Array, highs: Array, axis: int) -> tuple[Array, Array]:
    low, high = lows[:, axis], highs[:, axis]
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(
            np.isinf(low) & np.isinf(high), 0.0,
            np.where(np.isinf(high), 2 * np.abs(low) + 1,
                     np.where(np.isinf(low), -2 * np.abs(high) - 1, 0.5 * low + 0.5 * high)),
        )  # fmt: skip
    left, right = highs.copy(), lows.copy()
    left[:, axis] = right[:, axis] = middle
    return np.concatenate([lows, right]), np.concatenate([left, highs])


def inner_points(lows: Array, highs: Array) -> Array:
    """The middle of each box (batch, dim) and its two extreme corners, where those are finite."""
    with np.errstate(invalid="ignore"):
        middle = np.clip(0.5 * lows + 0.5 * highs, lows, highs)  # halves of subnormals round
    middle = np.where(np.isfinite(middle), middle, np.where(np.isfinite(lows), lows, highs))
    middle = np.where(np.isfinite(middle), middle, 0.0)
    first, last = (
        np.where(np.isfinite(lows), lows, middle),
        np.where(np.isfinite(highs), highs, middle),
    )
    return np.concatenate([middle, first, last])


def _evaluate(e: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array) -> Interval:
    boxes = [Interval(lower[:, i], upper[:, i]) for i in range(lower.shape[1])]
    (value,) = compile_intervals((e,), (symbols,))(boxes)
    return iv.as_interval(value).broadcast_to((len(lower),))


@lru_cache(maxsize=4096)
def _repeated(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...]
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """The positions of an atom's symbols, if one comes twice, and the derivatives by them."""
    count = dict.fromkeys(atom.free_symbols, 0)
    for e in sp.preorder_traversal(atom):
        if e in count:
            count[e] += 1
    axes = tuple(i for i, s in enumerate(symbols) if s in atom.free_symbols)
    # A derivative does not see a jump (the slope of a kinked function jumps), so it bounds nothing.
    if all(c == 1 for c in count.values()) or atom.has(fn.step, fn.sign, sp.Piecewise):
        return (), ()
    (row,) = derivatives((atom,), tuple(symbols[i] for i in axes))
    # Over one denominator, a derivative's sign shows also on unbounded boxes: (1 - 3 p^2) / (1 +
    # p^2)^3.
    return axes, tuple(sp.factor(sp.together(d)) if d.count_ops() < FACTORED else d for d in row)


def _mean_value(
    atom: sp.Expr,
    symbols: tuple[sp.Symbol, ...],
    axes: tuple[int, ...],
    slopes: list[Interval],
    lower: Array,
    upper: Array,
) -> Interval:
    # f(x) = f(c) + f'(xi) (x - c) for a xi between x and c, hence inside of the convex box.
    with np.errstate(invalid="ignore"):
        centre = np.clip(np.nan_to_num(0.5 * lower + 0.5 * upper), lower, upper)
    total = _evaluate(atom, symbols, centre, centre)
    for axis, d in zip(axes, slopes, strict=True):
        total = total + d * (
            Interval(lower[:, axis], upper[:, axis]) - Interval.point(centre[:, axis])
        )
    return total


def _larger(a: Array, b: Array) -> Array:
    # Where b is undecided it says nothing; where a is, the whole stays undecided.
    return np.where(np.isnan(a), a, np.fmax(a, b))


def _smaller(a: Array, b: Array) -> Array:
    return np.where(np.isnan(a), a, np.fmin(a, b))
