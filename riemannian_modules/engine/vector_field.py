"""A module's state derivative as a solver calls it: one point at a time, thousands of times.

A module that can be traced, a composite included, becomes one function on Python floats with its
exact Jacobian. Any other module is swept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.problem import Numbers
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.space import Array

# Beyond these, tracing takes longer than it saves and matrices are faster than scalars.
LARGEST_FUSED_STATE = 50
LARGEST_FUSED_PARAMETERS = 400
LARGEST_FUSED_JACOBIAN = 4_000  # operations of the map


@final
@dataclass(frozen=True, slots=True, eq=False)
class VectorField:
    """``(x, u) -> dx`` (the successor in discrete time) at fixed parameters, and its Jacobian in x.

    Attributes:
        derivative: From n and m Python floats to n numbers.
        jacobian: From the same to A, shape (n, n).
    """

    derivative: Callable[[Numbers, Numbers], Numbers]
    jacobian: Callable[[Numbers, Numbers], Array]


def vector_field(module: RiemannianModule, theta: Array) -> VectorField:
    """The fastest vector field that the module allows. Tracing and compiling are remembered."""
    s = module.signature
    if s.state.size > LARGEST_FUSED_STATE or s.parameters.size > LARGEST_FUSED_PARAMETERS:
        return swept_field(module, theta)
    try:
        return fused_field(module, theta)
    except (TraceError, UnsupportedError):
        return swept_field(module, theta)


def swept_field(module: RiemannianModule, theta: Array) -> VectorField:
    """The module's own `forward` and `differential`; a matrix stays a matrix."""
    n, m = module.signature.state.size, module.signature.inputs.size
    t_x, t_u = np.eye(n), np.zeros((m, n))

    def derivative(x: Numbers, u: Numbers) -> Numbers:
        return module.forward(np.asarray(x, dtype=np.float64), np.asarray(u, float), theta)[
            0
        ].tolist()

    def jacobian(x: Numbers, u: Numbers) -> Array:
        d = module.differential(np.asarray(x, dtype=np.float64), np.asarray(u, float), theta)
        return d.push_state(t_x, t_u)

    return VectorField(derivative, jacobian)


def _operation_count(expressions: tuple[Any, ...]) -> int:
    """Number of distinct operations in expressions that share subterms."""
    seen: set[Any] = set()
    stack = list(expressions)
    while stack:
        term = stack.pop()
        if term.args and term not in seen:
            seen.add(term)
            stack.extend(term.args)
    return len(seen)


def fused_field(module: RiemannianModule, theta: Array) -> VectorField:
    """The whole module, composites included, as one compiled function.

    Raises:
        TraceError, UnsupportedError: If some part of it has no exact form.
    """
    from riemannian_modules.arithmetic.compile_scalars import compile_scalars
    from riemannian_modules.arithmetic.expression import evaluated_derivatives

    e = module.expressions
    derivative = compile_scalars(e.dx, e.arguments, theta)
    if _operation_count(e.dx) > LARGEST_FUSED_JACOBIAN:
        return VectorField(derivative, swept_field(module, theta).jacobian)
    n = len(e.dx)
    entries = sum(evaluated_derivatives(e.dx, e.state), ())
    places = [i for i, entry in enumerate(entries) if entry != 0]
    values = compile_scalars(tuple(entries[i] for i in places), e.arguments, theta)

    def jacobian(x: Numbers, u: Numbers) -> Array:
        A = np.zeros(n * n)
        if places:
            A[places] = values(x, u)
        return A.reshape(n, n)

    return VectorField(derivative, jacobian)
