"""The quadratic model of a mean loss at a point: its gradient and its propagated metric U U^T.

Sources: Levenberg (1944), Quart. Appl. Math. 2, 164-168; Marquardt (1963), J. SIAM 11, 431-441;
More (1978), Lecture Notes in Mathematics 630 (scaled damping by QR, never by normal equations).
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.space import Array

Solve = Callable[[Array], Array]
Mask: TypeAlias = NDArray[np.bool_]
Index: TypeAlias = NDArray[np.intp]
RANK_TOLERANCE = 1e-12


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

    @property
    @override
    def diagonal(self) -> Array:
        return np.einsum("ij,ij->j", self.J, self.J)

    @override
    def solver(self, damping: Array, free: Mask) -> Solve:
        scale = np.sqrt(np.maximum(self.diagonal, damping))[free]
        scale[scale == 0.0] = 1.0
        # Columns of one length make the triangle as well conditioned as scaling can (van der
        # Sluis).
        stacked = np.vstack([self.J[:, free], np.diag(np.sqrt(damping))[free][:, free]]) / scale
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

    def triangle(self, free: Mask) -> tuple[Array, Array, Index, int]:
        """Pivoted QR of the free columns, each scaled to length one: R, scales, order, rank."""
        from scipy.linalg import qr

        scale = np.sqrt(self.diagonal)[free]
        scale[scale == 0.0] = 1.0
        if not free.any():
            return np.zeros((0, 0)), scale, np.zeros(0, dtype=np.intp), 0
        factored: Any = qr(self.J[:, free] / scale, mode="r", pivoting=True)
        R, order = factored
        pivots = np.abs(np.diagonal(R))
        return R, scale, order, int(np.sum(pivots > RANK_TOLERANCE * max(pivots[0], 1e-300)))
