"""A metric tensor as an operator: what it does to vectors, never its n by n entries.

Source: Pehle and Slotine (2026), arXiv:2603.03610; Amari (1998), Neural Computation 10, 251-276.
"""

from __future__ import annotations

import abc
from typing import final

import numpy as np
from array_api_compat import device as device_of
from typing_extensions import override

from riemannian_modules.metrics.array import (
    AnyArray,
    check_rows,
    like,
    namespace_of,
)
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.shown import Facts, Shown


class Metric(abc.ABC, Shown):
    """A symmetric positive definite matrix M, shape (dim, dim), known by its action.

    It carries one square root C, ``M = C C^T``: ``colour`` applies it, ``whiten`` inverts it.
    Vectors have shape (dim,), several at once (dim, k). Costs stand with each class. What makes
    another metric of it stands outside: `updated`, `downdated`, `forgotten`, `truncated`,
    `pullback`.
    """

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The number of coordinates n."""

    @property
    @abc.abstractmethod
    def prototype(self) -> AnyArray:
        """One of its arrays: tells library, dtype and device."""

    @abc.abstractmethod
    def logdet(self) -> float:
        """``log det M``, natural logarithm."""

    @abc.abstractmethod
    def colour(self, z: AnyArray) -> AnyArray:
        """``C z``: turns white noise into a sample of N(0, M)."""

    @abc.abstractmethod
    def whiten(self, v: AnyArray) -> AnyArray:
        """``C^{-1} v``, so that ``|whiten(v)|^2 = v^T M^{-1} v``."""

    @abc.abstractmethod
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        """``C^{-T} z``: turns white noise into a sample of N(0, M^{-1})."""

    def whiten_factor(self, factor: Factor) -> Factor:
        """``C^{-1} U``; a metric that can keep the factor's structure overrides this."""
        return DenseFactor(self.whiten(factor.as_matrix()))

    @final
    def apply(self, v: AnyArray) -> AnyArray:
        """``M v``; v has shape (n,) or (n, k).

        Raises:
            MetricError: If v does not have n rows.
        """
        check_rows(f"{type(self).__name__}.apply", v, self.dim)
        return self._apply(v)

    @final
    def solve(self, v: AnyArray) -> AnyArray:
        """``M^{-1} v``; v has shape (n,) or (n, k).

        Raises:
            MetricError: If v does not have n rows, or M turns out to be singular.
        """
        check_rows(f"{type(self).__name__}.solve", v, self.dim)
        return self._solve(v)

    @final
    def norm(self, v: AnyArray) -> AnyArray:
        """``sqrt(v^T M v)``: a 0-d array for v of shape (n,), else shape (k,)."""
        xp = namespace_of(v)
        squares = xp.sum(v * self.apply(v), axis=0)
        # Rounding alone can take the square of a short vector below zero.
        return xp.sqrt(xp.clip(squares, 0.0, None))

    @final
    def sample(self, rng: np.random.Generator, count: int) -> AnyArray:
        """Draw from N(0, M): the covariance is M; shape (n, count)."""
        return self.colour(self._white(rng, count))

    @final
    def sample_inverse(self, rng: np.random.Generator, count: int) -> AnyArray:
        """Draw from N(0, M^{-1}), the Laplace posterior of an information M; shape (n, count)."""
        return self.whiten_adjoint(self._white(rng, count))

    @final
    def as_matrix(self) -> AnyArray:
        """M as a dense matrix, shape (n, n): for tests and small examples."""
        xp, prototype = namespace_of(self.prototype), self.prototype
        return self._apply(xp.eye(self.dim, dtype=prototype.dtype, device=device_of(prototype)))

    @abc.abstractmethod
    def _apply(self, v: AnyArray) -> AnyArray: ...

    def _solve(self, v: AnyArray) -> AnyArray:
        return self.whiten_adjoint(self.whiten(v))  # M^{-1} = C^{-T} C^{-1}

    def _white(self, rng: np.random.Generator, count: int) -> AnyArray:
        return like(self.prototype, rng.standard_normal((self.dim, count)))

    @override
    def facts(self) -> Facts:
        return Facts(f"{type(self).__name__}, {self.dim} x {self.dim}", super().facts().rows)
