"""A torch model at a batch of points, between float64 arrays on both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor

from riemannian_modules.space import Array
from riemannian_torch.batch import Mapped, Rules
from riemannian_torch.point_map import Function, PointMap, pure
from riemannian_torch.tensors import Kind, array

Rule: TypeAlias = Callable[[Mapped, Function, Tensor, Tensor, Tensor], Tensor]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A model's function and the points at which it is evaluated.

    Attributes:
        function: ``(theta, u) -> y`` on flat tensors of one point.
        constants: Frozen parameters and buffers, which the function must not change.
        kind: Floating type and device.
        rules: How the function is mapped over a batch and differentiated.
        point_map: The model with its spaces.
        theta: Parameters (..., p).
        u: Inputs (..., m).
    """

    function: Function
    constants: Mapping[str, Tensor]
    kind: Kind
    rules: Rules
    point_map: PointMap
    theta: Array
    u: Array

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch axes of parameters and inputs together."""
        return np.broadcast_shapes(self.u.shape[:-1], self.theta.shape[:-1])

    def values(self, outputs: int) -> Array:
        """The outputs, (..., outputs)."""
        with torch.no_grad():
            return self._over(self.function, self.batch, (), (outputs,))

    def columns(self, rule: Rule, given: Array, rows: int) -> Array:
        """Apply ``rule`` to tangents or cotangents (..., size, k); the result is (..., rows, k)."""
        batch, k = np.broadcast_shapes(self.batch, given.shape[:-2]), given.shape[-1]

        def one(theta: Tensor, u: Tensor, columns: Tensor) -> Tensor:
            return rule(self.rules.over, self.function, theta, u, columns)

        turned = np.swapaxes(given, -1, -2)
        return np.swapaxes(self._over(one, batch, (turned,), (k, rows)), -1, -2)

    def _over(
        self,
        function: Callable[..., Tensor],
        batch: tuple[int, ...],
        more: tuple[Array, ...],
        shape: tuple[int, ...],
    ) -> Array:
        if math.prod(batch) * math.prod(shape) == 0:
            return np.zeros((*batch, *shape))
        is_shared = self.theta.ndim == 1  # one set of parameters for all points, never repeated
        tensors = (
            self.kind.tensor(self.theta) if is_shared else self._flat(self.theta, batch, 1),
            self._flat(self.u, batch, 1),
            *(self._flat(part, batch, 2) for part in more),
        )
        batched = (not is_shared, *(True for _ in tensors[1:]))
        with pure(self.point_map, self.constants):
            result = self.rules.over(function, batched, tensors)
        return array(result).reshape(*batch, *shape)

    def _flat(self, part: Array, batch: tuple[int, ...], axes: int) -> Tensor:
        """All batch axes in one, in front of the last ``axes``."""
        own, count = part.shape[part.ndim - axes :], math.prod(batch)
        return self.kind.tensor(np.broadcast_to(part, (*batch, *own)).reshape(count, *own))
