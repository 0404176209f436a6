"""A base metric plus a low-rank term, solved by Woodbury.

Sources: Woodbury (1950); Hager (1989), SIAM Review 31, 221-239; Pehle and Slotine (2026),
arXiv:2603.03610, for ``M = mu R + U U^T`` as the metric of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import (
    AnyArray,
    positive_number,
    real_array,
)
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.ridge import Ridge, ridge
from riemannian_modules.recomputed import Recomputed


@final
@dataclass(frozen=True, eq=False, repr=False)
class LowRankMetric(Metric, Recomputed):
    """``M = mu R + U U^T``: base R (n, n), factor U (n, r), mu > 0.

    With ``R = C C^T`` and ``W = C^{-1} U``, ``M = C (mu I + W W^T) C^T``; the middle is a
    ``Ridge``, dual where r < n and primal else. First solve O(n r^2 + r^3), later ones O(n r),
    beside whitening by R; memory O(r^2) beside U for an identity base, another U for a general one.
    Dense columns that are added beyond n are compacted to n, and a column that is taken away after
    it was added is dropped, so that a window over a stream of columns stays as small as it is.

    Accuracy, held against sixty digits: backward error of a few units of rounding for all mu above
    about 1e-27 ``|U|^2`` (float64; smaller ones are refused, but where n or more columns span the
    space: M counts there, and mu may vanish, as it does under forgetting). At mu = 1e-12 a general
    right-hand side is solved to 13 digits. One in the range of U, as gradients are, is solved as
    well as its own rounding allows, ``eps cond(M)``; use ``solve_factor`` there, which for r < n
    loses no more than ``eps cond(U)``.

    Attributes:
        base: R, (n, n).
        mu: The mass scale, positive.
        factor: U, (n, r).
    """

    base: Metric
    mu: float
    factor: Factor

    @property
    @override
    def dim(self) -> int:
        return self.base.dim

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.factor.prototype

    def solve_factor(self, z: AnyArray) -> AnyArray:
        """``M^{-1} U z``, the natural gradient of ``g = U z``; z has shape (r,) or (r, k)."""
        return self.base.whiten_adjoint(self._ridge.solve_factor(z))

    @override
    def logdet(self) -> float:
        return self.base.logdet() + self._ridge.logdet()

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self.base.colour(self._ridge.colour(z))

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        return self._ridge.whiten(self.base.whiten(v))

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self.base.whiten_adjoint(self._ridge.whiten_adjoint(z))

    @cached_property
    def _ridge(self) -> Ridge:
        return ridge(self.base.whiten_factor(self.factor), self.mu)

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self.mu * self.base.apply(v) + self.factor.matvec(self.factor.rmatvec(v))

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        return self.base.whiten_adjoint(self._ridge.solve(self.base.whiten(v)))


def low_rank_metric(base: Metric, mu: float, factor: Factor | AnyArray) -> LowRankMetric:
    """Validate ``M = mu base + U U^T``.

    Args:
        base: The metric R, of n coordinates.
        mu: The mass scale, positive.
        factor: U, an array (n, r), which is copied, or a ``Factor`` of n rows, which is not.

    Raises:
        DomainError: If U holds NaN or infinities, or mu is not positive and finite.
        MetricError: If U does not have n rows.
    """
    require("LowRankMetric", base, Metric, "a metric as base", MetricError)
    U = factor if isinstance(factor, Factor) else _dense_factor(factor)
    if U.dim != base.dim:
        raise MetricError(
            f"LowRankMetric: expected a factor of {base.dim} rows, one for each coordinate of the "
            f"base, got {U.dim} rows and {U.columns} columns. Did you pass U^T?"
        )
    return LowRankMetric(base, positive_number("mu", mu), U)


def _dense_factor(entries: AnyArray) -> DenseFactor:
    U = real_array("factor", entries)
    if U.ndim != 2:
        raise MetricError(f"LowRankMetric: expected a factor (n, r), got shape {tuple(U.shape)}.")
    return DenseFactor(U)
