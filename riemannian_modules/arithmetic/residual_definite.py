"""Verified definiteness of one large interval matrix, by what a float factorisation leaves.

For any float L, ``x^T A x = |L^T x|^2 + x^T (A - L L^T) x``, so that A is positive definite where
the residual ``A - L L^T`` is. Let ``|A - L L^T - D| <= R`` entry by entry, and M the sum of R and
of ``|D|`` off the diagonal. As in `triangles`, for any ``v > 0``

    x^T (A - L L^T) x >= sum_i D_ii x_i^2 - |x|^T M |x| >= sum_i (D_ii - s_i) x_i^2,
    s_i = ((M + M^T) v)_i / (2 v_i),

as ``diag(s) - (M + M^T) / 2`` has nonpositive off-diagonal entries and maps ``v > 0`` to 0. L is
the factor of the centre with a lower diagonal, which leaves a residual of about the shift. How it
was computed does not matter. Of a matrix that is not symmetric, the symmetric part counts.

Source: Rump (2010), Acta Numerica 19, 287-449, section 10.8 (residuals of approximate factors).
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.blocked import cholesky
from riemannian_modules.arithmetic.interval_matrix import (
    MatrixBall,
    as_ball,
    ball_difference,
    ball_matmul,
    nonnegative_matmul_up,
)
from riemannian_modules.arithmetic.rounding import NORMAL, ULP, Array, product_up, quiet, sum_up

_SMALLEST = 2.0**-500
_MORE = 1.25  # of the shift than the residual is expected to need


@quiet
def leaves_definite_residual(A: MatrixBall) -> bool:
    """Whether each matrix in A (n, n) is proved positive definite (its symmetric part). O(n^3)."""
    n = len(A.centre)
    centre = 0.5 * (A.centre + A.centre.T)
    # The symmetric part: a sum is off by at most u of it, and halving by less than 2^-1022.
    radius = sum_up(A.radius + (ULP * np.abs(centre) + NORMAL))
    diagonal = np.diagonal(centre)
    v = 1.0 / np.sqrt(np.maximum(diagonal, _SMALLEST))
    # |L| |L|^T is at most sqrt(A_ii A_jj) entry by entry, and the error of the product (n + 4) ulp
    # of that: with this v, n (n + 4) ulp of the diagonal.
    shift = _MORE * (_shares(radius, v) + n * (n + 4) * ULP * diagonal)
    L = cholesky(centre - np.diag(shift))
    if L is None:
        return False
    factor = as_ball(L)
    residual = ball_difference(MatrixBall(centre, radius), ball_matmul(factor, factor.mT))
    own = np.arange(n)
    M = np.abs(residual.centre)
    M[own, own] = 0.0
    # Overflow leaves infinity or NaN in the residual, which fails.
    needed = _shares(sum_up(M + residual.radius), v)
    return bool((residual.centre[own, own] > needed).all())


def _shares(M: Array, v: Array) -> Array:
    """``((M + M^T) v)_i / (2 v_i)`` for nonnegative M, rounded up."""
    rows, columns = (nonnegative_matmul_up(part, v[:, None])[:, 0] for part in (M, M.T))
    # Halving is exact: both bounds hold at least 2^-1022.
    return product_up(0.5 * sum_up(rows + columns) / v)
