"""Ranges of the atoms of a large system: alike atoms on alike boxes are enclosed once.

An atom depends on few symbols. With these renamed in order, the atoms of a thousand equal nodes are
one expression on one box, which is compiled, differentiated and enclosed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.spaces import Array
from riemannian_modules.terms.cuts import NO_CUTS
from riemannian_modules.terms.ranges import (
    RangeLemma,
    atom_range,
    range_lemma,
    repeated_slopes,
)


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
        self._known: dict[Any, RangeLemma] = {}

    def tight(self, atom: sp.Expr) -> RangeLemma:
        """The atom's range over the region, tightened by cuts across its coordinates."""
        alike, names, axes = self._alike(atom)
        low, high = self.lower[axes], self.upper[axes]
        key = alike, low.tobytes(), high.tobytes()
        if key not in self._known:
            self._known[key] = _tight(alike, names, low, high)
        found = self._known[key]
        cuts = tuple(None if c is None else (int(axes[c[0]]), c[1]) for c in found.cuts)
        return RangeLemma(found.lower, found.upper, cuts)

    def plain(self, atom: sp.Expr, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Its ranges on parts of the region, boxes (batch, dim), as they are."""
        alike, names, axes = self._alike(atom)
        return atom_range(alike, names, lower[:, axes], upper[:, axes])

    def slopes(self, atom: sp.Expr, symbols: Sequence[sp.Symbol]) -> Mapping[sp.Symbol, sp.Expr]:
        """The derivatives by which it is enclosed; those of alike atoms are found once."""
        del symbols  # the region's own
        alike, names, axes = self._alike(atom)
        own: dict[Any, Any] = dict(
            zip(names, (self.symbols[i] for i in axes.tolist()), strict=True)
        )
        found = repeated_slopes(alike, names)
        slopes: dict[Any, Any] = {own[s]: slope.xreplace(own) for s, slope in found.items()}
        return slopes

    def _alike(self, atom: sp.Expr) -> tuple[Any, tuple[sp.Symbol, ...], Any]:
        axes = sorted(self.place[s] for s in atom.free_symbols)
        names = _names(len(axes))
        renamed = atom.xreplace({self.symbols[i]: s for i, s in zip(axes, names, strict=True)})
        return renamed, names, np.array(axes, dtype=np.intp)


@lru_cache
def _names(count: int) -> tuple[sp.Symbol, ...]:
    return tuple(sp.Symbol(f"_{k}", real=True) for k in range(count))


def _tight(atom: sp.Expr, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array) -> RangeLemma:
    """The plain range, or the one of a cut box where that is tighter; NaN where undefined."""
    low, high = (float(end[0]) for end in atom_range(atom, symbols, lower[None], upper[None]))
    lemma = range_lemma(atom, symbols, lower, upper)
    if lemma is None or not (lemma.lower > low or lemma.upper < high):
        return RangeLemma(low, high, NO_CUTS)
    return lemma
