"""Products of interval matrices, in midpoint-radius form through BLAS.

*Rounding.* Let ``u = 2^-53``. In whatever order BLAS adds, with or without fused multiply-add, the
computed product of float matrices with inner size ``k`` obeys ``|fl(X Y) - X Y| <= gamma_k |X| |Y|
+ k 2^-1074`` with ``gamma_k = k u / (1 - k u)`` (Higham 2002, section 3.1; no Strassen product is
used by the BLAS in question). For nonnegative ``X, Y`` and ``k u <= 1/4`` hence ``X Y <= fl(X Y) (1
+ 2 k u) + 2 k 2^-1074``; the factor ``1 + (k + 2) 2^-52`` is a double, and leaves room for the
rounding of its own product and of the last addition. Inner sizes stay below ``2^40`` in any memory.

Sources: Rump (1999), BIT 39, 534-554; Rump (2012), Fast interval matrix multiplication, Numer.
Algorithms 61, 1-34.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval, as_interval
from riemannian_modules.arithmetic.rounding import (
    NORMAL,
    SUBNORMAL,
    ULP,
    Array,
    product_up,
    quiet,
    sum_down,
    sum_up,
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class MatrixBall:
    """The matrices within ``radius`` of ``centre`` entrywise, (..., n, m); inf is undecided."""

    centre: Array
    radius: Array

    @property
    def mT(self) -> MatrixBall:
        """Transpose of the last two axes."""
        return MatrixBall(self.centre.swapaxes(-1, -2), self.radius.swapaxes(-1, -2))


def as_ball(matrix: Interval | MatrixBall | Array) -> MatrixBall:
    """The matrix in midpoint-radius form, the radius rounded up; a float matrix is exact."""
    if isinstance(matrix, MatrixBall):
        return matrix
    if isinstance(matrix, Interval):
        if matrix.lower is matrix.upper:
            return MatrixBall(matrix.lower, np.zeros(matrix.shape))
        return _enclosing_ball(matrix)
    return MatrixBall(np.asarray(matrix, dtype=np.float64), np.zeros(np.shape(matrix)))


@quiet
def _enclosing_ball(matrix: Interval) -> MatrixBall:
    # Any centre would do, as the radius is measured from the number that comes out and rounded up;
    # overflow of the sum needs the careful midpoint.
    centre = 0.5 * (matrix.lower + matrix.upper)
    if not np.isfinite(centre).all():
        return MatrixBall(matrix.midpoint, matrix.radius)
    return MatrixBall(centre, sum_up(np.maximum(matrix.upper - centre, centre - matrix.lower)))


@quiet
def as_bounds(ball: MatrixBall) -> Interval:
    """The ball as an interval, rounded outward; undecided where its numbers overflowed."""
    centre = np.where(np.isfinite(ball.radius) & np.isfinite(ball.centre), ball.centre, np.nan)
    return Interval(sum_down(centre - ball.radius), sum_up(centre + ball.radius))


@quiet
def nonnegative_matmul_up(X: Array, Y: Array) -> Array:
    """Upper bound of ``X @ Y`` for nonnegative ``X`` (..., n, k) and ``Y`` (..., k, m)."""
    k = X.shape[-1]
    product = np.asarray(X @ Y)
    product *= 1.0 + (k + 2) * ULP
    # 2^-1022 stands for 2^-1074, so that kernels which flush subnormal numbers are covered too.
    product += 2 * k * NORMAL
    return product


@quiet
def ball_matmul(A: MatrixBall, B: MatrixBall) -> MatrixBall:
    """Product of two balls: three float products, two where one factor is exact."""
    k = A.centre.shape[-1]
    magnitude_A, magnitude_B = np.abs(A.centre), np.abs(B.centre)
    # |A B - fl(mA mB)| <= |mA| (rB + gamma_k |mB|) + rA (|mB| + rB) + k 2^-1074 for all members A,
    # B. gamma_k <= (k + 2) 2^-53 (1 + 2 k u) < (k + 4) 2^-52, with room for the rounding of the sum
    # and the product.
    inner = sum_up(B.radius + (k + 4) * ULP * magnitude_B)
    radius = nonnegative_matmul_up(magnitude_A, inner)
    if A.radius.any():
        largest_B = sum_up(magnitude_B + B.radius)
        radius = sum_up(radius + nonnegative_matmul_up(A.radius, largest_B))
    return MatrixBall(np.asarray(A.centre @ B.centre), np.asarray(radius))


@quiet
def ball_scaled(factor: Array | float, A: MatrixBall) -> MatrixBall:
    """The products of entries and float factors, which broadcast."""
    centre = np.asarray(factor * A.centre)
    # A product is off by at most u of it and 2^-1075.
    rounding = ULP * np.abs(centre) + SUBNORMAL
    return MatrixBall(centre, sum_up(product_up(np.abs(factor) * A.radius) + rounding))


@quiet
def ball_difference(A: MatrixBall, B: MatrixBall) -> MatrixBall:
    """The differences of members."""
    centre = A.centre - B.centre
    # A difference is off by at most u of it, and exact where it is subnormal.
    return MatrixBall(centre, sum_up(sum_up(A.radius + B.radius) + ULP * np.abs(centre)))


def matmul(A: Interval | MatrixBall | Array, B: Interval | MatrixBall | Array) -> Interval:
    """Enclose ``A @ B`` for (..., n, k) and (..., k, m) matrices; float ones are exact.

    Entries of unbounded or undecided matrices make the entries that they meet undecided.
    """
    return as_bounds(ball_matmul(as_ball(A), as_ball(B)))


def matvec(A: Interval | Array, v: Interval) -> Interval:
    """Enclose ``A v`` for (..., n, k) matrices and (..., k) vectors, which may be unbounded.

    Where a side is infinite, products are taken entry by entry, so that rows which do not see it
    stay bounded and others say on which side they are not. Cost: that of `matmul`, or n k interval
    products.
    """
    if np.isfinite(v.lower).all() and np.isfinite(v.upper).all():
        return matmul(A, v[..., :, None])[..., 0]
    return (as_interval(A) * v[..., None, :]).sum(-1)


def quadratic_form(S: Interval | Array, v: Array) -> Interval:
    """Enclose ``v^T S v`` for S (..., n, n) and a float vector v (..., n), taken exactly.

    A positive lower bound refutes negative definiteness of every matrix in ``S``, with ``v`` as the
    witness.
    """
    column = as_ball(np.asarray(v, dtype=np.float64)[..., None])
    return as_bounds(ball_matmul(column.mT, ball_matmul(as_ball(S), column)))[..., 0, 0]
