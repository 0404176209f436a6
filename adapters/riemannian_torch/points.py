"""A torch model at a batch of points, between float64 arrays on both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor

from riemannian_modules.spaces import Array
from riemannian_torch.batch import Mapped, Rules, pull_parameters_sum, push_parameters
from riemannian_torch.point_map import PointMap, TensorMap, pure
from riemannian_torch.tensors import TensorKind, array

BatchRule: TypeAlias = Callable[[Mapped, TensorMap, Tensor, Tensor, Tensor], Tensor]


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

    function: TensorMap
    constants: Mapping[str, Tensor]
    kind: TensorKind
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

    def columns(self, rule: BatchRule, given: Array, rows: int) -> Array:
        """Apply ``rule`` to tangents or cotangents (..., size, k); the result is (..., rows, k)."""
        batch, k = np.broadcast_shapes(self.batch, given.shape[:-2]), given.shape[-1]

        def one(theta: Tensor, u: Tensor, columns: Tensor) -> Tensor:
            return rule(self.rules.over, self.function, theta, u, columns)

        turned = np.swapaxes(given, -1, -2)
        return np.swapaxes(self._over(one, batch, (turned,), (k, rows)), -1, -2)

    def summed(self, given: Array, rows: int) -> Array:
        """Cotangents (..., q, k) of one theta pulled to it, all points summed: (rows, k)."""
        k = given.shape[-1]
        if given.size == 0 or rows == 0:
            return np.zeros((rows, k))
        batch = np.broadcast_shapes(self.batch, given.shape[:-2])
        columns = self.kind.tensor(np.moveaxis(given, -1, 0)).reshape(k, -1, given.shape[-2])
        theta, u = self.kind.lent(self.theta), self._flat(self.u, batch, 1)
        with pure(self.point_map, self.constants):
            found = pull_parameters_sum(self.rules.over, self.function, theta, u, columns)
        return array(found).T

    def pushed(self, given: Array, outputs: int) -> Array:
        """Tangents (p, k) of one theta pushed to the outputs of all points: (..., outputs, k)."""
        batch, k = self.batch, given.shape[-1]
        if math.prod(batch) * given.size * outputs == 0:
            return np.zeros((*batch, outputs, k))
        theta, u = self.kind.tensor(self.theta), self._flat(self.u, batch, 1)
        with pure(self.point_map, self.constants):
            found = push_parameters(
                self.rules.over, self.function, theta, u, self.kind.tensor(given.T)
            )
        return np.moveaxis(array(found).reshape(k, *batch, outputs), 0, -1)

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
