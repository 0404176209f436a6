"""The quadratic model of a mean loss at a point: its gradient and its propagated metric U U^T.

Sources: Levenberg (1944), Quart. Appl. Math. 2, 164-168; Marquardt (1963), J. SIAM 11, 431-441;
More (1978), Lecture Notes in Mathematics 630 (scaled damping by QR, never by normal equations).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.engine.triangle import (
    RANK_TOLERANCE,
    PivotedTriangle,
    blas,
    blocks_of,
    gathered,
    lapack,
    solve_upper,
    solve_upper_adjoint,
    triangle_of,
)
from riemannian_modules.engine.trust_region import Path, Solve, SolvedPath, SpectralPath
from riemannian_modules.spaces import Array

_FEW = 8  # columns up to which BLAS's product of a matrix with itself costs more than any other's
_WELL_CONDITIONED = 1e-8  # least over largest eigenvalue from which normal equations will do


class LocalModel(abc.ABC):
    """``L + g s + 1/2 |U^T s|^2`` with p parameters; columns of U are (sample, direction) pairs."""

    gradient: Array

    @abc.abstractmethod
    def push(self, step: Array) -> Array:
        """``U^T s``, shape (columns,)."""

    @abc.abstractmethod
    def pull(self, columns: Array) -> Array:
        """``U w``, shape (p,)."""

    @cached_property
    def effects(self) -> Array:
        """The roots of the diagonal, (p,)."""
        return np.sqrt(self.diagonal)

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
        R, gradient = scale**2, np.where(free, self.gradient, 0.0)
        return SolvedPath(
            lambda mu: self.solver(mu * R, free), scale, gradient, self.push,
            lambda: self.decrement(free),
        )  # fmt: skip


def _eigen(M: Array) -> tuple[Array, Array]:
    """Eigenvalues in ascending order and eigenvectors of a symmetric matrix, by LAPACK itself."""
    values, vectors, status = lapack().dsyevd(M)
    if status:
        raise np.linalg.LinAlgError("the eigenvalues of a metric have not converged")
    return values, vectors


def _part(matrix: Array, free: Mask, count: int) -> Array:
    """The rows and columns of some parameters."""
    return matrix if count == len(free) else matrix[np.ix_(free, free)]


def _spread(rows: Array, free: Mask) -> Array:
    """Rows of some parameters as rows of all p, zero elsewhere."""
    if len(rows) == len(free):
        return rows
    whole = np.zeros((len(free), rows.shape[1]))
    whole[free] = rows
    return whole


class GramModel(LocalModel):
    """All layers coupled, few parameters: ``U U^T`` is formed. O(p^3) a solve."""

    gram: Array
    """``U U^T``, (p, p)."""
    columns: int
    """How many columns U has."""

    root: Array
    """R, of at most p rows, with ``R^T R = U U^T``: what U^T is beside a rotation."""

    @abc.abstractmethod
    def explained(self, rows: Mask | None, known: PivotedTriangle, free: Mask) -> float:
        """How many numbers in some columns of U the free parameters can set: the trace of the hat.

        It is the rank where those are all columns (None); those of priors take their part.
        """

    @cached_property
    @override
    def diagonal(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.gram.diagonal()

    @cached_property
    def unit_scale(self) -> Array:
        """What makes columns of length one of those that have any length, (p,)."""
        return np.where(self.effects == 0.0, 1.0, self.effects)

    def cholesky(self) -> Array | None:
        """The root of the Gram matrix in unit scale; None where QR has to give it.

        Columns of one length make the triangle as well conditioned as scaling can (van der Sluis).
        Normal equations square the condition: where that costs digits, QR.
        """
        scale = self.unit_scale
        cosines = self.gram / (scale[:, None] * scale)
        return lapack().dpotrf(cosines)[0] if _eigen(cosines)[0][0] > _WELL_CONDITIONED else None

    @override
    def path(self, scale: Array, free: Mask) -> SpectralPath:
        whiten = 1.0 / scale[free]
        if not whiten.size:
            return SpectralPath(whiten, np.zeros((len(free), 0)), self.gradient)
        column = whiten[:, None]
        values, vectors = _eigen(_part(self.gram, free, whiten.size) * (column * whiten))
        if not values[0] > _WELL_CONDITIONED * values[-1]:
            s, Vt = np.linalg.svd(self.root[:, free] * whiten, full_matrices=False)[1:]
            seen = s > 0.1 * RANK_TOLERANCE * max(float(s[0]), 1e-300)
            values, vectors = s[seen][::-1] ** 2, Vt[seen][::-1].T
        return SpectralPath(values, _spread(vectors * column, free), self.gradient)

    def curved_path(self, scale: Array, free: Mask, S: Array) -> SpectralPath:
        """`path` of the model ``U U^T + S``, which need not be convex."""
        whiten = 1.0 / scale[free]
        white = _part(self.gram + S, free, whiten.size) * (whiten[:, None] * whiten)
        values, vectors = _eigen(white)
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
        return self.triangle(free).decrement(self.gradient[free])

    def triangle(self, free: Mask) -> PivotedTriangle:
        """What the data say of the free parameters."""
        scale, known = self.unit_scale, self.cholesky()
        if known is not None and free.all():  # so that all columns are independent
            return PivotedTriangle(known, scale, np.arange(len(scale)), len(scale))
        return triangle_of(self.root[:, free], scale[free])


@final
@dataclass(frozen=True, eq=False)
class JointModel(GramModel):
    """All layers coupled, J = U^T (columns, p) dense. O(columns p^2) a solve by QR.

    Attributes:
        gradient: (p,).
        rows: J without its weight, (columns, p).
        weight: What they are multiplied with; a step is cheaper to weigh than they are.
    """

    gradient: Array
    rows: Array
    weight: float = 1.0

    @cached_property
    def J(self) -> Array:
        """U^T, (columns, p)."""
        return self.weight * self.rows

    @override
    def push(self, step: Array) -> Array:
        return self.rows.dot(self.weight * step)

    @override
    def pull(self, columns: Array) -> Array:
        return self.weight * columns.dot(self.rows)

    @cached_property
    @override
    def gram(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        J, square = self.rows, self.weight**2
        if J.shape[1] > _FEW:
            return square * (J.T @ J)
        U = J.T  # for which one of both orders needs no copy
        if U.flags.f_contiguous:
            return blas().dgemm(square, U, U, trans_b=1)
        return blas().dgemm(square, J, J, trans_a=1)

    @property
    @override
    def columns(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return len(self.rows)

    @cached_property
    @override
    def root(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        scale, known = self.unit_scale, self.cholesky()
        if known is not None:
            return known * scale
        whiten = self.weight / scale
        blocks = (self.rows[rows] * whiten for rows in blocks_of(*self.rows.shape))
        return gathered(blocks, len(scale)) * scale

    @override
    def explained(self, rows: Mask | None, known: PivotedTriangle, free: Mask) -> float:
        if rows is None or not self.rows[~rows].any():
            return known.rank
        return float(np.sum(known.rotated(self.J[:, free])[rows] ** 2))
