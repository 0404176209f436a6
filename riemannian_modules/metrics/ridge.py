"""Solves with ``mu I + W W^T``, where W is a factor.

Sources: Woodbury (1950), Princeton Stat. Res. Group memo 42; Hager (1989), SIAM Review 31, 221-239;
Bjorck (1987), Linear Algebra Appl. 88/89, 31-48; for corrections above rounding alone, Hansen
(1998), Rank-Deficient and Discrete Ill-Posed Problems, chapter 3 (truncated SVD).

The textbook form ``(b - W (mu I + W^T W)^{-1} W^T b) / mu`` subtracts numbers that agree in all but
a part mu / sigma^2, then divides by mu: its backward error grows like ``eps kappa``, with
``kappa = |W|^2 / mu``. Here ``c = b - W w`` is seen as the residual of the ridge regression
``min |b - W w|^2 + mu |w|^2``, which is stationary where ``W^T c = mu w``. Refinement enforces that
equation with c as computed, so that what is left of the error in c is relative to c, not to b.

Since ``N x - b = (c + W w - b) + W (W^T c - mu w) / mu`` for ``x = c / mu``, the backward error is
rounding once ``p = W^T c - mu w`` is as small as the rounding of ``W^T c``, ``eps |W| |c|``. A
correction ``d = (mu I + W^T W)^{-1} p`` must not answer to that rounding: for singular values of W
below sqrt(mu) it is magnified to ``|d| = eps |W| |c| / mu``, and ``W d``, rounded in its turn,
moves c by ``eps^2 kappa |c|`` in directions where W is large. That exceeds ``eps |c|`` for
``kappa > 1 / eps``. So there d is made only of the eigenvectors along which p rises above rounding,
and refinement ends when none is left.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

from typing_extensions import override

from riemannian_modules.metrics.array import AnyArray, as_columns, namespace_of, rounding_unit
from riemannian_modules.metrics.capacitance import Capacitance, capacitance, primal_lower
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.triangular import solve_lower, solve_lower_adjoint

_SPARE_STEPS = 2  # a direction may rise above rounding again after others have been corrected


class Ridge(abc.ABC):
    """The matrix ``N = mu I + W W^T``, shape (n, n); never formed where r < n."""

    @abc.abstractmethod
    def solve(self, b: AnyArray) -> AnyArray:
        """``N^{-1} b``; b has shape (n,) or (n, k)."""

    @abc.abstractmethod
    def solve_factor(self, z: AnyArray) -> AnyArray:
        """``N^{-1} W z``; z has shape (r,) or (r, k). The dual form does not round ``W z``."""

    @abc.abstractmethod
    def colour(self, z: AnyArray) -> AnyArray:
        """``C z`` with ``C C^T = N``; z has shape (n,) or (n, k)."""

    @abc.abstractmethod
    def whiten(self, v: AnyArray) -> AnyArray:
        """``C^{-1} v``; v has shape (n,) or (n, k)."""

    @abc.abstractmethod
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        """``C^{-T} z``; z has shape (n,) or (n, k)."""

    @abc.abstractmethod
    def logdet(self) -> float:
        """``log det N``."""

    @abc.abstractmethod
    def preimage_norm(self, b: AnyArray) -> float:
        """``|W^+ b|`` for b (n,), as far as mu lets it be seen: the least w with ``W w = b``."""

    @abc.abstractmethod
    def damped(self, mu: float) -> Ridge:
        """The same factor with another mu: its square matrix, once formed, is kept."""

    @abc.abstractmethod
    def square(self) -> AnyArray:
        """``W^T W`` (dual) or ``W W^T`` (primal), whichever is solved with."""


def ridge(factor: Factor, mu: float) -> Ridge:
    """The cheaper of both forms: r by r inside where r < n (dual), else n by n (primal)."""
    return DualRidge(factor, mu) if factor.columns < factor.dim else PrimalRidge(factor, mu)


@final
@dataclass(frozen=True, eq=False)
class DualRidge(Ridge):
    """Woodbury: O(n r^2) once, then O(n r) a solve; memory O(r^2) beside the factor.

    Accuracy (float64): backward error ``|N x - b| <= O(eps) (|N| |x| + |b|)`` for every mu that is
    accepted. The relative error of ``solve_factor`` is ``O(eps) sigma_max(W) / sigma_min(W)``,
    whatever mu is.

    Attributes:
        factor: W, (n, r).
        mu: Positive.
        known: ``W^T W``, where it has been formed before.
    """

    factor: Factor
    mu: float
    known: AnyArray | None = None

    @override
    def solve(self, b: AnyArray) -> AnyArray:
        W, mu = self.factor, self.mu
        w = self._dual_solve(W.rmatvec(b))
        c = b - W.matvec(w)
        if self._capacitance.noisy:
            return self._refined_above_noise(w, c) / mu
        for _ in range(self._capacitance.steps):
            correction = self._dual_solve(W.rmatvec(c) - mu * w)
            w = w + correction
            c = c - W.matvec(correction)
        return c / mu

    @override
    def solve_factor(self, z: AnyArray) -> AnyArray:
        # N^{-1} W = W (mu I + W^T W)^{-1}: nothing is subtracted, nothing divided by mu.
        W, w = self.factor, self._dual_solve(z)
        for _ in range(self._capacitance.steps):
            w = w + self._dual_solve(z - self.mu * w - W.rmatvec(W.matvec(w)))
        return W.matvec(w)

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        # The symmetric root sqrt(mu) I + W V diag(y) V^T W^T has y = (s - sqrt mu) / (s^2 - mu).
        V, s = self._spectrum
        root = math.sqrt(self.mu)
        return root * z + self._through(V, 1.0 / (s + root), z)

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        V, s = self._spectrum
        root = math.sqrt(self.mu)
        return v / root - self._through(V, 1.0 / (root * s * (s + root)), v)

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self.whiten(z)  # the root is symmetric

    @override
    def logdet(self) -> float:
        xp, lower = namespace_of(self.factor.prototype), self._capacitance.lower
        spare = self.factor.dim - self.factor.columns
        return spare * math.log(self.mu) + 2.0 * float(xp.sum(xp.log(xp.linalg.diagonal(lower))))

    @override
    def preimage_norm(self, b: AnyArray) -> float:
        # (mu I + W^T W)^{-1} W^T b tends to W^+ b, and nothing is subtracted.
        w = self._dual_solve(self.factor.rmatvec(b))
        return float(namespace_of(w).linalg.vector_norm(w))

    @override
    def damped(self, mu: float) -> DualRidge:
        return DualRidge(self.factor, mu, self.square())

    @override
    def square(self) -> AnyArray:
        return self._square

    @cached_property
    def _square(self) -> AnyArray:
        return self.factor.gram() if self.known is None else self.known

    @cached_property
    def _capacitance(self) -> Capacitance:
        return capacitance(self._square, self.mu, lambda: self.factor)

    @cached_property
    def _spectrum(self) -> tuple[AnyArray, AnyArray]:
        """Eigenvectors of ``mu I + W^T W`` with the roots of its eigenvalues."""
        # Singular values of the triangle keep the small ones that eigenvalues of the Gram lose.
        V, s, _ = namespace_of(self.factor.prototype).linalg.svd(self._capacitance.lower)
        return V, s

    def _refined_above_noise(self, w: AnyArray, c: AnyArray) -> AnyArray:
        """The residual c, corrected along those eigenvectors where ``p`` exceeds rounding."""
        W, (V, s) = self.factor, self._spectrum
        xp, shape = namespace_of(c), c.shape
        w, c = as_columns(w), as_columns(c)
        # Sums of n and r rounded terms err by the root of their number (Higham and Mary, 2019,
        # SIAM J. Sci. Comput. 41, A2815-A2835). Over r vectors: 2 sqrt(r (n + r)) < 2 (n + r).
        noise = 2.0 * math.sqrt(W.dim + W.columns) * rounding_unit(c) * s[0]
        for _ in range(self._capacitance.steps + _SPARE_STEPS):
            p = V.T @ (W.rmatvec(c) - self.mu * w)
            above = xp.abs(p) > noise * xp.linalg.vector_norm(c, axis=0)
            if not bool(xp.any(above)):
                break
            correction = V @ xp.where(above, p / (s * s)[:, None], xp.zeros_like(p))
            w, c = w + correction, c - W.matvec(correction)
        return xp.reshape(c, shape)

    def _dual_solve(self, z: AnyArray) -> AnyArray:
        lower = self._capacitance.lower
        w = solve_lower_adjoint(lower, solve_lower(lower, as_columns(z)))
        return w[:, 0] if z.ndim == 1 else w

    def _through(self, V: AnyArray, weights: AnyArray, v: AnyArray) -> AnyArray:
        inner = V.T @ self.factor.rmatvec(v)
        weighted = weights * inner if v.ndim == 1 else weights[:, None] * inner
        return self.factor.matvec(V @ weighted)


@final
@dataclass(frozen=True, eq=False)
class PrimalRidge(Ridge):
    """Triangular n by n: O(n^2 r + n^3) once, then O(n^2) a solve; backward stable as it is.

    Judged by the whole matrix: mu may vanish beside a factor that spans the space.

    Attributes:
        factor: W, (n, r).
        mu: At least 0.
        known: ``W W^T``, where it has been formed before.
    """

    factor: Factor
    mu: float
    known: AnyArray | None = None

    @override
    def solve(self, b: AnyArray) -> AnyArray:
        return self.whiten_adjoint(self.whiten(b))

    @override
    def solve_factor(self, z: AnyArray) -> AnyArray:
        return self.solve(self.factor.matvec(z))

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self._lower @ z

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        solved = solve_lower(self._lower, as_columns(v))
        return solved[:, 0] if v.ndim == 1 else solved

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        solved = solve_lower_adjoint(self._lower, as_columns(z))
        return solved[:, 0] if z.ndim == 1 else solved

    @override
    def logdet(self) -> float:
        xp = namespace_of(self.factor.prototype)
        return 2.0 * float(xp.sum(xp.log(xp.linalg.diagonal(self._lower))))

    @override
    def preimage_norm(self, b: AnyArray) -> float:
        return float(namespace_of(b).linalg.vector_norm(self.whiten(b)))

    @override
    def damped(self, mu: float) -> PrimalRidge:
        return PrimalRidge(self.factor, mu, self.square())

    @override
    def square(self) -> AnyArray:
        return self._square

    @cached_property
    def _square(self) -> AnyArray:
        return self.factor.outer() if self.known is None else self.known

    @cached_property
    def _lower(self) -> AnyArray:
        W = self.factor
        return primal_lower(self._square, self.mu, lambda: DenseFactor(W.as_matrix().T))
