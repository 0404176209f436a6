"""What columns determine: their pivoted QR, each column scaled to length one.

Source: Golub and Van Loan (2013), Matrix Computations, 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.trust_region import norm
from riemannian_modules.space import Array

Index: TypeAlias = NDArray[np.intp]
RANK_TOLERANCE = 1e-12


def solve_upper(R: Array, b: Array) -> Array:
    """``R^{-1} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 0)


def solve_upper_adjoint(R: Array, b: Array) -> Array:
    """``R^{-T} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 1)


def _triangular(R: Array, b: Array, trans: int) -> Array:
    # LAPACK itself: scipy.linalg.solve_triangular spends ten times longer on checks than on this.
    from scipy.linalg import lapack  # its functions are typed nowhere

    if not b.size:
        return b
    library: Any = lapack
    x, status = library.dtrtrs(R, b, trans=trans)
    return np.full_like(b, np.nan) if status else x


@final
@dataclass(frozen=True, slots=True, eq=False)
class Triangle:
    """``(J / scale)[:, order] = Q R`` of n columns, the first ``rank`` of which are independent.

    Attributes:
        R: Upper triangular, with n columns.
        scale: The columns' lengths, (n,); 1 for a column of zeros.
        order: (n,).
        rank: How many are independent as far as rounding tells.
    """

    R: Array
    scale: Array
    order: Index
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


def triangle_of(J: Array, scale: Array) -> Triangle:
    """Of columns (rows, n) whose lengths are known, (n,)."""
    from scipy.linalg import qr

    if not scale.size:
        return Triangle(np.zeros((0, 0)), scale, np.zeros(0, dtype=np.intp), 0)
    factored: Any = qr(J / scale, mode="r", pivoting=True, check_finite=False)
    R, order = factored
    pivots = np.abs(R.diagonal())
    return Triangle(R, scale, order, int(np.sum(pivots > RANK_TOLERANCE * max(pivots[0], 1e-300))))
