"""Events of a run for a module: their formulas compiled, their resets laid onto the state.

A function that can be traced is compiled as a formula is; any other is called as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic.infix import normal, parse
from riemannian_modules.door import number
from riemannian_modules.engine.events import Event, Formula, Occurrence, Resets
from riemannian_modules.engine.input_signal import InputValue
from riemannian_modules.errors import (
    DomainError,
    RiemannianError,
    SignatureError,
    TraceError,
    UnsupportedError,
)
from riemannian_modules.integration.problem import Numbers
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.space import Array

Value = Callable[[float, list[float], list[float]], float]  # of a time, a state and inputs
TIME = "t"


@final
@dataclass(frozen=True, eq=False)
class EventsOf:
    """The events of a run of a module at fixed parameters.

    Attributes:
        module: The module.
        theta: Its parameters.
        events: The events.
        found: What has happened, in order; filled by `happen`.
    """

    module: RiemannianModule
    theta: Array
    events: Sequence[Event]
    found: list[Occurrence]

    @property
    def crossing(self) -> list[Event]:
        """Those that are zeros of functions."""
        return [e for e in self.events if e.when is not None]

    def values(self) -> Callable[[float, list[float], list[float]], Numbers]:
        """The functions whose zeros are events."""
        values = [self._value(e.name, e.when) for e in self.crossing if e.when is not None]
        return lambda t, x, u: [value(t, x, u) for value in values]

    def exact(self, time: Any) -> tuple[Any, ...]:
        """The exact terms of the functions that have some, in the module's symbols and ``time``."""
        terms = (self._term(e.when, time) for e in self.crossing if e.when is not None)
        return tuple(t for t in terms if t is not None)

    def scheduled(self) -> dict[float, list[Event]]:
        """The events at known times, by these times."""
        found: dict[float, list[Event]] = {}
        for e in self.events:
            for t in e.times.tolist():
                found.setdefault(t, []).append(e)
        return found

    def happen(
        self, t: float, x: Array, u: list[float], events: Sequence[Event]
    ) -> tuple[Array, bool]:
        """The state after events, one after the other; notes them down."""
        for e in events:
            after = x if e.reset is None else self._reset(e, e.reset, t, x, u)
            self.found.append(Occurrence(e.name, t, x.copy(), after.copy()))
            x = after
        return x, any(e.ends for e in events)

    def _reset(self, e: Event, reset: Resets, t: float, x: Array, u: list[float]) -> Array:
        where = f"{type(self.module).__name__}: reset of {e.name!r}"
        rows: Any = reset if isinstance(reset, Mapping) else reset(t, *self._signals(x, u))
        if not isinstance(rows, Mapping):
            raise SignatureError(
                f"{where}: expected new values of states by name, got {type(rows).__name__}. "
                "Return a mapping such as {'v': -x.v}."
            )
        space, after = self.module.signature.state, x.copy()
        space.check_names(rows, where)
        for name, given in rows.items():
            value: Any = given
            if isinstance(given, str):
                value = self._value(f"{e.name!r}: {name}", given)(t, x.tolist(), u)
            elif callable(given):
                value = given(t, *self._signals(x, u))
            place, flat = space.laid(name, value, f"{where}: {name!r}")
            after[place] = flat
        if not np.isfinite(after).all():
            raise DomainError(f"{where}: at t = {t:g} it gives NaN or infinity.")
        return after

    def _signals(self, x: Any, u: Any) -> tuple[Any, Any, Any]:
        s = self.module.signature
        return (
            s.state.signals(np.asarray(x, dtype=np.float64)),
            s.inputs.signals(np.asarray(u, dtype=np.float64)),
            s.parameters.signals(self.theta),
        )

    def _value(self, name: str, formula: Formula) -> Value:
        import sympy as sp

        from riemannian_modules.arithmetic.compile_scalars import compile_scalars
        from riemannian_modules.arithmetic.expression import symbols_of

        time = sp.Symbol("time of the run", real=True)
        term = self._term(formula, time)
        if term is not None:
            x, u, p = (symbols_of(space) for space in self.module.signature.distinct)
            compiled = compile_scalars((term,), (x, (*u, time), p), self.theta)
            return lambda t, x, u: compiled(x, [*u, t])[0]
        assert callable(formula)
        where = f"{type(self.module).__name__}: event {name!r}"

        def called(t: float, x: list[float], u: list[float]) -> float:
            return number(f"{where} at t = {t:g}", formula(t, *self._signals(x, u)))

        return called

    def _term(self, formula: Formula, time: Any) -> Any:
        """The exact term of a formula; None for a function that has none."""
        from riemannian_modules.arithmetic.expression import trace_arrays
        from riemannian_modules.arithmetic.symbolic_array import SymbolicArray

        s, name = self.module.signature, type(self.module).__name__

        def traced(x: Any, u: Any, p: Any) -> dict[str, Any]:
            t = SymbolicArray(time, x.vector.tracer)
            if isinstance(formula, str):
                return {"": _written(formula, t, x, u, p)}
            return {"": formula(t, x, u, p)}

        try:
            runs = [
                trace_arrays(name, traced, s.state, s.inputs, s.parameters, s.distinct)[""]
                for _ in range(1 if isinstance(formula, str) else 2)
            ]
        except (TraceError, UnsupportedError):
            if isinstance(formula, str):
                raise
            return None
        except RiemannianError as fault:
            raise SignatureError(f"{name}: event: {fault}") from None
        if runs[0].size != 1:
            raise SignatureError(
                f"{name}: an event's function gives one number, got an array of shape "
                f"{runs[0].shape}. Make an event of each entry."
            )
        first, last = runs[0].item(), runs[-1].item()
        # A function that gave a number may have read it somewhere; a formula's is what it says.
        is_exact = isinstance(formula, str) or (first == last and first.free_symbols)
        return first if is_exact else None


def _written(formula: str, t: Any, x: Any, u: Any, p: Any) -> Any:
    from riemannian_modules.arithmetic.infix_values import evaluate

    values = {TIME: t}
    for part in (p, u, x):  # a state comes before an input of its name
        values |= {normal(name): part[name] for name in part}
    return evaluate(formula, parse(formula, list(values)), values, x.vector.tracer)


def driven(
    values: Callable[[float, list[float], list[float]], Numbers], u: InputValue
) -> Callable[[float, list[float]], Numbers]:
    """The same functions of the time and the state alone."""
    return lambda t, x: values(t, x, u(t))
