"""Constant norms as norms of norms of parts: dual norms, lengths, overshoot.

``|z|`` is the largest, the sum, or the root of the sum of squares of ``s_k |z_k|_{M_k}`` over parts
k. All constant norms are of this kind: l2 has one part, the weighted l1 and linf norms have one for
each coordinate, the norms of composites one for each block.

*Rounding.* Lengths are compared as squares in exact fractions; floats enter as proposals whose
error is bounded there, or as enclosures.

Source: Strom (1975), On logarithmic norms, for norms of norms; Boyd and Vandenberghe (2004),
*Convex Optimization*, appendix A.1.6, for dual norms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Literal, final

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.definite import (
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
)
from riemannian_modules.arithmetic.integer_kernel import echelon
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.spaces import Array

Row = Mapping[int, Fraction]  # a vector by its entries that are not zero


@final
@dataclass(frozen=True, eq=False)
class Part:
    """``scale |z|_metric`` of some coordinates.

    Attributes:
        places: The coordinates (k,).
        metric: M (k, k), symmetric positive definite.
        scale: s > 0.
    """

    places: tuple[int, ...]
    metric: Array
    scale: Fraction

    @cached_property
    def floor(self) -> float:
        """A lower bound of the metric's eigenvalues."""
        return float(smallest_eigenvalue_bound(self.metric))

    @cached_property
    def spectrum(self) -> tuple[Fraction, Fraction]:
        """Bounds of the eigenvalues of ``s^2 M``; the lower one is zero where none is proved."""
        low, high = max(self.floor, 0.0), float(largest_eigenvalue_bound(self.metric))
        return self.scale**2 * Fraction(low), self.scale**2 * Fraction(high)

    def dual_squared(self, a: Sequence[Fraction]) -> Fraction:
        """An upper bound of ``a^T M^-1 a / s^2``, exact wherever solving is.

        For any y, with the residual ``e = a - M y``: ``a^T M^-1 a = 2 a . y - y^T M y + e^T M^-1
        e``, and the last term is at most ``|e|^2 / m`` for a lower bound m of M's eigenvalues.
        """
        M = self.metric
        if M.shape == (1, 1):
            return a[0] ** 2 / Fraction(float(M[0, 0])) / self.scale**2
        guess: Array = np.asarray(np.linalg.solve(M, [float(v) for v in a]), dtype=np.float64)
        # Where M is so badly conditioned that floats say nothing, it is solved exactly: e = 0.
        y = fractions(guess) if self.floor > 0 and np.isfinite(guess).all() else _solved(M, a)
        My = [dot(fractions(row), y) for row in M]
        e = [v - w for v, w in zip(a, My, strict=True)]
        rest = dot(e, e)
        exact = 2 * dot(a, y) - dot(y, My)
        return (exact + (rest / Fraction(self.floor) if rest else 0)) / self.scale**2

    def dual(self, a: Sequence[Fraction]) -> Fraction:
        """An upper bound of ``sqrt(a^T M^-1 a) / s``, exact for one coordinate with M = 1."""
        if self._is_plain:
            return abs(a[0]) / self.scale
        return Fraction(root_up(self.dual_squared(a)))

    @property
    def _is_plain(self) -> bool:
        """Whether it is the magnitude of one coordinate."""
        return self.metric.shape == (1, 1) and self.metric[0, 0] == 1

    def square(self, v: Sequence[Interval]) -> Interval:
        """An enclosure of ``s^2 |v|_M^2`` for v (k,) over a batch."""
        total = Interval.point(np.zeros(v[0].shape))
        for i, row in enumerate(self.metric.tolist()):
            for j, m in enumerate(row[:i]):
                total = total + 2 * m * (v[i] * v[j]) if m else total
            total = total + row[i] * v[i] ** 2
        return Interval.rational(self.scale) ** 2 * total

    def length(self, v: Sequence[Interval]) -> Interval:
        """An enclosure of ``s |v|_M``; a square is not negative, whatever its enclosure says."""
        if self._is_plain:
            return Interval.rational(self.scale) * abs(v[0])
        return iv.sqrt(iv.maximum(self.square(v), 0.0))


@final
@dataclass(frozen=True, eq=False)
class PartNorm:
    """A norm of norms of parts.

    Attributes:
        combine: The largest, the sum, or the root of the sum of squares of the parts' norms.
        parts: All coordinates of the state, each in one part.
    """

    combine: Literal["linf", "l1", "l2"]
    parts: tuple[Part, ...]

    @cached_property
    def _part_of(self) -> dict[int, int]:
        return {i: k for k, part in enumerate(self.parts) for i in part.places}

    def dual_squared(self, a: Row) -> Fraction:
        """An upper bound of ``|a|*^2``, with ``|a|* = max {a . z : |z| <= 1}``, for a not zero."""
        touched = [self.parts[k] for k in sorted({self._part_of[i] for i in a})]
        rows = [[a.get(i, Fraction(0)) for i in part.places] for part in touched]
        each = list(zip(touched, rows, strict=True))
        if self.combine == "linf" and len(each) > 1:
            return sum((part.dual(row) for part, row in each), Fraction(0)) ** 2
        squares = [part.dual_squared(row) for part, row in each]
        return max(squares) if self.combine == "l1" else sum(squares, Fraction(0))

    def growth_squared(self, metric: Sequence[Sequence[Fraction]], places: list[int]) -> Fraction:
        """A k^2 with ``|z_S|_metric <= k |z|`` for all z, S at ``places``.

        By a pencil for one part, else by half-widths.
        """
        if len(self.parts) == 1 and self.parts[0].scale == 1:
            k = _pencil(
                self.parts[0].metric, metric, [self.parts[0].places.index(i) for i in places]
            )
            if k is not None:
                return k
        # |z_i z_j| <= (h_i^2 + h_j^2) / 2 with |z_i| <= h_i |z|.
        h = [self.dual_squared({i: Fraction(1)}) for i in places]
        return sum(
            (abs(v) * (a + b) / 2 for row, a in zip(metric, h, strict=True)
             for v, b in zip(row, h, strict=True)), Fraction(0),
        )  # fmt: skip

    def square(self, v: Sequence[Interval]) -> float:
        """An upper bound of the largest ``|v|^2`` in a batch of vectors (n,); NaN if undecided."""
        total = Interval.point(np.zeros(v[0].shape))
        for part in self.parts:
            own = [v[i] for i in part.places]
            if self.combine == "l2":
                total = total + part.square(own)
            elif self.combine == "l1":
                total = total + part.length(own)
            else:
                total = iv.maximum(total, part.length(own))
        return float((total if self.combine == "l2" else total**2).upper.max())

    @property
    def overshoot(self) -> float:
        """Euclidean distances grow at most by this: for one metric it is ``sqrt(cond M)``.

        With ``m_k |z_k|^2 <= s_k^2 |z_k|_M^2 <= w_k |z_k|^2``, for linf ``|z|^2`` is at most the
        largest ``w_k`` times ``|z|_2^2``, and that at most the sum of the ``1 / m_k`` times
        ``|z|^2``; for l1 it is the sum and the largest; for l2 both are largest ones.
        """
        lows, highs = zip(*(part.spectrum for part in self.parts), strict=True)
        if min(lows) <= 0:
            return math.inf
        inverse = [1 / low for low in lows]
        top = sum(highs, Fraction(0)) if self.combine == "l1" else max(highs)
        wide = sum(inverse, Fraction(0)) if self.combine == "linf" else max(inverse)
        return root_up(wide * top)


def _solved(M: Array, a: Sequence[Fraction]) -> list[Fraction]:
    """The exact solution of ``M y = a`` for a regular M (n, n)."""
    n = len(a)
    rows = [dict(enumerate([*fractions(row), v])) for row, v in zip(M, a, strict=True)]
    reduced = echelon(rows)
    return [reduced[i].get(n, Fraction(0)) for i in range(n)]


def _pencil(
    outer: Array, inner: Sequence[Sequence[Fraction]], places: Sequence[int]
) -> Fraction | None:
    """The least k, nearly, with ``inner <= k outer``, proved; None where floats fail."""
    size = len(outer)
    embedded = [[Fraction(0)] * size for _ in range(size)]
    for (i, row), (j, b) in product(zip(places, inner, strict=True), enumerate(places)):
        embedded[i][b] = row[j]
    floats = np.array([[float(v) for v in row] for row in embedded])
    estimate = float(np.linalg.eigvals(np.linalg.solve(outer, floats)).real.max())
    exact = [fractions(row) for row in outer]
    for k in (round(estimate, 12), estimate * (1 + 1e-9)):
        S = [
            [a - Fraction(k) * b for a, b in zip(r, s, strict=True)]
            for r, s in zip(embedded, exact, strict=True)
        ]
        if is_negative_semidefinite_rational(S):
            return Fraction(k)
    return None


def root_up(value: Fraction) -> float:
    """The smallest float that is at least the square root; infinite beyond the largest one."""
    floor, scale = _root(value)
    exact = floor * floor == value * scale * scale
    return float(Interval.rational(Fraction(floor if exact else floor + 1, scale)).upper)


def root_down(value: Fraction) -> float:
    """The largest float that is at most the square root."""
    floor, scale = _root(value)
    return float(Interval.rational(Fraction(floor, scale)).lower)


def _root(value: Fraction) -> tuple[int, int]:
    """(s, 2^k) with ``s <= 2^k sqrt(value) < s + 1``, of 64 bits or more."""
    bits = max(0, 128 + value.denominator.bit_length() - value.numerator.bit_length())
    scale = 1 << (bits // 2 + 1)
    return math.isqrt(value.numerator * scale * scale // value.denominator), scale


def fractions(vector: Array) -> list[Fraction]:
    """The exact values of doubles."""
    return [Fraction(v) for v in vector.tolist()]


def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    """``a . b``, exactly."""
    return sum((v * w for v, w in zip(a, b, strict=True) if v and w), Fraction(0))
