"""A metric minus a low-rank term that it can spare.

Source: Golub and Van Loan (2013), Matrix Computations, 6.5 (downdating); here on the square root,
``M - V V^T = C (I - Y Y^T) C^T`` with ``Y = C^{-1} V``, definite exactly if every sigma(Y) < 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of, rounding_unit
from riemannian_modules.metrics.metric import Metric


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DowndatedMetric(Metric):
    """``base - V V^T``; columns V (n, k), and ``C^{-1} V = directions diag(shares) ...``.

    directions (n, p) orthonormal, shares (p,) in [0, 1), p = min(n, k). Build it with
    `riemannian_modules.metrics.downdated`: O(n k^2) once; each solve costs the base's and O(n k).
    Beyond n columns it becomes dense.

    Attributes:
        base: The metric that is taken from.
        columns: V, (n, k).
        directions: (n, p), orthonormal.
        shares: (p,), what V takes of the base along each direction.
    """

    base: Metric
    columns: AnyArray
    directions: AnyArray
    shares: AnyArray

    @property
    @override
    def dim(self) -> int:
        return self.base.dim

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.columns

    @override
    def logdet(self) -> float:
        xp = namespace_of(self.shares)
        return self.base.logdet() + float(xp.sum(xp.log(self._left)))

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        # sqrt(1 - s^2) - 1 without cancellation.
        return self.base.colour(self._through(-(self.shares**2) / (1.0 + self._left**0.5), z))

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        root = self._left**0.5
        return self._through(self.shares**2 / (root * (1.0 + root)), self.base.whiten(v))

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        root = self._left**0.5
        return self.base.whiten_adjoint(self._through(self.shares**2 / (root * (1.0 + root)), z))

    @property
    def _left(self) -> AnyArray:
        """``1 - shares^2``: what is left of the base along each direction."""
        return (1.0 - self.shares) * (1.0 + self.shares)

    def _through(self, weights: AnyArray, v: AnyArray) -> AnyArray:
        inner = self.directions.T @ v
        weighted = weights * inner if v.ndim == 1 else weights[:, None] * inner
        return v + self.directions @ weighted

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self.base.apply(v) - self.columns @ (self.columns.T @ v)

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        weights = self.shares**2 / self._left
        return self.base.whiten_adjoint(self._through(weights, self.base.whiten(v)))


def downdate(base: Metric, columns: AnyArray) -> DowndatedMetric:
    """``base - V V^T`` for columns V of shape (n, k), in O(n k^2) beside whitening by the base.

    Raises:
        MetricError: If that is singular or indefinite; it names a direction x where
            ``x^T (base - V V^T) x <= 0``.
    """
    Y = base.whiten(columns)
    xp = namespace_of(Y)
    directions, shares, _ = xp.linalg.svd(Y, full_matrices=False)
    if shares.shape[0] > 0 and float(shares[0]) >= 1.0 - 8 * Y.shape[0] * rounding_unit(Y):
        x = base.whiten_adjoint(directions[:, 0])
        x = x / xp.linalg.vector_norm(x)
        shown = ", ".join(f"{float(entry):.3g}" for entry in x[:6])
        raise MetricError(
            "downdated: expected M - V V^T positive definite, got "
            f"{float(shares[0]) ** 2:.6g} times x^T M x taken away along x = [{shown}"
            f"{', ...' if Y.shape[0] > 6 else ''}]. Take away only columns that were added before, "
            "scaled by what has been forgotten since."
        )
    return DowndatedMetric(base, columns, directions, shares)
