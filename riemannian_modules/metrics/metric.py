"""A metric tensor as an operator: what it does to vectors, never its n by n entries.

Source: Pehle and Slotine (2026), arXiv:2603.03610; Amari (1998), Neural Computation 10, 251-276.
"""

from __future__ import annotations

import abc
from typing import final

import numpy as np
from array_api_compat import device as device_of
from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import (
    Array,
    check_matrix,
    check_rows,
    like,
    namespace_of,
    positive_number,
    real_array,
)
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.shown import Facts, Shown


class Metric(abc.ABC, Shown):
    """A symmetric positive definite matrix M, shape (dim, dim), known by its action.

    It carries one square root C, ``M = C C^T``: ``colour`` applies it, ``whiten`` inverts it.
    Vectors have shape (dim,), several at once (dim, k). Costs stand with each class.
    """

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The number of coordinates n."""

    @property
    @abc.abstractmethod
    def prototype(self) -> Array:
        """One of its arrays: tells library, dtype and device."""

    @abc.abstractmethod
    def logdet(self) -> float:
        """``log det M``, natural logarithm."""

    @abc.abstractmethod
    def colour(self, z: Array) -> Array:
        """``C z``: turns white noise into a sample of N(0, M)."""

    @abc.abstractmethod
    def whiten(self, v: Array) -> Array:
        """``C^{-1} v``, so that ``|whiten(v)|^2 = v^T M^{-1} v``."""

    @abc.abstractmethod
    def whiten_adjoint(self, z: Array) -> Array:
        """``C^{-T} z``: turns white noise into a sample of N(0, M^{-1})."""

    @abc.abstractmethod
    def whiten_factor(self, factor: Factor) -> Factor:
        """``C^{-1} U``, its structure kept where it can be."""

    @final
    def apply(self, v: Array) -> Array:
        """``M v``; v has shape (n,) or (n, k).

        Raises:
            MetricError: If v does not have n rows.
        """
        check_rows(f"{type(self).__name__}.apply", v, self.dim)
        return self._apply(v)

    @final
    def solve(self, v: Array) -> Array:
        """``M^{-1} v``; v has shape (n,) or (n, k).

        Raises:
            MetricError: If v does not have n rows, or M turns out to be singular.
        """
        check_rows(f"{type(self).__name__}.solve", v, self.dim)
        return self._solve(v)

    @final
    def norm(self, v: Array) -> Array:
        """``sqrt(v^T M v)``: a 0-d array for v of shape (n,), else shape (k,)."""
        xp = namespace_of(v)
        squares = xp.sum(v * self.apply(v), axis=0)
        # Rounding alone can take the square of a short vector below zero.
        return xp.sqrt(xp.clip(squares, 0.0, None))

    @final
    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """Draw from N(0, M): the covariance is M; shape (n, count)."""
        return self.colour(self._white(rng, count))

    @final
    def sample_inverse(self, rng: np.random.Generator, count: int) -> Array:
        """Draw from N(0, M^{-1}), the Laplace posterior of an information M; shape (n, count)."""
        return self.whiten_adjoint(self._white(rng, count))

    @final
    def pullback(self, jacobian: Array) -> Metric:
        """``J^T M J`` for a dense J of shape (n, k).

        Raises:
            DomainError: If J holds NaN or infinities.
            MetricError: If J does not have n rows, or has a null direction (then no metric is
                pulled back); found here or, for low-rank metrics, at the first solve.
        """
        J = real_array("jacobian", jacobian)
        check_matrix(f"{type(self).__name__}.pullback", J, self.dim)
        return self._pullback(J)

    @final
    def updated(self, columns: Array) -> Metric:
        """``M + V V^T`` for columns V of shape (n, k).

        Raises:
            DomainError: If V holds NaN or infinities.
            MetricError: If V does not have n rows.
        """
        return self.with_factor(DenseFactor(self._columns("updated", columns)))

    @final
    def downdated(self, columns: Array) -> Metric:
        """``M - V V^T`` for columns V of shape (n, k).

        Raises:
            DomainError: If V holds NaN or infinities.
            MetricError: If V does not have n rows, or ``M - V V^T`` is not positive definite.
        """
        return self._downdated(self._columns("downdated", columns))

    @final
    def forgotten(self, alpha: float) -> Metric:
        """``alpha M``, alpha > 0: the past weighs less. Raises DomainError for other alpha."""
        return self._forgotten(positive_number("alpha", alpha))

    @final
    def truncated(self, rank: int) -> tuple[Metric, float]:
        """Cap the columns of the low-rank part at ``rank``; what is beside it stays.

        Returns:
            The metric, and a bound on the spectral norm of the difference. A metric without a
            low-rank part returns itself with the bound 0.

        Raises:
            MetricError: If ``rank`` is negative.
        """
        if rank < 0:
            raise MetricError(f"truncated: expected a rank of at least 0, got {rank}.")
        return self._truncated(rank)

    @final
    def as_matrix(self) -> Array:
        """M as a dense matrix, shape (n, n): for tests and small examples."""
        xp, prototype = namespace_of(self.prototype), self.prototype
        return self._apply(xp.eye(self.dim, dtype=prototype.dtype, device=device_of(prototype)))

    @abc.abstractmethod
    def with_factor(self, factor: Factor) -> Metric:
        """``M + U U^T`` for a factor of n rows, which is neither copied nor checked."""

    @abc.abstractmethod
    def _apply(self, v: Array) -> Array: ...

    @abc.abstractmethod
    def _solve(self, v: Array) -> Array: ...

    @abc.abstractmethod
    def _pullback(self, J: Array) -> Metric: ...

    @abc.abstractmethod
    def _downdated(self, V: Array) -> Metric: ...

    @abc.abstractmethod
    def _forgotten(self, alpha: float) -> Metric: ...

    @abc.abstractmethod
    def _truncated(self, rank: int) -> tuple[Metric, float]: ...

    def _white(self, rng: np.random.Generator, count: int) -> Array:
        return like(self.prototype, rng.standard_normal((self.dim, count)))

    def _columns(self, verb: str, columns: Array) -> Array:
        V = real_array("columns", columns)
        check_matrix(f"{type(self).__name__}.{verb}", V, self.dim)
        return V

    @override
    def facts(self) -> Facts:
        return Facts(f"{type(self).__name__}, {self.dim} x {self.dim}", super().facts().rows)
