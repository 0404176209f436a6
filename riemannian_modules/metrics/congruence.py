"""A metric seen from other coordinates: ``J^T M J``.

Source: Amari (1998), Neural Computation 10, 251-276 (metrics of parameters from those of outputs).
"""

from __future__ import annotations

from riemannian_modules.metrics.array import AnyArray, check_matrix, real_array
from riemannian_modules.metrics.dense import dense_pullback
from riemannian_modules.metrics.factor import DenseFactor
from riemannian_modules.metrics.low_rank import LowRankMetric
from riemannian_modules.metrics.metric import Metric


def pullback(metric: Metric, jacobian: AnyArray) -> Metric:
    """``J^T M J``, by one product with M and O(n k^2) beside it; low rank stays low rank.

    Args:
        metric: M, of n coordinates.
        jacobian: J, dense, (n, k).

    Raises:
        DomainError: If J holds NaN or infinities.
        MetricError: If J does not have n rows, or has a null direction (then no metric is pulled
            back); found here or, for low-rank metrics, at the first solve.
    """
    J = real_array("jacobian", jacobian)
    check_matrix(f"{type(metric).__name__}: pullback", J, metric.dim)
    if isinstance(metric, LowRankMetric):
        base = dense_pullback(metric.base, J)
        return LowRankMetric(base, metric.mu, DenseFactor(metric.factor.rmatvec(J).T))
    return dense_pullback(metric, J)
