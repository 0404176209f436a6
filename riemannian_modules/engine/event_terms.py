"""Events of a run for a module: their formulas compiled, their resets laid onto the state.

A function that can be traced is compiled as a formula is; any other is called as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from riemannian_modules.integration.crossings import Zeros, each
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array, Space

EventValue = Callable[[float, list[float], list[float]], float]  # of a time, a state and inputs
EventValues = Callable[[Array, Array, Array], Array]  # the same of T times, (T, n) and (T, m)
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

    def zeros(self, u: InputValue) -> Zeros:
        """The functions whose zeros are events, under inputs."""
        values = [at for at, _ in self._values]

        def along(t: Array, x: Array) -> Array:
            inputs = np.array([u(time) for time in t.tolist()]).reshape(len(t), -1)
            return self.values_along(t, x, inputs)

        return Zeros(lambda t, x: [value(t, x, u(t)) for value in values], along)

    def values_along(self, t: Array, x: Array, u: Array) -> Array:
        """The functions (T, l) at times (T,), states (T, n) and inputs (T, m)."""
        paths = [along(t, x, u) for _, along in self._values]
        return np.array(paths, dtype=np.float64).reshape(-1, len(t)).T

    def exact(self, time: Any) -> tuple[Any, ...]:
        """The exact terms of the functions that have some, in the module's symbols and ``time``."""
        terms = (term for term in self._terms if term is not None and term.free_symbols)
        return tuple(term.xreplace({_time(): time}) for term in terms)

    @cached_property
    def _terms(self) -> list[Any]:
        """The exact terms of the crossing events, None of those that have none."""
        return [self._term(e.when, _time()) for e in self.crossing if e.when is not None]

    @cached_property
    def _values(self) -> list[tuple[EventValue, EventValues]]:
        crossing = zip(self.crossing, self._terms, strict=True)
        return [self._crossed(e.name, e.when, term) for e, term in crossing if e.when is not None]

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

    @cached_property
    def _written(self) -> dict[str, EventValue]:
        """The formulas of resets that were met so far, compiled."""
        return {}

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
                if given not in self._written:
                    self._written[given] = self._compiled(self._term(given, _time()))[0]
                value = self._written[given](t, x.tolist(), u)
            elif callable(given):
                value = given(t, *self._signals(x, u))
            place, flat = new_value(space, name, value, f"{where}: {name!r}")
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

    def _crossed(self, name: str, when: Formula, term: Any) -> tuple[EventValue, EventValues]:
        where = f"{type(self.module).__name__}: event {name!r}"
        if isinstance(when, str) and not term.free_symbols:
            raise SignatureError(
                f"{where}: {when!r} is constant, so that it crosses zero never. Write what is zero "
                "at the event, such as 'q - 0.5'."
            )
        if term is not None:
            return self._compiled(term)
        assert callable(when)

        def called(t: float, x: list[float], u: list[float]) -> float:
            return number(f"{where} at t = {t:g}", when(t, *self._signals(x, u)))

        def one_by_one(t: Array, x: Array, u: Array) -> Array:
            both = np.hstack([x, u])
            n = x.shape[1]
            return each(lambda time, z: [called(time, z[:n], z[n:])], t, both)[:, 0]

        return called, one_by_one

    def _compiled(self, term: Any) -> tuple[EventValue, EventValues]:
        from riemannian_modules.arithmetic.compile import compile_floats
        from riemannian_modules.arithmetic.compile_scalars import compile_scalars
        from riemannian_modules.arithmetic.expression import symbols_of

        x, u, p = (symbols_of(space) for space in self.module.signature.distinct)
        groups = (x, (*u, _time()), p)
        one = compile_scalars((term,), groups, self.theta)
        many = compile_floats((term,), groups)

        def along(t: Array, x: Array, u: Array) -> Array:
            with np.errstate(all="ignore"):
                (values,) = many(x.T, [*u.T, t], self.theta)
            return np.broadcast_to(values, t.shape)

        return lambda t, x, u: one(x, [*u, t])[0], along

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
        # A function that seems to be constant may read what is no argument of it; a text does not.
        is_known = first == last and (isinstance(formula, str) or first.free_symbols)
        return first if is_known else None


def new_value(space: Space, name: str, value: Any, where: str) -> tuple[slice, Array]:
    """The place of a state, and its one new value, flat.

    Raises:
        SignatureError: For an unknown name or a wrong shape.
    """
    place, flat = space.laid(name, value, where)
    if flat.ndim != 1:
        raise SignatureError(
            f"{where}: expected one new value, got an array of shape {np.shape(value)}."
        )
    return place, flat


def _written(formula: str, t: Any, x: Any, u: Any, p: Any) -> Any:
    from riemannian_modules.arithmetic.infix_values import evaluate

    values = {TIME: t}
    for part in (p, u, x):  # a state comes before an input of its name
        values |= {normal(name): part[name] for name in part}
    return evaluate(formula, parse(formula, list(values)), values, x.vector.tracer)


def _time() -> Any:
    import sympy as sp

    return sp.Symbol("time of the run", real=True)
