"""Log-norm and gain of one interval Jacobian in constant metrics."""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.definite import (
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
    spectral_norm_bound,
)
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matmul
from riemannian_modules.bound import LipschitzBound, LogNormBound
from riemannian_modules.spaces import Array


def log_norm_bound(J: Interval, M: Array) -> LogNormBound:
    """The log-norm of every matrix in J (n, n) in the metric M; tight for multiples of I."""
    MJ = matmul(Interval.point(M), J)
    # z^T (M J + J^T M) z <= s |z|^2, and |z|^2 lies between z^T M z / lambda_max and / lambda_min;
    # so the log-norm is at most s / (2 lambda_max) for s <= 0 and s / (2 lambda_min) else.
    s = float(largest_eigenvalue_bound(MJ + MJ.mT))
    extreme = largest_eigenvalue_bound(M) if s <= 0 else smallest_eigenvalue_bound(M)
    if not np.isfinite(s) or not extreme > 0:
        return LogNormBound(np.inf)
    return LogNormBound(float((Interval.point(s) / Interval.point(2.0 * float(extreme))).upper))


def gain_bound(J: Interval, M_out: Array, M_in: Array) -> LipschitzBound:
    """The gain of every matrix in J from M_in to M_out; tight for multiples of identities."""
    norm = float(spectral_norm_bound(J))
    high, low = float(largest_eigenvalue_bound(M_out)), float(smallest_eigenvalue_bound(M_in))
    if not np.isfinite(norm) or not low > 0:
        return LipschitzBound(np.inf)
    ratio = iv.sqrt(Interval.point(high) / Interval.point(low))
    return LipschitzBound(float((Interval.point(norm) * ratio).upper))
