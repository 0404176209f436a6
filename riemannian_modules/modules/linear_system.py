"""Linear systems: the Jacobian is the system, whatever the point, and parameters enter as ``P a``.

Source: Kailath (1980), Linear Systems; THEORY section 4 for the factors of the parameters.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.metrics import DenseFactor, Factor, stack
from riemannian_modules.modules.capability import EnclosedMap, ExactForm
from riemannian_modules.modules.differential import (
    Differential,
    Jacobian,
    dense_jacobian,
    transposed,
)
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.outer import outer_factor, pull_outer
from riemannian_modules.spaces import Array, batch_shape

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False)
class Matrices:
    """A (n, n), B (n, m), C (q, n), D (q, m) of ``dx = A x + B u, y = C x + D u``."""

    A: Array
    B: Array
    C: Array
    D: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Outer:
    """A parameter matrix P that enters as ``P a``; its cotangents are outer products ``q a^T``.

    Attributes:
        activation: a, (..., s).
        cotangent: From the pair of cotangents of dx (..., n, k) and y (..., q, k) to that of
            ``P a``, (..., r, k).
    """

    activation: Array
    cotangent: Callable[[tuple[Array, Array]], Array]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearDifferential(Differential):
    """The differential of a linear system: its matrices, and where its parameters stand."""

    matrices: Matrices
    outers: tuple[Outer, ...]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.matrices.C @ t_x + self.matrices.D @ t_u

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return self.matrices.A @ t_x + self.matrices.B @ t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return transposed(self.matrices.C) @ p_y, transposed(self.matrices.D) @ p_y

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        return transposed(self.matrices.A) @ p_dx, transposed(self.matrices.B) @ p_dx

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        parts = [pull_outer(o.cotangent((p_dx, p_y)), o.activation) for o in self.outers]
        if not parts:
            return p_y[..., :0, :]
        batch = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
        return np.concatenate(
            [np.broadcast_to(part, (*batch, *part.shape[-2:])) for part in parts], axis=-2
        )

    @override
    def parameter_factor(self, p_dx: Array, p_y: Array) -> Factor:
        if not self.outers:
            points = int(np.prod(p_y.shape[:-2])) * p_y.shape[-1]
            return DenseFactor(np.zeros((0, points)))
        batch = np.broadcast_shapes(
            p_dx.shape[:-2], p_y.shape[:-2], *(o.activation.shape[:-1] for o in self.outers)
        )
        p_dx, p_y = (np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in (p_dx, p_y))
        return stack([outer_factor(o.cotangent((p_dx, p_y)), o.activation) for o in self.outers])


class LinearSystem(RiemannianModule, EnclosedMap, ExactForm):
    """``dx = A x + B u, y = C x + D u``; subclasses make the matrices from the parameters."""

    @abc.abstractmethod
    def matrices(self, theta: Array) -> Matrices:
        """The matrices at parameters (..., p)."""

    @abc.abstractmethod
    def enclosed_matrices(self, theta: Interval) -> tuple[Interval, Interval, Interval, Interval]:
        """Enclosures of A, B, C and D over a box of parameters."""

    @abc.abstractmethod
    def outers(self, x: Array, u: Array, theta: Array) -> tuple[Outer, ...]:
        """Where each parameter matrix stands, in the order of the parameters."""

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        S, batch = self.matrices(theta), batch_shape(x, u, theta)
        dx, y = _apply(S.A, x) + _apply(S.B, u), _apply(S.C, x) + _apply(S.D, u)
        # Some matrices have no parameters, hence no batch of their own.
        return _repeated(dx, batch), _repeated(y, batch)

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        S = self.matrices(theta)
        return _repeated(_apply(S.C, x) + _apply(S.D, u), batch_shape(x, u, theta))

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> LinearDifferential:
        return LinearDifferential(self.matrices(theta), self.outers(x, u, theta))

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        s = self.signature
        sizes = (s.state.size, s.inputs.size, s.outputs.size, s.parameters.size)
        return dense_jacobian(self.differential(x, u, theta), sizes, batch_shape(x, u, theta))

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        from riemannian_modules.arithmetic.interval_matrix import matvec

        A, B, C, D = self.enclosed_matrices(theta)
        dx, y = matvec(A, x) + matvec(B, u), matvec(C, x) + matvec(D, u)
        batch = np.broadcast_shapes(dx.shape[:-1], y.shape[:-1])
        wide = [part.broadcast_to((*batch, *part.shape[-2:])) for part in (A, B, C, D)]
        return Enclosure(
            dx.broadcast_to((*batch, dx.shape[-1])), y.broadcast_to((*batch, y.shape[-1])), *wide
        )


def _repeated(vector: Array, batch: tuple[int, ...]) -> Array:
    return np.broadcast_to(vector, (*batch, vector.shape[-1]))


def _apply(matrix: Array, vector: Array) -> Array:
    """``matrix @ vector`` over batches of either."""
    if matrix.ndim == 2:
        return np.matmul(vector, matrix.T)
    return np.matmul(matrix, vector[..., None])[..., 0]
