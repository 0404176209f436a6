"""A flow with its derivatives in the state and in what the fit moves, as a solver calls them.

A flow that can be traced is one compiled function on Python floats for values and derivatives
together; any other is asked for its own Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.engine.time_courses.sensitivity_code import Places
from riemannian_modules.engine.vector_field import (
    LARGEST_FUSED_JACOBIAN,
    VectorField,
    vector_field,
)
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.problem import Numbers
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Linearised:
    """``(x, u) -> dx`` with the entries of [A, F] behind it, those that are not zero.

    A is the derivative in the state, F (n, q) that in what the fit moves.

    Attributes:
        values: From n and m floats to n numbers and the entries, in the order of `places`.
        places: Where they stand in [A, F] (n, n + q).
        shape: (n, n + q).
    """

    values: Callable[[Numbers, Numbers], Numbers]
    places: Places
    shape: tuple[int, int]

    def matrix(self, x: Numbers, u: Numbers) -> Array:
        """[A, F], (n, n + q)."""
        J = np.zeros(self.shape)
        J[self.index] = self.values(x, u)[self.shape[0] :]
        return J

    @property
    def index(self) -> tuple[list[int], list[int]]:
        """The places as NumPy takes them."""
        return [i for i, _ in self.places], [j for _, j in self.places]


LARGEST_FUSED = 60  # states


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
        s = self.flow.signature
        if s.state.size <= LARGEST_FUSED:
            try:
                return self._fused(theta)
            except (TraceError, UnsupportedError):
                pass
        return self._swept(theta)

    def _fused(self, theta: Array) -> Linearised:
        from riemannian_modules.arithmetic.chain_rule import distinct_terms
        from riemannian_modules.arithmetic.compile_scalars import compile_scalars
        from riemannian_modules.arithmetic.expression import evaluated_derivatives

        e = self.flow.expressions
        n = len(e.dx)
        if len(distinct_terms(e.dx)) > LARGEST_FUSED_JACOBIAN:
            raise UnsupportedError("A large map is faster in matrices.")
        columns = (
            *e.state,
            *(e.inputs[i] for i in self.inputs),
            *(e.parameters[i] for i in self.parameters),
        )
        entries: tuple[Any, ...] = sum(evaluated_derivatives(e.dx, columns), ())
        width = len(columns)
        found = [i for i, entry in enumerate(entries) if entry != 0]
        values = compile_scalars((*e.dx, *(entries[i] for i in found)), e.arguments, theta)
        return Linearised(values, tuple(divmod(i, width) for i in found), (n, width))

    def _swept(self, theta: Array) -> Linearised:
        module, inputs, parameters = self.flow, list(self.inputs), list(self.parameters)

        def values(x: Numbers, u: Numbers) -> Numbers:
            at = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64), theta
            J = module.jacobian(*at)
            moved = (J.A, J.B[..., inputs], J.E[..., parameters])
            flat = np.concatenate(moved, axis=-1).ravel()
            return [*module.forward(*at)[0].tolist(), *flat.tolist()]

        shape = (module.signature.state.size,
                 module.signature.state.size + len(inputs) + len(parameters))  # fmt: skip
        return Linearised(values, tuple(np.ndindex(shape)), shape)  # all of it
