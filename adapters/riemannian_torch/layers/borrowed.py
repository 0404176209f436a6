"""A map whose parameters are entries of another module's, as weights that are tied across layers.

Source: Press and Wolf (2017), arXiv:1608.05859; the derivative is the sum over both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arrays import Places
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.ownership import Compound
from riemannian_modules.modules.structured_map import StaticDifferential, StructuredMap
from riemannian_modules.spaces import Array, Signals


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BorrowedDifferential(StaticDifferential):
    """The inner map's differential; its parameters are entries at ``places`` of ``size``."""

    inner: StaticDifferential
    places: Places
    size: int

    @property
    @override
    def input_size(self) -> int:
        return self.inner.input_size

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.inner.push_outputs(t_x, t_u)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return self.inner.pull_outputs(p_y)

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        return self._at_home(self.inner.pull_parameters(p_dx, p_y))

    @override
    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        return self._at_home(self.inner.pull_parameters_sum(p_dx, p_y))

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        return self.inner.push_parameters(t[self.places], sizes)

    def _at_home(self, pulled: Array) -> Array:
        whole = np.zeros((*pulled.shape[:-2], self.size, pulled.shape[-1]))
        whole[..., self.places, :] = pulled
        return whole


@final
class Borrowed(StructuredMap, Compound):
    """``y = f(u; theta[places])`` with the parameters theta of another module.

    Args:
        inner: f, whose own values do not count.
        owner: The module that has the parameters.
        places: Which of them the parameters of f are, each once.
    """

    def __init__(self, inner: StructuredMap, owner: RiemannianModule, places: Places) -> None:
        self.inner, self.owner, self.places = inner, owner, places
        self.inputs, self.outputs = inner.inputs, inner.outputs
        self.parameters = owner.parameters

    @property
    @override
    def owners(self) -> Mapping[str, RiemannianModule]:
        return {"": self.owner}

    @override
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        return type(self)(self.inner, changed[id(self.owner)], self.places)

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        return type(self)(self.inner, self.owner.with_parameters(theta), self.places)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return self.inner.map_values(u, theta[..., self.places])

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> BorrowedDifferential:
        inner = self.inner.differential(x, u, theta[..., self.places])
        return BorrowedDifferential(inner, self.places, theta.shape[-1])

    @override
    def input_matrix(self, theta: Array) -> Array | None:
        return self.inner.input_matrix(theta[self.places])

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        return self.inner.enclose_map(u, theta[..., self.places])

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        own = self.inner.signature.parameters.signals(p.vector[self.places])
        return self.inner.equations(x, u, own)
