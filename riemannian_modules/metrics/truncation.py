"""A metric with fewer columns in its low-rank part, and how far that is from it.

Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, section 3.5 (rounding of a
Gram matrix).
"""

from __future__ import annotations

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import namespace_of, rounding_unit
from riemannian_modules.metrics.block_diagonal import BlockDiagonalMetric
from riemannian_modules.metrics.difference import DowndatedMetric, downdate
from riemannian_modules.metrics.factor import DenseFactor
from riemannian_modules.metrics.low_rank import LowRankMetric
from riemannian_modules.metrics.metric import Metric


def truncated(metric: Metric, rank: int) -> tuple[Metric, float]:
    """Cap the columns of the low-rank part at ``rank``; what is beside it stays.

    Args:
        metric: M, of n coordinates.
        rank: The most columns, r; O(n r'^2) for the r' that there are.

    Returns:
        The metric, and a bound on the spectral norm of the difference. A metric without a low-rank
        part is returned itself with the bound 0.

    Raises:
        MetricError: If ``rank`` is negative, or so little is left that columns which were taken
            away from it leave it indefinite.
    """
    if rank < 0:
        raise MetricError(f"truncated: expected a rank of at least 0, got {rank}.")
    match metric:
        case LowRankMetric():
            return _of_low_rank(metric, rank)
        case DowndatedMetric():
            # Less is below the columns then, so that the difference may cease to be definite.
            base, bound = truncated(metric.base, rank)
            if base is metric.base:
                return metric, 0.0
            return downdate(base, metric.columns), bound
        case BlockDiagonalMetric():
            # The norm of a block-diagonal matrix is the largest norm of its blocks.
            pairs = [truncated(block, rank) for block in metric.blocks]
            blocks = tuple(block for block, _ in pairs)
            return BlockDiagonalMetric(blocks), max(bound for _, bound in pairs)
        case _:
            return metric, 0.0


def _of_low_rank(metric: LowRankMetric, rank: int) -> tuple[Metric, float]:
    U = metric.factor
    if rank >= U.columns:
        return metric, 0.0
    xp, gram = namespace_of(metric.prototype), U.gram()
    values, vectors = xp.linalg.eigh(gram)  # ascending
    dropped = U.columns - rank
    # U U^T - U V V^T U^T = (U V')(U V')^T has norm |U V'|^2, the largest dropped sigma^2.
    # The margin covers the rounding of the Gram, at most n eps |U|_F^2 (Higham, section 3.5).
    margin = (metric.dim + 16 * U.columns) * rounding_unit(gram) * float(xp.linalg.trace(gram))
    kept = DenseFactor(U.matvec(vectors[:, dropped:]))
    bound = max(float(values[dropped - 1]), 0.0) + margin
    return LowRankMetric(metric.base, metric.mu, kept), bound
