"""A flow from several points of a batch, as the integrators of batches take it.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.side_by_side import Flows
from riemannian_modules.modules.compiled_rate import CompiledRate, compiled_rate, is_large
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class FlowMembers(Flows):
    """A flow from several points: start (M, n), inputs (M, 1, m), parameters (p,) or (M, 1, p)."""

    flow: RiemannianModule
    start: Array
    u: Array
    theta: Array
    rates: CompiledRate | None = None

    def compiled(self) -> Self:
        """The same, its rate by one compiled function, if the flow allows it."""
        if is_large(self.flow):
            return self
        try:
            return replace(self, rates=compiled_rate(self.flow))
        except (TraceError, UnsupportedError):
            return self

    def by_point(self) -> tuple[Array, Array, Array]:
        """Starts (M, n), inputs (M, m) and parameters (M, p)."""
        theta = self.theta[None] if self.theta.ndim == 1 else self.theta[:, 0]
        shape = (len(self.start), self.theta.shape[-1])
        return self.start, self.u[:, 0], np.broadcast_to(theta, shape)

    @override
    def write_rate(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        if self.rates is None or z.shape[1] > 1:
            super().write_rate(t, c, h, z, out)
            return
        for row, value in zip(out[:, 0], self.rates(z[:, 0], *self._single), strict=True):
            row[:] = value

    @override
    def write_move(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        if self.rates is None or z.shape[1] > 1:
            super().write_move(t, c, h, z, out)
            return
        for row, value in zip(out[:, 0], self.rates(z[:, 0], *self._single), strict=True):
            np.multiply(value, h, out=row)

    @cached_property
    def _single(self) -> tuple[Array, Any]:
        """Inputs (m, M) and parameters, a list or (p, M), for states (n, M)."""
        u, theta = self._arguments
        return u[..., 0], theta if isinstance(theta, list) else theta[..., 0]

    @cached_property
    def _arguments(self) -> tuple[Array, Any]:
        """Inputs (m, M, 1) and parameters, a list or (p, M, 1), for states (n, M, s)."""
        theta = self.theta.tolist() if self.theta.ndim == 1 else self.theta.transpose(2, 0, 1)
        return self.u.transpose(2, 0, 1), theta

    @override
    def velocity(self, t: Array, x: Array) -> Array:
        if self.rates is None:
            return self.flow.forward(x, self.u, self.theta)[0]
        states = x.transpose(2, 0, 1)
        rates = np.empty(states.shape)
        for row, value in zip(rates, self.rates(states, *self._arguments), strict=True):
            row[:] = value
        return rates.transpose(1, 2, 0)

    @override
    def differential(self, t: Array, x: Array) -> tuple[Array, Array]:
        J = self.flow.jacobian(x, self.u, self.theta)
        return J.A, np.concatenate([np.zeros_like(J.A), J.B, J.E], axis=-1)

    @override
    def only(self, kept: Any) -> Self:
        theta = self.theta if self.theta.ndim == 1 else self.theta[kept]
        return replace(self, start=self.start[kept], u=self.u[kept], theta=theta)
