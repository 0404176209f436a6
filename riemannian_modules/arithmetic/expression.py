"""Exact expressions of a module's map: traced once from NumPy code, then differentiated.

Source: operator overloading on exact terms; derivatives by the chain rule. Constants are exact
binary numbers, so an expression is the mathematical map that a program stands for, free of the
program's rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.chain_rule import (
    PowerRule,
    algebraic_power,
    evaluated_power,
    partial_derivatives,
)
from riemannian_modules.arithmetic.symbolic_array import SymbolicArray, entries_of, exact
from riemannian_modules.arithmetic.tracer import Guard, Tracer
from riemannian_modules.errors import RiemannianError, SignatureError, TraceError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Signals, Space


@final
@dataclass(frozen=True, repr=False)
class Expressions(Shown):
    """A module's map in exact terms: symbols, the state's derivative or successor, outputs."""

    state: tuple[sp.Symbol, ...]
    inputs: tuple[sp.Symbol, ...]
    parameters: tuple[sp.Symbol, ...]
    dx: tuple[sp.Expr, ...]
    y: tuple[sp.Expr, ...]
    guards: tuple[Guard, ...]

    @property
    def arguments(self) -> tuple[tuple[sp.Symbol, ...], ...]:
        """The symbols grouped as compiled code takes them: state, inputs, parameters."""
        return self.state, self.inputs, self.parameters

    def with_values(self, values: Mapping[sp.Symbol, Any]) -> Expressions:
        """The same map with some symbols replaced by exact values, those of floats being exact."""
        tracer = Tracer("substitution")
        table = {symbol: exact(value, tracer) for symbol, value in values.items()}

        def put(e: Any) -> Any:
            return e.xreplace(table)

        return Expressions(
            tuple(s for s in self.state if s not in table),
            tuple(s for s in self.inputs if s not in table),
            tuple(s for s in self.parameters if s not in table),
            tuple(put(e) for e in self.dx),
            tuple(put(e) for e in self.y),
            tuple(Guard(g.kind, put(g.expression)) for g in self.guards),
        )


def symbols_of(space: Space) -> tuple[sp.Symbol, ...]:
    """One real symbol for each coordinate, named as the coordinate."""
    return tuple(sp.Symbol(name, real=True) for name in space.coordinates)


def trace(
    name: str,
    equations: Callable[[Signals, Signals, Signals], tuple[Any, Any]],
    state: Space,
    inputs: Space,
    parameters: Space,
    outputs: Space,
    theta: Any = None,
    named: tuple[Space, Space, Space] | None = None,
) -> Expressions:
    """Run ``equations(x, u, p)`` once on symbols and keep what it computes.

    Args:
        name: The module's name, for messages.
        equations: A map written in NumPy for one point; returns the state's derivative and the
            outputs, each a mapping from port names to arrays, or one flat array.
        state: Space of x and of the derivative.
        inputs: Space of u.
        parameters: Space of p.
        outputs: Space of the outputs.
        theta: Values (p,) that stand for the parameters, taken exactly; None keeps them as symbols.
        named: The first three spaces under names that differ, where their own do not.

    Returns:
        The map's exact expressions. Cost: one run of the map, a few microseconds an operation.

    Raises:
        TraceError: If an operation cannot be traced, or the map is too large (see
            ``LARGEST_TRACE`` of tracer).
        SignatureError: If names or shapes of the results are not those that were declared.
    """
    tracer = Tracer(name)
    state_symbols, input_symbols, free = (
        symbols_of(s) for s in named or (state, inputs, parameters)
    )
    values: list[Sequence[Any]] = [state_symbols, input_symbols, free]
    if theta is not None:
        free, values[2] = (), [exact(v, tracer) for v in theta]
    x, u, p = (
        s.signals(SymbolicArray(_object_array(g), tracer))
        for s, g in zip((state, inputs, parameters), values, strict=True)
    )
    try:
        result = equations(x, u, p)
    except RiemannianError:
        raise
    except RecursionError:
        raise too_deep(name) from None
    except Exception as fault:
        raise TraceError(
            f"{name}: tracing the map stopped at {type(fault).__name__}: {fault}. If it runs with "
            "NumPy's numbers, it uses something that cannot be traced there; otherwise check the "
            "shapes. Write it with NumPy's arithmetic, elementary functions, indexing, np.stack, "
            "np.where, np.maximum and @, or subclass RiemannianModule and write `jacobian` by hand."
        ) from fault
    if result is None or (isinstance(result, tuple) and any(part is None for part in result)):
        raise SignatureError(
            f"{name}: the map returned None; expected the derivative or successor of "
            f"{state.describe()} and the outputs {outputs.describe()}. Is a `return` missing?"
        )
    # A map without declared outputs gives its state, and returns the derivative alone.
    dx, y = result if isinstance(result, tuple) and len(result) == 2 else (result, x.vector)
    flat_dx = flatten_result(dx, state, f"{name}: the state's derivative or successor", tracer)
    flat_y = flatten_result(y, outputs, f"{name}: the outputs", tracer)
    guards = tuple(dict.fromkeys(tracer.guards))
    return Expressions(state_symbols, input_symbols, free, flat_dx, flat_y, guards)


def trace_arrays(
    name: str,
    function: Callable[[Signals, Signals, Signals], Mapping[str, Any]],
    state: Space,
    inputs: Space,
    parameters: Space,
    named: tuple[Space, Space, Space] | None = None,
) -> dict[str, Any]:
    """Run ``function(x, u, p)`` once on symbols; the exact entries of the arrays that it returns.

    ``named`` is as in `trace`.

    Returns:
        Object arrays of expressions in the symbols of the three spaces, by the names returned.

    Raises:
        TraceError: If an operation cannot be traced.
    """
    tracer = Tracer(name)
    x, u, p = (
        s.signals(SymbolicArray(_object_array(symbols_of(n)), tracer))
        for s, n in zip(
            (state, inputs, parameters), named or (state, inputs, parameters), strict=True
        )
    )
    try:
        return {key: entries_of(value, tracer) for key, value in function(x, u, p).items()}
    except RiemannianError:
        raise
    except Exception as fault:
        raise TraceError(
            f"{name}: tracing stopped at {type(fault).__name__}: {fault}. Write it with NumPy's "
            "arithmetic, elementary functions, indexing, np.stack and @."
        ) from fault


def _object_array(items: Sequence[Any]) -> Any:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def flatten_result(result: Any, space: Space, where: str, tracer: Tracer) -> tuple[sp.Expr, ...]:
    """The expressions of a map's result in the order of ``space``; checks names and shapes.

    Raises:
        SignatureError: If names are unknown or missing, or a shape is not the declared one.
    """
    if isinstance(result, Mapping):
        unknown, missing = set(result) - set(space.names), set(space.names) - set(result)
        if unknown or missing:
            raise SignatureError(
                f"{where}: unknown names {sorted(unknown)}, missing names {sorted(missing)}; "
                f"declared are: {space.describe()}."
            )
        flat: list[sp.Expr] = []
        for port in space.ports:
            entries = _result_entries(result[port.name], tracer)
            if entries.size != port.size:
                raise SignatureError(
                    f"{where}: {port.name!r} is declared with shape {port.shape}, got "
                    f"{entries.shape}."
                )
            flat.extend(entries.ravel())
        return tuple(flat)
    entries = _result_entries(result, tracer)
    if entries.size != space.size:
        raise SignatureError(
            f"{where}: expected {space.size} numbers ({space.describe()}), got shape "
            f"{entries.shape}."
        )
    return tuple(entries.ravel())


def _result_entries(value: Any, tracer: Tracer) -> Any:
    if isinstance(value, SymbolicArray):
        return value.entries
    if isinstance(value, (list, tuple)):
        parts = [np.ravel(_result_entries(part, tracer)) for part in value]
        return np.concatenate(parts) if parts else np.empty(0, dtype=object)
    array = np.asarray(value)
    return _object_array([exact(v, tracer) for v in array.ravel()]).reshape(array.shape)


def too_deep(name: str) -> TraceError:
    """The error for expressions that are nested more deeply than SymPy can follow."""
    return TraceError(
        f"{name}: the formulas are nested too deeply, a few hundred operations inside each other, "
        "as loops give. Make each turn of the loop a module and chain them, or subclass "
        "RiemannianModule and write `jacobian` by hand."
    )


@lru_cache(maxsize=512)
def derivatives(
    expressions: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...]
) -> tuple[tuple[sp.Expr, ...], ...]:
    """The Jacobian, a row for each expression; entries that cannot depend are zero at no cost.

    In terms that are exact wherever they are defined: for proofs.

    Raises:
        TraceError: If the expressions are nested more deeply than SymPy can follow.
    """
    return _rows(expressions, symbols, algebraic_power)


@lru_cache(maxsize=512)
def evaluated_derivatives(
    expressions: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...]
) -> tuple[tuple[sp.Expr, ...], ...]:
    """As `derivatives`, for floats alone: with limits where powers and roots are of zero.

    Raises:
        TraceError: As `derivatives`.
    """
    return _rows(expressions, symbols, evaluated_power)


def _rows(
    expressions: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...], power: PowerRule
) -> tuple[tuple[sp.Expr, ...], ...]:
    try:
        return tuple(partial_derivatives(expressions, symbols, power))
    except RecursionError:
        raise too_deep("derivatives") from None
