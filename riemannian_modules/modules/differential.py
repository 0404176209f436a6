"""The differential of a module at a point: a linear map on tangents, and its adjoint.

Tangents and cotangents carry one trailing axis of k columns, so a whole basis or a metric's factor
travels in one call. Structured modules (dense layers, activations) never form their matrices.
Source: Pehle and Slotine, arXiv:2603.03610, the costate recursion (THEORY section 2).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.metrics import DenseFactor, Factor
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Jacobian(Shown):
    """Partial derivatives of ``(x, u, theta) -> (dx, y)``; leading axes are batches.

    With n states, m inputs, q outputs and p parameters: A = d dx/d x (n, n), B = d dx/d u (n, m),
    C = d y/d x (q, n), D = d y/d u (q, m), E = d dx/d theta (n, p), F = d y/d theta (q, p).
    """

    A: Array
    B: Array
    C: Array
    D: Array
    E: Array
    F: Array


class Differential(abc.ABC, Shown):
    """A module's derivative at a batch of points; tangents t_*, cotangents p_*: (..., size, k)."""

    @abc.abstractmethod
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        """``C t_x + D t_u``, shape (..., q, k)."""

    @abc.abstractmethod
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        """``A t_x + B t_u``, shape (..., n, k)."""

    def push(self, t_x: Array, t_u: Array) -> tuple[Array, Array]:
        """Tangents of dx and y together."""
        return self.push_state(t_x, t_u), self.push_outputs(t_x, t_u)

    @abc.abstractmethod
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        """``(C^T p_y, D^T p_y)``: cotangents of state and inputs."""

    @abc.abstractmethod
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        """``(A^T p_dx, B^T p_dx)``: cotangents of state and inputs."""

    @abc.abstractmethod
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        """``E^T p_dx + F^T p_y`` for each point, shape (..., p, k)."""

    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        """`pull_parameters` summed over all points, shape (p, k): what a gradient is made of.

        The cotangents carry all axes of the batch. Structured modules never form the points' own.
        """
        pulled = self.pull_parameters(p_dx, p_y)
        return pulled.sum(axis=tuple(range(pulled.ndim - 2)))

    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        """``(E t, F t)``, shapes (..., n, k) and (..., q, k), for tangents t (p, k).

        As it stands here it pulls n + q columns; structured modules push. The sizes are (n, q).
        """
        n, q = sizes
        EF = transposed(self.pull_parameters(np.eye(n, n + q), np.eye(q, n + q, n)))
        pushed = EF @ t
        return pushed[..., :n, :], pushed[..., n:, :]

    @property
    def output_by_parameters(self) -> Array | None:
        """``F = d y/d theta`` (..., q, p) of a differential that holds it; None of any other."""
        return None

    def parameter_factor(self, p_dx: Array, p_y: Array) -> Factor:
        """``U`` with one column for each point and column of the cotangents, shape (p, batch * k).

        Modules whose parameter Jacobian is a product keep it so (THEORY section 4).
        """
        U = self.pull_parameters(p_dx, p_y)
        columns = math.prod(U.shape[:-2]) * U.shape[-1]
        return DenseFactor(np.moveaxis(U, -2, 0).reshape(U.shape[-2], columns))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DenseDifferential(Differential):
    """A differential that holds its matrices."""

    jacobian: Jacobian

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.jacobian.C @ t_x + self.jacobian.D @ t_u

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return self.jacobian.A @ t_x + self.jacobian.B @ t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return transposed(self.jacobian.C) @ p_y, transposed(self.jacobian.D) @ p_y

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        return transposed(self.jacobian.A) @ p_dx, transposed(self.jacobian.B) @ p_dx

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        return transposed(self.jacobian.E) @ p_dx + transposed(self.jacobian.F) @ p_y

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        return self.jacobian.E @ t, self.jacobian.F @ t

    @property
    @override
    def output_by_parameters(self) -> Array:
        return self.jacobian.F


@final
class StagedDifferential(Differential):
    """A differential whose matrices are computed when they are first asked for.

    Args:
        signals: Gives ``[[A, B], [C, D]]``, (..., n + q, n + m).
        parameters: Gives ``[[E], [F]]``, (..., n + q, p).
        n: How many states there are.
    """

    def __init__(
        self, signals: Callable[[], Array], parameters: Callable[[], Array], n: int
    ) -> None:
        self._signals, self._parameters, self._n = signals, parameters, n

    def __reduce__(self) -> tuple[Any, ...]:
        """What travels is the matrices, for no other process can read the code that makes them."""
        made = (partial(_itself, part) for part in (self._by_signals, self._by_parameters))
        return StagedDifferential, (*made, self._n)

    @cached_property
    def _by_signals(self) -> Array:
        return self._signals()

    @cached_property
    def _by_parameters(self) -> Array:
        return self._parameters()

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        rows, n = self._by_signals[..., self._n :, :], self._n
        return rows[..., :n] @ t_x + rows[..., n:] @ t_u

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        rows, n = self._by_signals[..., : self._n, :], self._n
        return rows[..., :n] @ t_x + rows[..., n:] @ t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        pulled = transposed(self._by_signals[..., self._n :, :]) @ p_y
        return pulled[..., : self._n, :], pulled[..., self._n :, :]

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        pulled = transposed(self._by_signals[..., : self._n, :]) @ p_dx
        return pulled[..., : self._n, :], pulled[..., self._n :, :]

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        E, F = self._by_parameters[..., : self._n, :], self.output_by_parameters
        return transposed(E) @ p_dx + transposed(F) @ p_y

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        pushed = self._by_parameters @ t
        return pushed[..., : self._n, :], pushed[..., self._n :, :]

    @property
    @override
    def output_by_parameters(self) -> Array:
        return self._by_parameters[..., self._n :, :]


def _itself(matrix: Array) -> Array:
    return matrix


def transposed(matrix: Array) -> Array:
    """The transpose of each matrix of a batch."""
    return np.swapaxes(matrix, -1, -2)


def dense_jacobian(
    differential: Differential, sizes: tuple[int, int, int, int], batch: tuple[int, ...]
) -> Jacobian:
    """The matrices of a differential, by pushing n + m columns and pulling n + q.

    Args:
        differential: The differential at a batch of points.
        sizes: Numbers n, m, q, p of states, inputs, outputs and parameters.
        batch: The points' batch, which a differential that is everywhere the same does not know.
    """
    n, m, q, p = sizes
    dx, y = differential.push(np.eye(n, n + m), np.eye(m, n + m, n))
    pulled = differential.pull_parameters(np.eye(n, n + q), np.eye(q, n + q, n))
    dx, y = np.broadcast_to(dx, (*batch, n, n + m)), np.broadcast_to(y, (*batch, q, n + m))
    EF = np.broadcast_to(transposed(pulled), (*batch, n + q, p))
    return Jacobian(
        dx[..., :n], dx[..., n:], y[..., :n], y[..., n:], EF[..., :n, :], EF[..., n:, :]
    )
