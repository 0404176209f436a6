"""Symmetric matrices that are linear in a few intervals, enclosed and decided in one fused pass.

``S(t) = sum_k D_k t_k`` with exact rational symmetric matrices ``D_k`` and K intervals ``t_k``,
over a batch of boxes: each entry is enclosed in midpoint-radius form, and definiteness decided by
`triangles`.

*Rounding.* Let ``|t_k - m_k| <= r_k``, and let the double ``d_k`` be nearest to an entry of
``D_k``: within ``u |d_k|``, ``u = 2^-53``, as only exact entries may be below 2^-900. The computed
``c = fl(sum_k d_k m_k)`` is within ``gamma_K sum_k |d_k| |m_k|`` and K underflows of its sum
(Higham 2002, section 3.1), so that ``|S(t) - c| <= sum_k |d_k| q'_k + K 2^-1075`` with
``q'_k = (1 + u) r_k + (K + 2) u |m_k|``, as ``gamma_K <= (K + 1) u`` for K below 2^20. The radius
is computed from ``q_k = fl(r_k + (K + 4) 2 u |m_k| + 2^-1022)``, whose last term covers underflow
of the one before. All terms are nonnegative, so that ``fl(sum_k |d_k| q_k)`` is short of its sum by
less than ``(K + 4) u`` of it and K underflows: the factor ``1 + (2 K + 8) 2 u`` covers that and the
``u r_k``, and ``4 K 2^-1022`` every underflow. A diagonal's lower bound ``fl(c - radius)``, if
positive, is off by at most ``u`` of it, which the factor ``1 - 4 u`` makes up for.

Source: Rump (1999), Fast and parallel interval arithmetic, BIT 39, 534-554.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.rounding import (
    NORMAL,
    ULP,
    Array,
    Mask,
    quiet,
    sum_down,
    sum_up,
)
from riemannian_modules.arithmetic.triangles import (
    CORNER_ORDER,
    Triangle,
    are_positive_definite,
    chunk_length,
    compiled_loops,
    enclosing_balls,
)

Entries = Mapping[tuple[int, int], Fraction]
_TINY = 2.0**-900
_ZERO = Fraction(0)


@final
@dataclass(frozen=True, eq=False)
class AffineMatrix:
    """``S(t) = sum_k D_k t_k`` of order n; the symmetric part of each ``D_k`` counts.

    Attributes:
        order: n.
        coefficients: For each k, the entries of ``D_k`` {(i, j): exact rational}.
    """

    order: int
    coefficients: tuple[Entries, ...]

    def are_positive_definite(self, t: Sequence[Interval]) -> Mask:
        """Whether S is proved positive definite for all members of the intervals t, (batch,).

        Args:
            t: One interval array for each k, each of shape (batch,) or (), one of them at least
                (batch,).

        Cost: 2 K n^2 / 2 multiplications and one Cholesky factorisation a box, a few hundred
        nanoseconds for n = 6; up to ``2^(n-1)`` factorisations where sign corners are needed.
        """
        batch = np.broadcast_shapes(*(part.shape for part in t))
        lower, upper = (
            np.stack([np.broadcast_to(getattr(part, end), batch) for part in t])
            for end in ("lower", "upper")
        )
        loops = compiled_loops(lower.shape[1], self.order)
        if loops is not None:
            proved = np.zeros(lower.shape[1], dtype=bool)
            loops.affine_prove(lower, upper, *self._doubles, self.order, proved, CORNER_ORDER)
            return proved
        step = chunk_length(self.order)
        parts = [
            are_positive_definite(self.enclosed(lower[:, i : i + step], upper[:, i : i + step]))
            for i in range(0, lower.shape[1], step)
        ]
        return np.concatenate([np.zeros(0, dtype=bool), *parts])

    @quiet
    def enclosed(self, lower: Array, upper: Array) -> Triangle:
        """S over boxes of t with ends (K, batch)."""
        n, K = self.order, len(lower)
        middle, size = enclosing_balls(lower, upper)
        size += (K + 4) * ULP * np.abs(middle)
        size += NORMAL
        values, sizes = self._doubles
        centre = np.zeros((values.shape[1], lower.shape[1]))
        radius = np.zeros_like(centre)
        for k in range(K):
            used = np.flatnonzero(sizes[k])  # an entry that is zero stays so on unbounded sides
            centre[used] += values[k, used, None] * middle[k]
            radius[used] += sizes[k, used, None] * size[k]
        radius *= 1.0 + (2 * K + 8) * ULP
        radius += 4 * K * NORMAL
        starts = [i * (i + 1) // 2 for i in range(n)]
        ends = [start + i for i, start in enumerate(starts)]
        diagonal = (centre[ends] - radius[ends]) * (1.0 - 2.0 * ULP)
        rows = [slice(*row) for row in zip(starts, ends, strict=True)]
        return Triangle(diagonal, [centre[row] for row in rows], [radius[row] for row in rows])

    @cached_property
    def _doubles(self) -> tuple[Array, Array]:
        """Nearest doubles of the entries, row by row up to the diagonal, and their magnitudes."""
        places = [(i, j) for i in range(self.order) for j in range(i + 1)]
        rows = [
            {
                p: (c.get((i, j), _ZERO) + c.get((j, i), _ZERO)) / 2
                for p, (i, j) in enumerate(places)
            }
            for c in self.coefficients
        ]
        return nearest_doubles(rows, len(places))


def nearest_doubles(rows: Sequence[Mapping[int, Fraction]], count: int) -> tuple[Array, Array]:
    """Nearest doubles of rows of ``count`` fractions, given where not zero, and their magnitudes.

    Entries that no double is near enough to have an infinite magnitude: never decided.
    """
    values, sizes = np.zeros((2, len(rows), count))
    for k, row in enumerate(rows):
        for p, exact in row.items():
            values[k, p], sizes[k, p] = _nearest(exact)
    return values, sizes


@quiet
def linear_combinations(values: Array, sizes: Array, lower: Array, upper: Array) -> Interval:
    """``sum_k t_k d_k``, (batch, count), for rows d_k of `nearest_doubles` and finite t_k.

    The bounds of rounding in the module's docstring hold in any order of summation, fused or not,
    hence for products of matrices.

    Args:
        values: The rows' doubles, (K, count).
        sizes: Their magnitudes, (K, count).
        lower: Lower ends of the t_k, (K, batch).
        upper: Upper ends, (K, batch).
    """
    K = len(values)
    middle, size = enclosing_balls(lower, upper)
    size += (K + 4) * ULP * np.abs(middle)
    size += NORMAL
    centre, radius = middle.T @ values, size.T @ sizes
    radius *= 1.0 + (2 * K + 8) * ULP
    radius += 4 * K * NORMAL
    return Interval(sum_down(centre - radius), sum_up(centre + radius))


def _nearest(exact: Fraction) -> tuple[float, float]:
    try:
        nearest = exact.numerator / exact.denominator  # correctly rounded by Python
    except OverflowError:
        return 0.0, np.inf
    is_near = abs(nearest) >= _TINY or Fraction(nearest) == exact
    return nearest, abs(nearest) if is_near else np.inf
