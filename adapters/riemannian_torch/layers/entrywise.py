"""Maps entry by entry: a scale and shift that are parameters, and the product of two signals.

Source: Ioffe and Szegedy (2015), arXiv:1502.03167 (a channel's scale and shift); Hochreiter and
Schmidhuber (1997), Neural Computation 9 (gates are products).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.arithmetic.interval import Interval, concatenate
from riemannian_modules.arrays import Places
from riemannian_modules.modules.structured_map import (
    ParameterFreeDifferential,
    StaticDifferential,
    StructuredMap,
    diagonal_intervals,
)
from riemannian_modules.spaces import Array, Port, Signals, Space, one_port


def _summed(entries: Array, places: Places, size: int) -> Array:
    """Entries (..., n, k) added up by the parameter that each has, (..., size, k)."""
    total = np.zeros((*entries.shape[:-2], size, entries.shape[-1]))
    np.add.at(np.moveaxis(total, -2, 0), places, np.moveaxis(entries, -2, 0))
    return total


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EntrywiseDifferential(StaticDifferential):
    """The differential of ``k u + b``; scales (..., n) or None, inputs (..., n)."""

    scales: Array | None
    inputs: Array
    places: Places
    sizes: tuple[int, int]

    @property
    @override
    def input_size(self) -> int:
        return self.inputs.shape[-1]

    def _scaled(self, columns: Array) -> Array:
        return columns if self.scales is None else self.scales[..., None] * columns

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self._scaled(t_u)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], self._scaled(p_y)

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        scale, shift = self.sizes
        p_y = np.broadcast_to(
            p_y, (*np.broadcast_shapes(p_y.shape[:-2], self.inputs.shape[:-1]), *p_y.shape[-2:])
        )
        parts = [_summed(self.inputs[..., None] * p_y, self.places, scale)] if scale else []
        return np.concatenate([*parts, *([_summed(p_y, self.places, shift)] if shift else [])], -2)

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        scale, shift = self.sizes
        t_y = np.zeros((*self.inputs.shape, t.shape[-1]))
        if scale:
            t_y = t_y + t[:scale][self.places] * self.inputs[..., None]
        if shift:
            t_y = t_y + t[scale:][self.places]
        return t_y[..., :0, :], t_y


@final
class EntrywiseAffine(StructuredMap):
    """``y_i = k[places_i] u_i + b[places_i]``: a scale and a shift that several entries share.

    Args:
        places: Which parameter each entry has, (n,).
        scale: k, flat; None for one.
        shift: b, flat; None for zero.
    """

    def __init__(self, places: Places, scale: Array | None, shift: Array | None) -> None:
        named = {"k": scale, "b": shift}
        self.parameters = {name: value for name, value in named.items() if value is not None}
        self.inputs, self.outputs = one_port("u", len(places)), one_port("y", len(places))
        self.places = places
        self._sizes = (0 if scale is None else len(scale), 0 if shift is None else len(shift))

    def _split(self, theta: Any) -> tuple[Any, Any]:
        scale, shift = self._sizes
        k = theta[..., :scale][..., self.places] if scale else None
        return k, theta[..., scale:][..., self.places] if shift else None

    def _mapped(self, u: Any, theta: Any) -> Any:
        k, b = self._split(theta)
        y = u if k is None else k * u
        return y if b is None else y + b

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return self._mapped(u, theta)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> EntrywiseDifferential:
        return EntrywiseDifferential(self._split(theta)[0], u, self.places, self._sizes)

    @override
    def input_matrix(self, theta: Array) -> Array:
        k = self._split(theta)[0]
        return np.eye(len(self.places)) if k is None else np.diag(k)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        k = self._split(theta)[0]
        y = self._mapped(u, theta)
        ones = Interval.point(np.ones(len(self.places)))
        return y, diagonal_intervals((ones if k is None else k).broadcast_to(y.shape))

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, self._mapped(u.vector, p.vector)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProductDifferential(ParameterFreeDifferential):
    """``(t_1, t_2) -> u_2 t_1 + u_1 t_2``; inputs (..., 2 n)."""

    inputs: Array

    @property
    @override
    def input_size(self) -> int:
        return self.inputs.shape[-1]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        n = self.input_size // 2
        u = self.inputs[..., None]
        return u[..., n:, :] * t_u[..., :n, :] + u[..., :n, :] * t_u[..., n:, :]

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        n = self.input_size // 2
        u = self.inputs[..., None]
        parts = [u[..., n:, :] * p_y, u[..., :n, :] * p_y]
        return p_y[..., :0, :], np.concatenate(parts, axis=-2)


@final
class EntrywiseProduct(StructuredMap):
    """``y = u1 u2`` entry by entry, as gates do."""

    def __init__(self, size: int) -> None:
        self.inputs = Space((Port("u1", (size,)), Port("u2", (size,))))
        self.outputs = one_port("y", size)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        n = self.outputs.size
        return u[..., :n] * u[..., n:]

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> ProductDifferential:
        return ProductDifferential(u)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        n = self.outputs.size
        left, right = u[..., :n], u[..., n:]
        return left * right, concatenate([diagonal_intervals(right), diagonal_intervals(left)], -1)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, u["u1"] * u["u2"]
