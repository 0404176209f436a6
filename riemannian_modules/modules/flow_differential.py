"""The differential of a flow map with many parameters: forward or adjoint, by cost.

All sensitivities take as many columns as there are states, inputs and parameters; the adjoint takes
a trajectory for each point, whatever the parameters are.
Source: Sandu (2006), Lecture Notes in Computer Science 3994, 550-557.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import ConvergenceError
from riemannian_modules.integration.adjoint import PulledProblem, pulled_back
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.side_by_side import Accuracy
from riemannian_modules.modules.differential import DenseDifferential, Differential
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Facts
from riemannian_modules.spaces import Array

# Columns of sensitivities that cost as much as the adjoint of one cotangent at one point: with 40
# columns the adjoint took a third of the time, with 290 two fifths, with 1,100 a tenth.
WORTH = 20


@final
class FlowDifferential(Differential):
    """The derivative of a flow map at a batch of points, made when it is asked for.

    Cotangents (..., n, k) are pulled back by the adjoint where they are few, that is where
    ``WORTH * points * k`` is at most the number of inputs and parameters of the map; otherwise, and
    where tangents are pushed, by all sensitivities.

    Args:
        flow_map: The map, whose Jacobian holds all sensitivities.
        flow: What it integrates.
        duration: Over which time.
        accuracy: The local error that is allowed.
        at: Inputs as of its `forward`: no state, states and inputs of the flow, parameters.
    """

    def __init__(
        self,
        flow_map: RiemannianModule,
        flow: RiemannianModule,
        duration: float,
        accuracy: Accuracy,
        at: tuple[Array, Array, Array],
    ) -> None:
        self._map, self._flow, self._at = flow_map, flow, at
        self._duration, self._accuracy = duration, accuracy
        self._last: tuple[Array, tuple[Array, Array]] | None = None
        self.way = "nothing yet"

    @override
    def facts(self) -> Facts:
        kind = type(self._flow).__name__
        return Facts(f"Differential of a FlowMap of {kind}", (("last by", self.way),))

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self._dense.push_outputs(t_x, t_u)

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return self._dense.push_state(t_x, t_u)

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        return self._dense.push_parameters(t, sizes)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        if not self._is_by_adjoint(p_y):
            return self._dense.pull_outputs(p_y)
        of_inputs, _ = self._pulled(p_y)
        return np.zeros((*of_inputs.shape[:-2], 0, p_y.shape[-1])), of_inputs

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        batch, k = p_dx.shape[:-2], p_dx.shape[-1]
        return np.zeros((*batch, 0, k)), np.zeros((*batch, self._map.inputs.size, k))

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        if not self._is_by_adjoint(p_y):
            return self._dense.pull_parameters(p_dx, p_y)
        return self._pulled(p_y)[1]

    @cached_property
    def _dense(self) -> DenseDifferential:
        self.way = "sensitivities"
        return DenseDifferential(self._map.jacobian(*self._at))

    @property
    def _batch(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(a.shape[:-1] for a in self._at))

    def _is_by_adjoint(self, p_y: Array) -> bool:
        columns = self._map.inputs.size + self._at[2].shape[-1]
        work = math.prod(self._batch) * p_y.shape[-1]
        return "_dense" not in vars(self) and 0 < WORTH * work <= columns

    def _pulled(self, p_y: Array) -> tuple[Array, Array]:
        """Cotangents of the map's inputs (..., n + m, k) and parameters (..., p, k)."""
        if self._last is None or not np.array_equal(self._last[0], p_y):
            self.way, batch = "the adjoint", self._batch
            _, u, theta = (np.broadcast_to(a, (*batch, a.shape[-1])) for a in self._at)
            w = np.broadcast_to(p_y, (*batch, *p_y.shape[-2:]))
            each = [self._at_point(u[i], theta[i], w[i]) for i in np.ndindex(batch)]
            inputs, parameters = (np.stack(part) for part in zip(*each, strict=True))
            shaped = (a.reshape(*batch, *a.shape[1:]) for a in (inputs, parameters))
            self._last = p_y.copy(), (next(shaped), next(shaped))
        return self._last[1]

    def _at_point(self, u: Array, theta: Array, w: Array) -> tuple[Array, Array]:
        flow, n = self._flow, self._map.outputs.size
        x, held = u[:n], u[n:]

        def pull(_: Array, x: Array, w: Array) -> Array:
            d = flow.differential(x, held, theta)
            none = np.zeros((len(x), flow.signature.outputs.size, w.shape[-1]))
            of_inputs = np.broadcast_to(d.pull_state(w)[1], (len(x), len(held), w.shape[-1]))
            return np.concatenate([of_inputs.sum(0), d.pull_parameters_sum(w, none)])

        def A(_: Array, x: Array) -> Array:
            t_x, t_u = np.eye(n), np.zeros((len(held), n))
            found = flow.differential(x, held, theta).push_state(t_x, t_u)
            return np.broadcast_to(found, (len(x), n, n))

        problem = PulledProblem(lambda _, x: flow.forward(x, held, theta)[0], A, pull)
        accuracy, duration = self._accuracy, self._duration
        try:
            of_start, of_others = pulled_back(problem, duration, x, w, accuracy)
        except StoppedError as stopped:
            raise ConvergenceError(
                f"FlowMap of {type(flow).__name__}: the integration over {duration} stopped early "
                f"at t = {stopped.time:.6g}: {stopped.message} The flow may leave its domain or "
                "run to infinity; shorten the duration, or begin elsewhere."
            ) from None
        m = len(held)
        return np.concatenate([of_start, of_others[:m]]), of_others[m:]
