"""A flow's derivative with its slopes in the state and in chosen inputs and parameters.

A flow that can be traced is one compiled function on Python floats for values and slopes together;
any other is asked for its own Jacobian.
Source: none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.linearised import Linearised
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule

LARGEST_FUSED = 60  # states
LARGEST_TRACED = 4_000  # operations of a map; of larger ones it is swept

Some = tuple[int, ...]


def linearised_rate(
    flow: RiemannianModule, theta: Array, inputs: Some, parameters: Some
) -> Linearised:
    """``(x, u) -> (dx, [A, B, E])`` at parameters (p,), by the faster way that the flow allows.

    Args:
        flow: A module in continuous time.
        theta: Its parameters, (p,).
        inputs: Positions of the inputs in which it is differentiated.
        parameters: Likewise of the parameters.
    """
    if flow.signature.state.size <= LARGEST_FUSED:
        try:
            return fused_rate(flow, theta, inputs, parameters)
        except (TraceError, UnsupportedError):
            pass
    return _swept(flow, theta, list(inputs), list(parameters))


def fused_rate(flow: RiemannianModule, theta: Array, inputs: Some, parameters: Some) -> Linearised:
    """As `linearised_rate`, compiled; compiling is remembered.

    Raises:
        TraceError: If it cannot be traced.
        UnsupportedError: If some part of it has no exact form, or it is large.
    """
    from riemannian_modules.arithmetic.chain_rule import distinct_terms
    from riemannian_modules.arithmetic.compile_scalars import compile_scalars
    from riemannian_modules.arithmetic.expression import evaluated_derivatives

    e = flow.expressions
    n = len(e.dx)
    if len(distinct_terms(e.dx)) > LARGEST_TRACED:
        raise UnsupportedError("A large map is faster in matrices.")
    columns = (
        *e.state,
        *(e.inputs[i] for i in inputs),
        *(e.parameters[i] for i in parameters),
    )
    entries: tuple[Any, ...] = sum(evaluated_derivatives(e.dx, columns), ())
    width = len(columns)
    found = [i for i, entry in enumerate(entries) if entry != 0]
    rate = compile_scalars(e.dx, e.arguments, theta)
    values = compile_scalars((*e.dx, *(entries[i] for i in found)), e.arguments, theta)
    return Linearised(rate, values, tuple(divmod(i, width) for i in found), (n, width))


def _swept(
    flow: RiemannianModule, theta: Array, inputs: list[int], parameters: list[int]
) -> Linearised:
    def rate(x: Numbers, u: Numbers) -> Numbers:
        at = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64), theta
        return flow.forward(*at)[0].tolist()

    def values(x: Numbers, u: Numbers) -> Numbers:
        at = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64), theta
        J = flow.jacobian(*at)
        moved = (J.A, J.B[..., inputs], J.E[..., parameters])
        flat = np.concatenate(moved, axis=-1).ravel()
        return [*flow.forward(*at)[0].tolist(), *flat.tolist()]

    n = flow.signature.state.size
    shape = n, n + len(inputs) + len(parameters)
    return Linearised(rate, values, tuple(np.ndindex(shape)), shape)  # all of it
