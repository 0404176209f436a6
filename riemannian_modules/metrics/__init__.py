"""Metric tensors as operators, with their factors and the metrics of outputs."""

from __future__ import annotations

from riemannian_modules.metrics.block_diagonal import BlockDiagonalMetric, block_diagonal_metric
from riemannian_modules.metrics.congruence import pullback
from riemannian_modules.metrics.dense import DenseMetric, dense_metric
from riemannian_modules.metrics.diagonal import DiagonalMetric, diagonal_metric
from riemannian_modules.metrics.difference import DowndatedMetric
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.forgetting import forgotten
from riemannian_modules.metrics.joined_factor import JoinedFactor, join
from riemannian_modules.metrics.khatri_rao import KhatriRaoFactor, khatri_rao_factor
from riemannian_modules.metrics.kronecker import KroneckerMetric, kronecker_metric
from riemannian_modules.metrics.low_rank import LowRankMetric, low_rank_metric
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.output import (
    bernoulli_fisher_factor,
    bernoulli_fisher_factor_of_logits,
    categorical_fisher_factor,
    categorical_fisher_factor_of_logits,
    euclidean_factor,
    gaussian_fisher_factor,
    gaussian_scale_fisher_factor,
    hessian_factor,
    poisson_fisher_factor,
    poisson_mean_fisher_factor,
    sketch,
)
from riemannian_modules.metrics.rank_update import downdated, updated, with_factor
from riemannian_modules.metrics.recompression import recompressed
from riemannian_modules.metrics.scaled_identity import ScaledIdentityMetric, scaled_identity_metric
from riemannian_modules.metrics.stacked_factor import StackedFactor, stack
from riemannian_modules.metrics.sum_factor import SumFactor, add
from riemannian_modules.metrics.truncation import truncated
from riemannian_modules.metrics.weighted_factor import WeightedFactor

__all__ = [
    "BlockDiagonalMetric",
    "DenseFactor",
    "DenseMetric",
    "DiagonalMetric",
    "DowndatedMetric",
    "Factor",
    "JoinedFactor",
    "KhatriRaoFactor",
    "KroneckerMetric",
    "LowRankMetric",
    "Metric",
    "ScaledIdentityMetric",
    "StackedFactor",
    "SumFactor",
    "WeightedFactor",
    "add",
    "bernoulli_fisher_factor",
    "bernoulli_fisher_factor_of_logits",
    "block_diagonal_metric",
    "categorical_fisher_factor",
    "categorical_fisher_factor_of_logits",
    "dense_metric",
    "diagonal_metric",
    "downdated",
    "euclidean_factor",
    "forgotten",
    "gaussian_fisher_factor",
    "gaussian_scale_fisher_factor",
    "hessian_factor",
    "join",
    "khatri_rao_factor",
    "kronecker_metric",
    "low_rank_metric",
    "poisson_fisher_factor",
    "poisson_mean_fisher_factor",
    "pullback",
    "recompressed",
    "scaled_identity_metric",
    "sketch",
    "stack",
    "truncated",
    "updated",
    "with_factor",
]
