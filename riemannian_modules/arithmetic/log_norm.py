"""Log-norms and norms of interval matrices in weighted l1 and linf, as upper bounds.

Weights are positive floats, taken exactly: ``|x|_inf,w = max_i |x_i| / w_i`` and ``|x|_1,w = sum_i
w_i |x_i|``. Sums of magnitudes are rounded up as products of nonnegative matrices
(`interval_matrix`), all else one operation at a time. An undecided or unbounded entry gives
``inf``.

Source: Desoer and Haneda (1972), IEEE Trans. Circuit Theory 19, 480-486; Strom (1975), SIAM J.
Numer. Anal. 12, 741-753.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.interval_matrix import nonnegative_matmul_up
from riemannian_modules.arithmetic.rounding import Array, product_up, quiet, sum_up
from riemannian_modules.errors import DomainError


@quiet
def log_norm_inf(J: Interval, weights: ArrayLike) -> Array:
    """``max_i (J_ii + sum_{j != i} |J_ij| w_j / w_i)``, rounded up; J (..., n, n)."""
    w = _checked(weights, J.shape[-1])
    magnitude = np.where(np.eye(len(w), dtype=bool), 0.0, J.magnitude)
    rows = product_up(nonnegative_matmul_up(magnitude, w[:, None])[..., 0] / w)
    diagonal = np.diagonal(J.upper, axis1=-2, axis2=-1)
    return _worst(sum_up(diagonal + rows))


def log_norm_1(J: Interval, weights: ArrayLike) -> Array:
    """``max_j (J_jj + sum_{i != j} |J_ij| w_i / w_j)``, rounded up; J (..., n, n)."""
    # The dual of linf: the transposed matrix with the same weights.
    return log_norm_inf(J.mT, weights)


@quiet
def norm_inf(A: Interval, weights_out: ArrayLike, weights_in: ArrayLike) -> Array:
    """``max_i sum_j |A_ij| v_j / w_i``, rounded up; A (..., n, m), w out, v in."""
    w, v = _checked(weights_out, A.shape[-2]), _checked(weights_in, A.shape[-1])
    return _worst(product_up(nonnegative_matmul_up(A.magnitude, v[:, None])[..., 0] / w))


@quiet
def norm_1(A: Interval, weights_out: ArrayLike, weights_in: ArrayLike) -> Array:
    """``max_j sum_i w_i |A_ij| / v_j``, rounded up; A (..., n, m), w out, v in."""
    return norm_inf(A.mT, weights_in, weights_out)


def _worst(rows: Array) -> Array:
    worst = rows.max(axis=-1)
    return np.where(np.isnan(worst), np.inf, worst)


def _checked(weights: ArrayLike, n: int) -> Array:
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not ((w > 0) & np.isfinite(w)).all():
        raise DomainError(
            f"Weights of a norm: expected {n} positive, finite numbers, got shape {w.shape} with "
            f"smallest {w.min(initial=np.inf)}. Give one positive weight a coordinate."
        )
    return w
