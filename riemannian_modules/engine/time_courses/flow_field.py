"""A flow, and what of it a fit moves.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from riemannian_modules.engine.vector_field import VectorField, vector_field
from riemannian_modules.integration.linearised import Linearised
from riemannian_modules.modules.linearised_rate import linearised_rate
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class FlowField:
    """A flow, and the positions of inputs (then of parameters) in which it is differentiated."""

    flow: RiemannianModule
    inputs: tuple[int, ...]
    parameters: tuple[int, ...]

    def at(self, theta: Array) -> VectorField:
        """``(x, u) -> dx`` and its Jacobian in x, at parameters (p,)."""
        return vector_field(self.flow, theta)

    def linearised(self, theta: Array) -> Linearised:
        """``(x, u) -> (dx, [A, B, E])`` at parameters (p,)."""
        return linearised_rate(self.flow, theta, self.inputs, self.parameters)
