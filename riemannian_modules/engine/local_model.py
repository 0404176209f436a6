"""The quadratic model of a mean loss at a point: its gradient and its propagated metric U U^T.

Sources: Levenberg (1944), Quart. Appl. Math. 2, 164-168; Marquardt (1963), J. SIAM 11, 431-441;
More (1978), Lecture Notes in Mathematics 630 (scaled damping by QR, never by normal equations).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.trust_region import Path, Solve, SolvedPath, SpectralPath
from riemannian_modules.space import Array

Mask: TypeAlias = NDArray[np.bool_]
Index: TypeAlias = NDArray[np.intp]
RANK_TOLERANCE = 1e-12
_WELL_CONDITIONED = 1e-8  # least over largest eigenvalue from which normal equations will do


def solve_upper(R: Array, b: Array) -> Array:
    """``R^{-1} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 0)


def solve_upper_adjoint(R: Array, b: Array) -> Array:
    """``R^{-T} b`` for upper triangular R; NaN where R is singular."""
    return _triangular(R, b, 1)


def _triangular(R: Array, b: Array, trans: int) -> Array:
    # LAPACK itself: scipy.linalg.solve_triangular spends ten times longer on checks than on this.
    from scipy.linalg import lapack  # its functions are typed nowhere

    if not b.size:
        return b
    library: Any = lapack
    x, status = library.dtrtrs(R, b, trans=trans)
    return np.full_like(b, np.nan) if status else x


class LocalModel(abc.ABC):
    """``L + g s + 1/2 |U^T s|^2`` with p parameters; columns of U are (sample, direction) pairs."""

    gradient: Array

    @abc.abstractmethod
    def push(self, step: Array) -> Array:
        """``U^T s``, shape (columns,)."""

    @abc.abstractmethod
    def pull(self, columns: Array) -> Array:
        """``U w``, shape (p,)."""

    @property
    @abc.abstractmethod
    def diagonal(self) -> Array:
        """Each parameter's squared effect, (p,): the diagonal of ``U U^T``.

        Models of many parameters give the mean of each parameter array.
        """

    @abc.abstractmethod
    def solver(self, damping: Array, free: Mask) -> Solve:
        """``g -> (U U^T + diag(damping))^{-1} g`` among the free parameters, else zero."""

    @abc.abstractmethod
    def decrement(self, free: Mask) -> float:
        """``sqrt(g^T (U U^T)^+ g)`` among the free ones: the distance to the minimum."""

    def path(self, scale: Array, free: Mask) -> Path:
        """The steps of any length in the metric ``R = diag(scale^2)``, among the free parameters.

        Args:
            scale: (p,) > 0.
            free: (p,).
        """
        R = scale**2
        return SolvedPath(
            lambda mu: self.solver(mu * R, free), scale, self.gradient, lambda: self.decrement(free)
        )


def _part(matrix: Array, free: Mask) -> Array:
    """The rows and columns of some parameters."""
    return matrix if free.all() else matrix[np.ix_(free, free)]


def _spread(rows: Array, free: Mask) -> Array:
    """Rows of some parameters as rows of all p, zero elsewhere."""
    if len(rows) == len(free):
        return rows
    whole = np.zeros((len(free), rows.shape[1]))
    whole[free] = rows
    return whole


@final
@dataclass(frozen=True, eq=False)
class JointModel(LocalModel):
    """All layers coupled; J = U^T (columns, p) is dense. O(columns p^2) a solve by QR."""

    gradient: Array
    J: Array

    @override
    def push(self, step: Array) -> Array:
        return self.J @ step

    @override
    def pull(self, columns: Array) -> Array:
        return self.J.T @ columns

    @cached_property
    def gram(self) -> Array:
        """``U U^T``, (p, p)."""
        return self.J.T @ self.J

    @property
    @override
    def diagonal(self) -> Array:
        return self.gram.diagonal()

    @cached_property
    def root(self) -> Array:
        """R, of at most p rows, with ``R^T R = U U^T``: what J is beside a rotation."""
        effects = np.sqrt(self.diagonal)
        effects[effects == 0.0] = 1.0
        # Columns of one length make the triangle as well conditioned as scaling can (van der
        # Sluis). Normal equations square the condition: where that costs digits, QR.
        cosines = self.gram / np.outer(effects, effects)
        if np.linalg.eigvalsh(cosines)[0] > _WELL_CONDITIONED:
            return np.asarray(np.linalg.cholesky(cosines).T * effects, dtype=np.float64)
        triangle: Any = np.linalg.qr(self.J / effects, mode="r")
        return triangle * effects

    @override
    def path(self, scale: Array, free: Mask) -> SpectralPath:
        if not free.any():
            return SpectralPath(np.zeros(0), np.zeros((len(free), 0)), self.gradient)
        whiten = 1.0 / (scale if free.all() else scale[free])
        values, vectors = np.linalg.eigh(_part(self.gram, free) * (whiten[:, None] * whiten))
        if not values[0] > _WELL_CONDITIONED * values[-1]:
            s, Vt = np.linalg.svd(self.root[:, free] * whiten, full_matrices=False)[1:]
            seen = s > 0.1 * RANK_TOLERANCE * max(float(s[0]), 1e-300)
            values, vectors = s[seen][::-1] ** 2, Vt[seen][::-1].T
        return SpectralPath(values, _spread(vectors * whiten[:, None], free), self.gradient)

    def curved_path(self, scale: Array, free: Mask, S: Array) -> SpectralPath:
        """`path` of the model ``U U^T + S``, which need not be convex."""
        whiten = (1.0 / scale)[free]
        values, vectors = np.linalg.eigh(_part(self.gram + S, free) * (whiten[:, None] * whiten))
        return SpectralPath(values, _spread(vectors * whiten[:, None], free), self.gradient)

    @override
    def solver(self, damping: Array, free: Mask) -> Solve:
        scale = np.sqrt(np.maximum(self.diagonal, damping))[free]
        scale[scale == 0.0] = 1.0
        stacked = np.vstack([self.root[:, free], np.diag(np.sqrt(damping))[free][:, free]]) / scale
        R: Any = np.linalg.qr(stacked, mode="r")

        def solve(gradient: Array) -> Array:
            result = np.zeros(len(free))
            white = solve_upper_adjoint(R, gradient[free] / scale)
            result[free] = solve_upper(R, white) / scale
            return result

        return solve

    @override
    def decrement(self, free: Mask) -> float:
        R, scale, order, rank = self.triangle(free)
        g = (self.gradient[free] / scale)[order][:rank]
        return float(np.linalg.norm(solve_upper_adjoint(R[:rank, :rank], g))) if rank else 0.0

    def unexplained(self, residual: Array, free: Mask) -> float:
        """The sum of squares of what no step of the free parameters explains, of (columns,)."""
        _, scale, order, rank = self.triangle(free)
        Q = np.linalg.qr((self.J[:, free] / scale)[:, order[:rank]])[0]
        left = residual - Q @ (Q.T @ residual)
        return float(left @ left)

    def explained(self, rows: Mask | None, free: Mask) -> float:
        """How many numbers in some rows of J the free parameters can set: the trace of the hat.

        It is the rank where those are all rows (None); rows of priors take their part.
        """
        _, scale, order, rank = self.triangle(free)
        if rows is None or not self.J[~rows].any():
            return rank
        Q = np.linalg.qr((self.J[:, free] / scale)[:, order[:rank]])[0]
        return float(np.sum(Q[rows] ** 2))

    def triangle(self, free: Mask) -> tuple[Array, Array, Index, int]:
        """Pivoted QR of the free columns, each scaled to length one: R, scales, order, rank."""
        from scipy.linalg import qr

        scale = np.sqrt(self.diagonal)[free]
        scale[scale == 0.0] = 1.0
        if not free.any():
            return np.zeros((0, 0)), scale, np.zeros(0, dtype=np.intp), 0
        factored: Any = qr(self.root[:, free] / scale, mode="r", pivoting=True)
        R, order = factored
        pivots = np.abs(np.diagonal(R))
        return R, scale, order, int(np.sum(pivots > RANK_TOLERANCE * max(pivots[0], 1e-300)))
