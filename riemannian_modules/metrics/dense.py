"""A metric given by all its entries, factored by Cholesky.

Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, chapter 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import (
    AnyArray,
    as_columns,
    namespace_of,
    real_array,
    rounding_unit,
)
from riemannian_modules.metrics.cholesky import cholesky_factor
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.triangular import solve_lower, solve_lower_adjoint
from riemannian_modules.recomputed import Recomputed


@final
@dataclass(frozen=True, eq=False, repr=False)
class DenseMetric(Metric, Recomputed):
    """``matrix``, symmetric positive definite, shape (n, n).

    O(n^3 / 3) at the first solve, O(n^2) for each vector applied or solved.

    Attributes:
        matrix: (n, n), symmetric positive definite; `dense_metric` checks that.
    """

    matrix: AnyArray

    @property
    @override
    def dim(self) -> int:
        return int(self.matrix.shape[0])

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.matrix

    @override
    def logdet(self) -> float:
        xp = namespace_of(self.matrix)
        return 2.0 * float(xp.sum(xp.log(xp.linalg.diagonal(self.lower))))

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self.lower @ z

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        solved = solve_lower(self.lower, as_columns(v))
        return solved[:, 0] if v.ndim == 1 else solved

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        solved = solve_lower_adjoint(self.lower, as_columns(z))
        return solved[:, 0] if z.ndim == 1 else solved

    @cached_property
    def lower(self) -> AnyArray:
        """The Cholesky factor, shape (n, n); MetricError if the matrix is not definite."""
        return cholesky_factor("DenseMetric", self.matrix)

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self.matrix @ v


def dense_metric(matrix: AnyArray) -> DenseMetric:
    """Copy and validate a symmetric positive definite matrix, shape (n, n).

    Args:
        matrix: M, (n, n).

    Raises:
        DomainError: If it holds NaN or infinities.
        MetricError: If it is not square, not symmetric to rounding, singular or indefinite.
    """
    M = real_array("matrix", matrix)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or M.shape[0] == 0:
        raise MetricError(f"DenseMetric: expected shape (n, n), got {tuple(M.shape)}.")
    check_symmetric("DenseMetric", M)
    return definite(M)


def dense_pullback(metric: Metric, J: AnyArray) -> DenseMetric:
    """``J^T M J`` by one product with M, in O(n k^2) beside it; MetricError if it is singular."""
    return definite(J.T @ metric.apply(J))


def check_symmetric(where: str, matrices: AnyArray) -> None:
    """Check that ``matrices``, shape (..., n, n), are symmetric to rounding.

    Raises:
        MetricError: If they are not.
    """
    xp = namespace_of(matrices)
    gap = xp.abs(matrices - xp.matrix_transpose(matrices))
    worst, size = float(xp.max(gap)), float(xp.max(xp.abs(matrices)))
    if worst > 64 * matrices.shape[-1] * rounding_unit(matrices) * size:
        raise MetricError(
            f"{where}: expected a symmetric matrix, got entries that differ by {worst:.3g} from "
            f"their mirror images (largest entry {size:.3g}). Pass (M + M^T) / 2 if that is meant."
        )


def definite(matrix: AnyArray) -> DenseMetric:
    """The metric of a matrix that is symmetric but for rounding; MetricError if not definite."""
    metric = DenseMetric(0.5 * (matrix + matrix.T))
    _ = metric.lower  # indefinite matrices are refused here, not at the first solve
    return metric
