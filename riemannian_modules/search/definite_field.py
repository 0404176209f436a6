"""Metrics M(x) that are not positive definite somewhere, found by samples and told at once.

That none is found proves nothing: definiteness is proved box by box, with the bound.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.claims.norms import FactorL2, FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import MetricError
from riemannian_modules.search.samples import sample_points, values_at

SAMPLES = 500
CLEARLY = 1e-9  # below zero, beside the matrix's size: no rounding


def refuse_indefinite(problem: Problem, norm: FieldL2 | FactorL2) -> None:
    """Refuse M, with a point and an eigenvector, where it is clearly not definite.

    Raises:
        MetricError: For such a metric.
    """
    if isinstance(norm, FactorL2):
        return  # Theta^T Theta is never negative
    n = len(norm.entries)
    points = sample_points(problem, np.random.default_rng(3), SAMPLES)
    points = points[~problem.constraints.outside(points, points)]
    flat = values_at(problem, tuple(e for row in norm.entries for e in row), points)
    finite = np.isfinite(flat).all(1)
    if not finite.any():
        return
    M, points = flat[finite].reshape(-1, n, n), points[finite]
    values, vectors = np.linalg.eigh(M)
    worst = int(np.argmin(values[:, 0] / np.maximum(np.abs(M).max((1, 2)), 1e-300)))
    if values[worst, 0] >= -CLEARLY * np.abs(M[worst]).max():
        return
    at = ", ".join(
        f"{name} = {v:.4g}" for name, v in zip(problem.coordinates, points[worst], strict=True)
    )
    raise MetricError(
        f"A metric is positive definite; at {at} this one has the eigenvalue "
        f"{values[worst, 0]:.6g} along {np.round(vectors[worst][:, 0], 4).tolist()}. Choose a "
        "smaller region or another metric."
    )
