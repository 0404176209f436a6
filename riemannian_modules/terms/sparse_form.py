"""The Jacobian of a large system by its nonzero entries, affine in atoms, and l2 tests of it.

A flow with metric M is tested by ``2 b M - (M J + J^T M) >= 0``, a step map by ``[[b M, J^T M],
[M J, b M]] >= 0``. Both are ``b W - T`` with T affine in the same atoms as J: products with M are
taken exactly, coefficient by coefficient, so couplings that cancel are gone before anything is
rounded. Time and memory are linear in the entries of J and of M.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.chain_rule import partial_derivatives
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.sparse_definite import Places, SparseSymmetric
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import AtomForm

Entries = Mapping[tuple[int, int], Fraction]


def sparse_jacobian(
    values: Sequence[sp.Expr], variables: Sequence[sp.Symbol]
) -> dict[tuple[int, int], sp.Expr]:
    """The entries (i, j) of ``d values / d variables`` that are not identically zero.

    Cost: one derivative for each symbol that a value depends on.
    """
    place = {v: j for j, v in enumerate(variables)}
    entries: dict[tuple[int, int], sp.Expr] = {}
    for i, value in enumerate(values):
        own = sorted(place[s] for s in value.free_symbols if s in place)  # type: ignore[index]
        if own:
            (row,) = partial_derivatives((value,), [variables[j] for j in own])
            entries |= {(i, j): e for j, e in zip(own, row, strict=True) if e != 0}
    return entries


def flow_form(J: AtomForm, metric: Entries) -> AtomForm:
    """``M J + J^T M`` by its entries on and above the diagonal; M by all of its entries."""
    return J.multiplied(metric).symmetric_sum().upper()


def step_form(J: AtomForm, metric: Entries) -> AtomForm:
    """``[[0, -J^T M], [-M J, 0]]`` by its entries above the diagonal, of order 2 n."""
    return J.multiplied(metric).bordered().upper()


@final
@dataclass(frozen=True, eq=False)
class SparseTest:
    """``b W - T`` over boxes of atoms, as sparse symmetric interval matrices.

    Attributes:
        size: Their order.
        weight: W by its entries on and above the diagonal.
        form: T in atoms.
    """

    size: int
    weight: Entries
    form: AtomForm

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The atoms that T has."""
        return tuple(sorted({a for p in self.form.products for a in p}))

    def matrix(self, b: float, low: Array, high: Array) -> SparseSymmetric:
        """``b W - T`` where the atoms lie in a box (atoms,); ends may be equal, for a point."""
        parts = self._parts
        factors = [self._factor(p, low, high) for p in self.form.products]
        ends = np.array([[float(f.lower), float(f.upper)] for f in factors]).reshape(-1, 2)
        scaled = parts.coefficients * Interval(ends[parts.terms, 0], ends[parts.terms, 1])
        total = parts.weights * Interval.point(np.array(b))
        for layer in parts.layers:
            added = total[parts.entries[layer]] - scaled[layer]
            lower, upper = total.lower.copy(), total.upper.copy()
            lower[parts.entries[layer]], upper[parts.entries[layer]] = added.lower, added.upper
            total = Interval(lower, upper)
        return SparseSymmetric(self.size, parts.rows, parts.columns, total)

    def centre(self, low: Array, high: Array) -> tuple[Any, Any]:
        """T at the middle of the atoms' box and W, in plain floats: untrusted, to search with."""
        both = [self.matrix(b, low, high) for b in (0.0, 1.0)]
        T, W = -both[0].values.midpoint, both[1].values.midpoint - both[0].values.midpoint
        return self._symmetric(both[0], T), self._symmetric(both[0], W)

    @staticmethod
    def _symmetric(S: SparseSymmetric, values: Array) -> Any:
        from scipy.sparse import csc_array

        off = S.rows != S.columns
        i = np.concatenate([S.rows, S.columns[off]])
        j = np.concatenate([S.columns, S.rows[off]])
        return csc_array((np.concatenate([values, values[off]]), (i, j)), shape=(S.size, S.size))

    def _factor(self, members: tuple[int, ...], low: Array, high: Array) -> Interval:
        factor = Interval.point(np.array(1.0))
        for j in members:
            factor = factor * Interval(low[j], high[j])
        return factor

    @cached_property
    def _parts(self) -> _Parts:
        places = list(
            dict.fromkeys([*self.weight, *(at for c in self.form.coefficients for at in c)])
        )
        index = {at: k for k, at in enumerate(places)}
        weights = _enclosed([self.weight.get(at, Fraction(0)) for at in places])
        rows = [
            (index[at], term, value)
            for term, entries in enumerate(self.form.coefficients)
            for at, value in entries.items()
        ]
        # An entry's terms are added one layer after the other, in each of which it comes once.
        count: dict[int, int] = {}
        layers: list[list[int]] = []
        for k, (entry, _, _) in enumerate(rows):
            depth = count[entry] = count.get(entry, -1) + 1
            if depth == len(layers):
                layers.append([])
            layers[depth].append(k)
        at = np.array(places, dtype=np.intp).reshape(-1, 2)
        return _Parts(
            at[:, 0],
            at[:, 1],
            weights,
            np.array([r[0] for r in rows], dtype=np.intp),
            np.array([r[1] for r in rows], dtype=np.intp),
            _enclosed([r[2] for r in rows]),
            [np.array(layer, dtype=np.intp) for layer in layers],
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The entries' places and weights, and for each coefficient its entry, term and value."""

    rows: Places
    columns: Places
    weights: Interval
    entries: Places
    terms: Places
    coefficients: Interval
    layers: list[Places]


def _enclosed(values: Sequence[Fraction]) -> Interval:
    ends = [Interval.rational(v) for v in values]
    return Interval(
        np.array([float(e.lower) for e in ends]), np.array([float(e.upper) for e in ends])
    )
