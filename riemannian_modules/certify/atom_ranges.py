"""Ranges of the atoms of a large system: alike atoms on alike boxes are enclosed once.

An atom depends on few symbols. With these renamed in order, the atoms of a thousand equal nodes are
one expression on one box, which is compiled, differentiated and enclosed once. Where the plain
enclosure is not tight, the box is cut, and the tree of cuts is kept as the range's proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.certify.cut_tree import NO_CUTS, Cuts, Leaf, sides_of
from riemannian_modules.certify.ranges import atom_range, inner_points, natural_range
from riemannian_modules.space import Array

TIGHT = 1e-8  # relative accuracy of a range at which cutting stops
MOST_LEAVES = 512
_ROUNDS = 60


@final
@dataclass(frozen=True, slots=True)
class Range:
    """An atom's proved range over a region, by a tree of cuts across the region's coordinates."""

    lower: float
    upper: float
    cuts: Cuts

    @property
    def moves(self) -> bool:
        """Whether it is more than one number."""
        return self.lower != self.upper


@final
class AtomRanges:
    """Ranges of atoms over one region.

    Attributes:
        symbols: The region's coordinates.
        lower, upper: Its sides (dim,).
        place: The position of each coordinate.
    """

    def __init__(self, symbols: Sequence[sp.Symbol], lower: Array, upper: Array) -> None:
        self.symbols, self.lower, self.upper = tuple(symbols), lower, upper
        self.place: dict[Any, int] = {s: i for i, s in enumerate(self.symbols)}
        self._known: dict[Any, Range] = {}

    def tight(self, atom: sp.Expr) -> Range:
        """The atom's range over the region, tightened by cuts where that pays."""
        alike, names, axes = self._alike(atom)
        low, high = self.lower[axes], self.upper[axes]
        key = alike, low.tobytes(), high.tobytes()
        if key not in self._known:
            self._known[key] = tight_range(alike, names, low, high)
        found = self._known[key]
        cuts = tuple(None if c is None else (int(axes[c[0]]), c[1]) for c in found.cuts)
        return Range(found.lower, found.upper, cuts)

    def plain(self, atom: sp.Expr, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Its plain ranges on parts of the region, boxes (batch, dim); no cuts."""
        alike, names, axes = self._alike(atom)
        return atom_range(alike, names, lower[:, axes], upper[:, axes])

    def _alike(self, atom: sp.Expr) -> tuple[Any, tuple[sp.Symbol, ...], Any]:
        axes = sorted(self.place[s] for s in atom.free_symbols)
        names = _names(len(axes))
        renamed = atom.xreplace({self.symbols[i]: s for i, s in zip(axes, names, strict=True)})
        return renamed, names, np.array(axes, dtype=np.intp)


@lru_cache
def _names(count: int) -> tuple[sp.Symbol, ...]:
    return tuple(sp.Symbol(f"_{k}", real=True) for k in range(count))


def tight_range(atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array) -> Range:
    """An atom's range over a box (dim,), and the cuts by which `atom_range` proves it.

    Leaves that may hold more than the values reached at points are cut on, up to ``MOST_LEAVES``.
    """
    root = Leaf(lower, upper)
    leaves = [root]
    _enclose(atom, symbols, leaves)
    reached = [np.inf, -np.inf]
    for _ in range(_ROUNDS):
        if any(np.isnan(leaf.low) or np.isnan(leaf.high) for leaf in leaves):
            return Range(np.nan, np.nan, NO_CUTS)
        _reach(atom, symbols, leaves, reached)
        room = TIGHT * max(abs(reached[0]), abs(reached[1]), 1e-12)
        floor, ceiling = reached[0] - room, reached[1] + room
        open_leaves = [leaf for leaf in leaves if leaf.low < floor or leaf.high > ceiling]
        if not open_leaves or len(leaves) + len(open_leaves) > MOST_LEAVES:
            break
        children = [child for leaf in open_leaves for child in leaf.split(range(len(symbols)))]
        if not children:
            break
        _enclose(atom, symbols, children)
        leaves = [leaf for leaf in leaves if leaf.left is None] + children
    low, high = min(leaf.low for leaf in leaves), max(leaf.high for leaf in leaves)
    if root.left is not None and low <= root.low and high >= root.high:
        return Range(root.low, root.high, NO_CUTS)  # cutting has won nothing
    return Range(low, high, root.preorder())


def _enclose(atom: sp.Expr, symbols: tuple[sp.Symbol, ...], leaves: list[Leaf]) -> None:
    low, high = atom_range(atom, symbols, *sides_of(leaves))
    for leaf, a, b in zip(leaves, low.tolist(), high.tolist(), strict=True):
        leaf.low, leaf.high = a, b


def _reach(
    atom: sp.Expr, symbols: tuple[sp.Symbol, ...], leaves: list[Leaf], reached: list[float]
) -> None:
    """Widen what is reached by the values at the leaves' corners and middles; untrusted."""
    points = inner_points(*sides_of(leaves))
    low, high = natural_range(atom, symbols, points, points)
    values = 0.5 * low + 0.5 * high
    values = values[np.isfinite(values)]
    if values.size:
        reached[0] = min(reached[0], float(values.min()))
        reached[1] = max(reached[1], float(values.max()))
