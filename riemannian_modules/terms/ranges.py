"""Tight ranges of scalar expressions over boxes: natural, mean-value and monotone enclosures.

Source: Moore, Kearfott and Cloud, *Introduction to Interval Analysis* (2009), chapters 5 and 6.
Every bound is an interval enclosure, so the intersection contains the true range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.quotients import factored
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cuts import Cuts, middles
from riemannian_modules.terms.deadline import require_time

ROUNDS = 40
MOST_AXES = 3
MOST_BOXES = 4096
FACTORED = 120  # operations up to which derivatives are brought over one denominator
WIDTH = 1e-8  # relative accuracy at which refining stops


def atom_range(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Range of one expression on a batch of boxes (batch, dim); NaN where it may be undefined.

    Natural interval extension; where a symbol comes more than once, cut with the mean-value form
    and, where a derivative keeps its sign, with the values at that symbol's ends.
    """
    low, high = atom_ranges((atom,), symbols, lower, upper)
    return low[:, 0], high[:, 0]


def atom_ranges(
    atoms: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """As `atom_range`, of several expressions (batch, atoms); what they share is evaluated once."""
    low, high = natural_ranges(atoms, symbols, lower, upper)
    if np.array_equal(lower, upper):
        return low, high  # at points the other forms evaluate the same term again
    every = [_repeated(atom, symbols) for atom in atoms]
    repeated = [j for j, (axes, _) in enumerate(every) if axes]
    if not repeated:
        return low, high
    slopes = iter(_evaluate(tuple(s for _, row in every for s in row), symbols, lower, upper))
    with np.errstate(invalid="ignore"):
        centre = np.clip(np.nan_to_num(0.5 * lower + 0.5 * upper), lower, upper)
    middles = _evaluate(tuple(atoms[j] for j in repeated), symbols, centre, centre)
    bounded = np.isfinite(lower).all(1) & np.isfinite(upper).all(1)
    for j, middle in zip(repeated, middles, strict=True):
        derivative = {axis: next(slopes) for axis in every[j][0]}
        first, last = _at_ends(atoms[j], symbols, derivative, lower, upper)
        low[:, j], high[:, j] = _larger(low[:, j], first), _smaller(high[:, j], last)
        # f(x) = f(c) + f'(xi) (x - c) for a xi between x and c, hence inside of the convex box.
        form = middle
        for axis, d in derivative.items() if bounded.any() else ():
            side = Interval(lower[:, axis], upper[:, axis])
            form = form + d * (side - Interval.point(centre[:, axis]))
        low[:, j] = np.where(bounded, _larger(low[:, j], form.lower), low[:, j])
        high[:, j] = np.where(bounded, _smaller(high[:, j], form.upper), high[:, j])
    return low, high


def _at_ends(
    atom: sp.Expr,
    symbols: tuple[sp.Symbol, ...],
    derivative: Mapping[int, Interval],
    lower: Array,
    upper: Array,
) -> tuple[Array, Array]:
    """The smallest and the largest value, taken at the ends of sides along which it is monotone."""
    count = len(lower)
    low, high = np.tile(lower, (2, 1)), np.tile(upper, (2, 1))  # for the smallest, for the largest
    for axis, d in derivative.items():
        finite = np.isfinite(lower[:, axis]), np.isfinite(upper[:, axis])
        rising, falling = d.lower >= 0, d.upper <= 0
        for part, to_low, to_high in ((0, rising, falling), (count, falling, rising)):
            (at_low,), (at_high,) = np.nonzero(to_low & finite[0]), np.nonzero(to_high & finite[1])
            high[part + at_low, axis] = lower[at_low, axis]
            low[part + at_high, axis] = upper[at_high, axis]
    (value,) = _evaluate((atom,), symbols, low, high)
    return value.lower[:count], value.upper[count:]


def natural_range(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """As `atom_range`, by the natural interval extension alone: wider, one evaluation."""
    low, high = natural_ranges((atom,), symbols, lower, upper)
    return low[:, 0], high[:, 0]


def natural_ranges(
    atoms: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """As `natural_range`, of several expressions (batch, atoms)."""
    found = np.empty((2, len(lower), len(atoms)))
    for j, value in enumerate(_evaluate(atoms, symbols, lower, upper)):
        found[:, :, j] = value.lower, value.upper
    return found[0], found[1]


@final
@dataclass(frozen=True, slots=True, eq=False)
class RangeLemma:
    """An expression lies within [lower, upper] on a box; the cuts, in preorder, show it."""

    lower: float
    upper: float
    cuts: Cuts


def range_lemma(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> RangeLemma | None:
    """The range of one expression on one box (dim,), by cutting the box where it exceeds samples.

    Along many axes the box is left whole. None where that gives nothing beside the natural range.
    """
    axes, _ = _repeated(atom, symbols)
    if not axes:
        return None
    if len(axes) > MOST_AXES:
        return _whole_lemma(atom, symbols, lower, upper)
    tree = _Cuts(lower, upper)
    reached = np.array([np.inf, -np.inf])
    for depth in range(ROUNDS * len(axes)):
        low, high = tree.lower[tree.open], tree.upper[tree.open]
        bottom, top = atom_range(atom, symbols, low, high)
        (at,) = _evaluate((atom,), symbols, *[inner_points(low, high)] * 2)
        with np.errstate(invalid="ignore", over="ignore"):
            reached[0] = np.fmin(reached[0], np.fmin.reduce(at.upper))
            reached[1] = np.fmax(reached[1], np.fmax.reduce(at.lower))
            room = WIDTH * np.maximum(np.abs(reached), 1e-12)
            done = (bottom >= reached[0] - room[0]) & (top <= reached[1] + room[1])
        tree.bound(bottom, top)
        if done.all() or len(tree.lower) > MOST_BOXES:
            break
        tree.cut(~done, axes[depth % len(axes)])
    else:
        low, high = tree.lower[tree.open], tree.upper[tree.open]
        tree.bound(*atom_range(atom, symbols, low, high))
    return tree.lemma()


def _whole_lemma(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> RangeLemma | None:
    natural = natural_range(atom, symbols, lower[None], upper[None])
    low, high = atom_range(atom, symbols, lower[None], upper[None])
    if not (high - low < natural[1] - natural[0]).all():
        return None
    return RangeLemma(float(low[0]), float(high[0]), (None,))


@final
class _Cuts:
    """A tree of cuts of one box, cut level by level."""

    def __init__(self, lower: Array, upper: Array) -> None:
        self.lower, self.upper = lower[None].copy(), upper[None].copy()
        self.range = np.array([[-np.inf, np.inf]])
        self.left = np.array([-1])  # a node's first child, the second follows; -1 for a leaf
        self.place: list[tuple[int, float] | None] = [None]
        self.open = np.array([0])

    def bound(self, bottom: Array, top: Array) -> None:
        """Note the open nodes' ranges."""
        self.range[self.open] = np.column_stack([bottom, top])

    def cut(self, wanted: Mask, axis: int) -> None:
        """Cut the open nodes that are wanted; their halves are open then."""
        nodes = self.open[wanted]
        low, high = self.lower[nodes], self.upper[nodes]
        middle = middles(low[:, axis], high[:, axis])
        inside = (low[:, axis] < middle) & (middle < high[:, axis])
        nodes, low, high, middle = nodes[inside], low[inside], high[inside], middle[inside]
        first = len(self.lower) + 2 * np.arange(len(nodes))
        children = np.repeat(low, 2, axis=0), np.repeat(high, 2, axis=0)
        children[1][0::2, axis] = children[0][1::2, axis] = middle
        self.left[nodes] = first
        for node, m in zip(nodes.tolist(), middle.tolist(), strict=True):
            self.place[node] = (axis, m)
        self.place += [None] * (2 * len(nodes))
        self.lower = np.concatenate([self.lower, children[0]])
        self.upper = np.concatenate([self.upper, children[1]])
        self.left = np.concatenate([self.left, np.full(2 * len(nodes), -1)])
        self.range = np.concatenate([self.range, np.tile([-np.inf, np.inf], (2 * len(nodes), 1))])
        # A node that could not be cut along this axis waits for the next one.
        waiting = np.setdiff1d(self.open[wanted], nodes)
        self.open = np.concatenate(
            [waiting, np.arange(len(self.lower) - 2 * len(nodes), len(self.lower))]
        )

    def lemma(self) -> RangeLemma | None:
        """What the leaves prove; None where it is nothing."""
        leaves = self.left < 0
        low, high = self.range[leaves, 0].min(), self.range[leaves, 1].max()
        if not (np.isfinite(low) or np.isfinite(high)):
            return None
        cuts: list[tuple[int, float] | None] = []
        stack = [0]
        while stack:
            node = stack.pop()
            cuts.append(self.place[node])
            if self.left[node] >= 0:
                stack += [int(self.left[node]) + 1, int(self.left[node])]
        return RangeLemma(float(low), float(high), tuple(cuts))


def lemma_holds(
    lemma: RangeLemma, atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> bool:
    """Whether the lemma is proved on the leaves (leaves, dim) that its cuts make of a box."""
    bottom, top = atom_range(atom, symbols, lower, upper)
    return bool(((bottom >= lemma.lower) & (top <= lemma.upper)).all())


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


def _evaluate(
    expressions: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
) -> list[Interval]:
    boxes = [Interval(lower[:, i], upper[:, i]) for i in range(lower.shape[1])]
    values = compile_intervals(expressions, (symbols,))(boxes)
    return [iv.as_interval(value).broadcast_to((len(lower),)) for value in values]


def repeated_slopes(atom: sp.Expr, symbols: Sequence[sp.Symbol]) -> Mapping[sp.Symbol, sp.Expr]:
    """The derivatives by which `atom_range` encloses an atom; none where it uses none."""
    axes, slopes = _repeated(atom, tuple(symbols))
    return {symbols[axis]: slope for axis, slope in zip(axes, slopes, strict=True)}


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
    require_time()
    (row,) = derivatives((atom,), tuple(symbols[i] for i in axes))
    # Over one denominator, a derivative's sign shows also on unbounded boxes: (1 - 3 p^2) / (1 +
    # p^2)^3.
    is_short = len(axes) <= MOST_AXES and all(d.count_ops() < FACTORED for d in row)
    return axes, tuple(map(factored, row)) if is_short else row


def _larger(a: Array, b: Array) -> Array:
    # Where b is undecided it says nothing; where a is, the whole stays undecided.
    return np.where(np.isnan(a), a, np.fmax(a, b))


def _smaller(a: Array, b: Array) -> Array:
    return np.where(np.isnan(a), a, np.fmin(a, b))
