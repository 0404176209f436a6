"""The differential of a torch model: pushes forward, pulls in reverse, and forms no matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.modules.differential import Differential
from riemannian_modules.spaces import Array
from riemannian_torch.batch import pull, pull_parameters, push_by_rows
from riemannian_torch.points import Points


@final
@dataclass(frozen=True, slots=True, eq=False)
class TorchDifferential(Differential):
    """The derivative of ``(u, theta) -> y`` at a batch of points.

    Each call evaluates the model once more and then costs one forward or reverse pass a column;
    only what it returns is stored.

    Attributes:
        points: The model at its points.
        sizes: Numbers of inputs, outputs and parameters.
    """

    points: Points
    sizes: tuple[int, int, int]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.points.columns(self.points.rules.push, t_u, self.sizes[1])

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return np.zeros((*self._batch(t_u), 0, t_u.shape[-1]))

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        nothing = np.zeros((*self._batch(p_y), 0, p_y.shape[-1]))
        return nothing, self.points.columns(pull, p_y, self.sizes[0])

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        batch, k = self._batch(p_dx), p_dx.shape[-1]
        return np.zeros((*batch, 0, k)), np.zeros((*batch, self.sizes[0], k))

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        return self.points.columns(pull_parameters, p_y, self.sizes[2])

    @override
    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        if self.points.theta.ndim > 1:
            return Differential.pull_parameters_sum(self, p_dx, p_y)
        return self.points.summed(p_y, self.sizes[2])

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        if self.points.theta.ndim > 1 or self.points.rules.push is push_by_rows:
            return Differential.push_parameters(self, t, sizes)
        t_y = self.points.pushed(t, self.sizes[1])
        return t_y[..., :0, :], t_y

    def _batch(self, columns: Array) -> tuple[int, ...]:
        return np.broadcast_shapes(self.points.batch, columns.shape[:-2])
