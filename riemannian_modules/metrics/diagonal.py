"""A metric with one positive weight per coordinate.

Source: the diagonal case of Amari (1998), Neural Computation 10, 251-276.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of, real_array
from riemannian_modules.metrics.metric import Metric


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DiagonalMetric(Metric):
    """``diag(weights)``; weights (n,) > 0. Everything is O(n).

    Attributes:
        weights: (n,) > 0; `diagonal_metric` checks that.
    """

    weights: AnyArray

    @property
    @override
    def dim(self) -> int:
        return int(self.weights.shape[0])

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.weights

    @override
    def logdet(self) -> float:
        xp = namespace_of(self.weights)
        return float(xp.sum(xp.log(self.weights)))

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self._beside(z) ** 0.5 * z

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        return v / self._beside(v) ** 0.5

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self.whiten(z)

    def _beside(self, v: AnyArray) -> AnyArray:
        return self.weights if v.ndim == 1 else self.weights[:, None]

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self._beside(v) * v

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        return v / self._beside(v)


def diagonal_metric(weights: AnyArray) -> DiagonalMetric:
    """Copy and validate ``diag(weights)``, weights of shape (n,).

    Args:
        weights: The diagonal, (n,).

    Raises:
        DomainError: If a weight is NaN or infinite.
        MetricError: If the shape is not (n,), or a weight is not positive; it names the worst.
    """
    w = real_array("weights", weights)
    if w.ndim != 1 or w.shape[0] == 0:
        raise MetricError(f"DiagonalMetric: expected weights (n,), got shape {tuple(w.shape)}.")
    worst = int(namespace_of(w).argmin(w))
    if not float(w[worst]) > 0.0:
        raise MetricError(
            f"DiagonalMetric: expected positive weights, got {float(w[worst]):.6g} at coordinate "
            f"{worst}. Add damping to it."
        )
    return DiagonalMetric(w)
