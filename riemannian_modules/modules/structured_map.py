"""A map without state whose derivative is known as a linear map, so that no matrix need be formed.

Source: Pehle and Slotine, arXiv:2603.03610, the costate recursion (THEORY section 2).
"""

from __future__ import annotations

import abc
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from riemannian_modules.modules.capability import EnclosedMap, ExactForm
from riemannian_modules.modules.differential import (
    Differential,
    Jacobian,
    dense_jacobian,
)
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spaces import Array, batch_shape

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


class StaticDifferential(Differential):
    """A differential without a state; subclasses say what the outputs and parameters do."""

    @property
    @abc.abstractmethod
    def input_size(self) -> int:
        """Number of inputs m."""

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return t_u[..., :0, :]

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        return p_dx, np.zeros((self.input_size, p_dx.shape[-1]))


class ParameterFreeDifferential(StaticDifferential):
    """A differential with neither a state nor parameters."""

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        return p_y[..., :0, :]

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        return np.zeros((0, t.shape[-1])), np.zeros((sizes[1], t.shape[-1]))


class StructuredMap(RiemannianModule, EnclosedMap, ExactForm):
    """A map without state that writes `map_values`, `differential` and `enclose_map`."""

    time = Time.STATIC

    @abc.abstractmethod
    def map_values(self, u: Array, theta: Array) -> Array:
        """The outputs (..., q) over the batch of inputs and parameters."""

    @override
    @abc.abstractmethod
    def differential(self, x: Array, u: Array, theta: Array) -> StaticDifferential: ...

    @abc.abstractmethod
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        """Enclosures of the outputs (..., q) and of their Jacobian in the inputs (..., q, m)."""

    def input_matrix(self, theta: Array) -> Array | None:  # noqa: ARG002
        """The exact matrix (q, m) of a map that is affine in its inputs; None for another."""
        return None

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        y = self.output(x, u, theta)
        return y[..., :0], y

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        y = self.map_values(u, theta)
        if theta.ndim == 1 and (x.ndim == 1 or x.shape[:-1] == y.shape[:-1]):
            return y
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
        return np.broadcast_to(y, (*batch, y.shape[-1]))

    @cached_property
    @override
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Every input reaches every output."""
        return self.signature.every_pair

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        s = self.signature
        sizes = (0, s.inputs.size, s.outputs.size, s.parameters.size)
        return dense_jacobian(self.differential(x, u, theta), sizes, batch_shape(x, u, theta))

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        from riemannian_modules.arithmetic.interval import Interval

        y, D = self.enclose_map(u, theta)
        batch = np.broadcast_shapes(x.shape[:-1], y.shape[:-1], D.shape[:-2])
        q, m = D.shape[-2:]
        none = {shape: Interval.point(np.zeros((*batch, *shape))) for shape in ((0,), (0, 0))}
        return Enclosure(
            none[0,], y.broadcast_to((*batch, q)), none[0, 0],
            Interval.point(np.zeros((*batch, 0, m))), Interval.point(np.zeros((*batch, q, 0))),
            D.broadcast_to((*batch, q, m)),
        )  # fmt: skip


def diagonal_intervals(entries: Interval) -> Interval:
    """The diagonal matrices (..., n, n) with intervals (..., n) on their diagonals."""
    n = entries.shape[-1]
    lower, upper = np.zeros((*entries.shape, n)), np.zeros((*entries.shape, n))
    diagonal = np.arange(n)
    lower[..., diagonal, diagonal], upper[..., diagonal, diagonal] = entries.lower, entries.upper
    return type(entries)(lower, upper)
