"""A metric plus or minus columns: ``M + V V^T`` and ``M - V V^T``, by what M is made of.

Sources: Woodbury (1950) for sums; Golub and Van Loan (2013), Matrix Computations, 6.5, for
differences. A metric of any other kind becomes the base of a low-rank or a downdated one.
"""

from __future__ import annotations

from riemannian_modules.metrics.array import AnyArray, check_matrix, namespace_of, real_array
from riemannian_modules.metrics.dense import DenseMetric, definite, dense_metric
from riemannian_modules.metrics.difference import DowndatedMetric, downdate
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.joined_factor import join
from riemannian_modules.metrics.low_rank import LowRankMetric
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.recompression import compacted
from riemannian_modules.metrics.withdrawn_columns import without_columns


def with_factor(metric: Metric, factor: Factor) -> Metric:
    """``M + U U^T`` for a factor of n rows, which is neither copied nor checked.

    Args:
        metric: M, of n coordinates.
        factor: U, (n, r).
    """
    match metric:
        case DenseMetric():
            return DenseMetric(metric.matrix + factor.outer())
        case LowRankMetric():
            joined = compacted(join((metric.factor, factor)))
            return LowRankMetric(metric.base, metric.mu, joined)
        case DowndatedMetric():
            return downdate(with_factor(metric.base, factor), metric.columns)
        case _:
            return LowRankMetric(metric, 1.0, factor)


def updated(metric: Metric, columns: AnyArray) -> Metric:
    """``M + V V^T``; costs are those of the metric that comes of it.

    Args:
        metric: M, of n coordinates.
        columns: V, (n, k).

    Raises:
        DomainError: If V holds NaN or infinities.
        MetricError: If V does not have n rows.
    """
    return with_factor(metric, DenseFactor(_checked("updated", metric, columns)))


def downdated(metric: Metric, columns: AnyArray) -> Metric:
    """``M - V V^T``, in O(n k^2) beside whitening by M; columns that were added are dropped.

    Args:
        metric: M, of n coordinates.
        columns: V, (n, k).

    Raises:
        DomainError: If V holds NaN or infinities.
        MetricError: If V does not have n rows, or ``M - V V^T`` is not positive definite.
    """
    return _without(metric, _checked("downdated", metric, columns))


def _without(metric: Metric, V: AnyArray) -> Metric:
    match metric:
        case DenseMetric():
            return definite(metric.matrix - V @ V.T)
        case LowRankMetric():
            factor, left = without_columns(metric.factor, V)
            rest = LowRankMetric(metric.base, metric.mu, factor)
            return rest if left.shape[1] == 0 else downdate(rest, left)
        case DowndatedMetric():
            xp = namespace_of(metric.columns, V)
            if metric.columns.shape[1] + V.shape[1] > metric.dim:
                return _without(dense_metric(metric.as_matrix()), V)
            return downdate(metric.base, xp.concat([metric.columns, V], axis=1))
        case _:
            return downdate(metric, V)


def _checked(verb: str, metric: Metric, columns: AnyArray) -> AnyArray:
    V = real_array("columns", columns)
    check_matrix(f"{type(metric).__name__}: {verb}", V, metric.dim)
    return V
