"""What columns determine: their pivoted QR, each column scaled to length one.

Source: Golub and Van Loan (2013), Matrix Computations, 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.trust_region import norm
from riemannian_modules.spaces import Array

Pivots: TypeAlias = NDArray[np.intp]
RANK_TOLERANCE = 1e-12
_PANEL = 32  # columns that LAPACK factors at a time
LARGEST_BLOCK = 500_000  # entries of a matrix that are formed at once


@cache
def lapack() -> Any:
    """LAPACK itself: SciPy spends ten times longer on checks of a few numbers than on this."""
    from scipy.linalg import lapack as library  # whose functions are typed nowhere

    return library


@cache
def blas() -> Any:
    """BLAS itself, likewise."""
    from scipy.linalg import blas as library

    return library


def solve_upper(R: Array, b: Array) -> Array:
    """``R^{-1} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 0)


def solve_upper_adjoint(R: Array, b: Array) -> Array:
    """``R^{-T} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 1)


def inverse_upper(R: Array) -> Array:
    """``R^{-1}`` for an upper triangular R that is not singular."""
    return lapack().dtrtri(R)[0] if R.size else R


def _triangular(R: Array, b: Array, trans: int) -> Array:
    if not b.size:
        return b
    x, status = lapack().dtrtrs(R, b, trans=trans)
    return np.full_like(b, np.nan) if status else x


def gathered(blocks: Iterable[Array], columns: int) -> Array:
    """R with ``R^T R`` the sum of the blocks' ``J^T J``; memory O(columns^2) beside one block's.

    Args:
        blocks: Of rows, each (rows, columns).
        columns: How many.
    """
    triangle: Any = np.zeros((0, columns))
    for block in blocks:
        stacked = np.concatenate([triangle, block]) if len(triangle) else block
        triangle = np.linalg.qr(stacked, mode="r")
    return triangle


def blocks_of(rows: int, columns: int) -> Iterator[slice]:
    """The rows of a matrix, so many at a time as are formed at once."""
    step = max(columns, LARGEST_BLOCK // max(columns, 1), 1)
    return (slice(start, start + step) for start in range(0, rows, step))


@lru_cache(maxsize=16)
def _below(n: int) -> NDArray[np.bool_]:
    """Which entries of a matrix (n, n) are below its diagonal."""
    return np.tri(n, k=-1, dtype=bool)


@final
@dataclass(frozen=True, slots=True, eq=False)
class PivotedTriangle:
    """``(J / scale)[:, order] = Q R`` of n columns, the first ``rank`` of which are independent.

    Attributes:
        R: Upper triangular, with n columns.
        scale: The columns' lengths, (n,); 1 for a column of zeros.
        order: (n,).
        rank: How many are independent as far as rounding tells.
    """

    R: Array
    scale: Array
    order: Pivots
    rank: int

    @property
    def leading(self) -> Array:
        """The triangle of the independent columns, (rank, rank)."""
        return self.R[: self.rank, : self.rank]

    def decrement(self, gradient: Array) -> float:
        """``sqrt(g^T (J^T J)^+ g)`` for g (n,)."""
        g = (gradient / self.scale)[self.order][: self.rank]
        return norm(solve_upper_adjoint(self.leading, g))

    def rotated(self, J: Array) -> Array:
        """Q of the independent columns, (rows, rank); J (rows, n) is what was factored."""
        return np.linalg.qr((J / self.scale)[:, self.order[: self.rank]])[0]

    def unexplained(self, J: Array, residual: Array) -> float:
        """The sum of squares of what no step explains of a residual (rows,)."""
        Q = self.rotated(J)
        left = residual - Q @ (Q.T @ residual)
        return float(left @ left)


def triangle_of(J: Array, scale: Array) -> PivotedTriangle:
    """Of columns (rows, n) whose lengths are known, (n,)."""
    if not scale.size:
        return PivotedTriangle(np.zeros((0, 0)), scale, np.zeros(0, dtype=np.intp), 0)
    n = len(scale)
    packed, order = lapack().dgeqp3(J / scale, lwork=2 * n + _PANEL * (n + 1))[:2]
    pivots = np.abs(packed.diagonal())
    rank = int(np.count_nonzero(pivots > RANK_TOLERANCE * max(pivots[0], 1e-300)))
    R = packed[:n]
    R[_below(n)[: len(R)]] = 0.0  # where LAPACK keeps its reflections
    return PivotedTriangle(R, scale, order - 1, rank)
