"""A module's state derivative as a solver calls it: one point at a time, thousands of times.

A small module that can be traced, a composite included, becomes one function on Python floats with
its exact Jacobian. A large one becomes operations on long arrays with a sparse Jacobian, its like
parts together. Any other module is swept.
"""

from __future__ import annotations

import abc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.inputs import InputValue
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.graph.assembly import assembled
from riemannian_modules.graph.batched import Batched
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    SmoothProblem,
    SparseProblem,
)
from riemannian_modules.modules.compiled_rate import is_large
from riemannian_modules.modules.linearised_rate import LARGEST_TRACED
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.readings import readings_of
from riemannian_modules.spaces import Array


class VectorField(abc.ABC):
    """``(x, u) -> dx`` (the successor in discrete time) at fixed parameters, and its Jacobian."""

    @abc.abstractmethod
    def rate(self, x: Array, u: Numbers) -> Array:
        """The derivative at one point, (n,)."""

    @abc.abstractmethod
    def problem(self, u: InputValue, start: Array) -> SmoothProblem:
        """The initial value problem under inputs ``u``."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class ScalarField(VectorField):
    """A small field on Python floats.

    Attributes:
        derivative: From n and m Python floats to n numbers.
        jacobian: From the same to A, shape (n, n).
    """

    derivative: Callable[[Numbers, Numbers], Numbers]
    jacobian: Callable[[Numbers, Numbers], Array]

    @override
    def rate(self, x: Array, u: Numbers) -> Array:
        return np.array(self.derivative(x.tolist(), u), dtype=np.float64)

    @override
    def problem(self, u: InputValue, start: Array) -> InitialValueProblem:
        f, jacobian = self.derivative, self.jacobian
        return InitialValueProblem(lambda t, x: f(x, u(t)), lambda t, x: jacobian(x, u(t)), start)


@final
@dataclass(frozen=True, slots=True, eq=False)
class BatchedField(VectorField):
    """A large field on arrays, with a sparse Jacobian.

    Attributes:
        map: The module's operations.
        theta: The parameters' values, (p,).
    """

    map: Batched
    theta: Array

    @override
    def rate(self, x: Array, u: Numbers) -> Array:
        return self.map.derivative(x, np.asarray(u, dtype=np.float64), self.theta)

    def jacobian(self, x: Array, u: Numbers) -> Any:
        """The Jacobian at one point, sparse (n, n) in columns."""
        return self.map.jacobian(x, np.asarray(u, dtype=np.float64), self.theta)

    @override
    def problem(self, u: InputValue, start: Array) -> SparseProblem:
        return SparseProblem(
            lambda t, x: self.rate(x, u(t)), lambda t, x: self.jacobian(x, u(t)), start
        )


def vector_field(module: RiemannianModule, theta: Array) -> VectorField:
    """The fastest vector field that the module allows. Tracing and compiling are remembered."""
    if is_large(module):
        return BatchedField(operations_of(module), theta)
    try:
        return fused_field(module, theta)
    except (TraceError, UnsupportedError):
        return swept_field(module, theta)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A module's operations, and what its equations read when they were made."""

    module: weakref.ref[RiemannianModule]
    readings: tuple[Any, ...]
    operations: Batched


_KNOWN: dict[int, _Known] = {}


def operations_of(module: RiemannianModule) -> Batched:
    """The module's operations on arrays, remembered while its equations read the same."""
    place = id(module)
    known = _KNOWN.get(place)
    if known is None or known.module() is not module or known.readings != readings_of(module):
        operations = assembled(module)
        forget = weakref.ref(module, lambda _: _KNOWN.pop(place, None))
        known = _KNOWN[place] = _Known(forget, readings_of(module), operations)
    return known.operations


def swept_field(module: RiemannianModule, theta: Array) -> ScalarField:
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

    return ScalarField(derivative, jacobian)


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


def fused_field(module: RiemannianModule, theta: Array) -> ScalarField:
    """The whole module, composites included, as one compiled function.

    Raises:
        TraceError, UnsupportedError: If some part of it has no exact form.
    """
    from riemannian_modules.arithmetic.compile_scalars import compile_scalars
    from riemannian_modules.arithmetic.expression import evaluated_derivatives

    e = module.expressions
    derivative = compile_scalars(e.dx, e.arguments, theta)
    if _operation_count(e.dx) > LARGEST_TRACED:
        return ScalarField(derivative, swept_field(module, theta).jacobian)
    n = len(e.dx)
    entries = sum(evaluated_derivatives(e.dx, e.state), ())
    places = [i for i, entry in enumerate(entries) if entry != 0]
    values = compile_scalars(tuple(entries[i] for i in places), e.arguments, theta)

    def jacobian(x: Numbers, u: Numbers) -> Array:
        A = np.zeros(n * n)
        if places:
            A[places] = values(x, u)
        return A.reshape(n, n)

    return ScalarField(derivative, jacobian)
