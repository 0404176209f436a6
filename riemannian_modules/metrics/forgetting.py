"""A multiple of a metric, as the past of a stream that weighs less and less.

Source: none; the multiple of each kind is of its kind, so that it costs what that does.
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.metrics.array import like, positive_number
from riemannian_modules.metrics.block_diagonal import BlockDiagonalMetric
from riemannian_modules.metrics.dense import DenseMetric
from riemannian_modules.metrics.diagonal import DiagonalMetric
from riemannian_modules.metrics.difference import DowndatedMetric
from riemannian_modules.metrics.factor import DenseFactor
from riemannian_modules.metrics.kronecker import KroneckerMetric
from riemannian_modules.metrics.low_rank import LowRankMetric
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.scaled_identity import ScaledIdentityMetric


def forgotten(metric: Metric, alpha: float) -> Metric:
    """``alpha M``: the past of a stream of columns weighs less, for alpha below 1.

    Args:
        metric: M.
        alpha: Positive.

    Raises:
        DomainError: If alpha is not positive and finite.
    """
    return _times(metric, positive_number("alpha", alpha))


def _times(metric: Metric, alpha: float) -> Metric:
    match metric:
        case ScaledIdentityMetric():
            return ScaledIdentityMetric(metric.size, alpha * metric.scale)
        case DiagonalMetric():
            return DiagonalMetric(alpha * metric.weights)
        case DenseMetric():
            return DenseMetric(alpha * metric.matrix)
        case BlockDiagonalMetric():
            return BlockDiagonalMetric(tuple(_times(block, alpha) for block in metric.blocks))
        case KroneckerMetric():
            return KroneckerMetric(_times(metric.left, alpha), metric.right)
        case LowRankMetric():
            factor = metric.factor.scaled(math.sqrt(alpha))
            return LowRankMetric(metric.base, alpha * metric.mu, factor)
        case DowndatedMetric():
            base, columns = _times(metric.base, alpha), math.sqrt(alpha) * metric.columns
            return DowndatedMetric(base, columns, metric.directions, metric.shares)
        case _:
            none = like(metric.prototype, np.zeros((metric.dim, 0)))
            return LowRankMetric(metric, alpha, DenseFactor(none))
