"""Inputs over time: constants, functions of time, and tables, for each port of a module.

A table's corners are known to the solver, which never steps over one: it lands on each kink and
starts anew at each jump. A function that can be traced is known exactly, with all of its corners.
Of any other, jumps are those that are named, or found by looking at many times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import is_quantity
from riemannian_modules.engine.input_functions import (
    FunctionInput,
    Jumping,
    TimeInput,
    found_jumps,
    traced_signal,
)
from riemannian_modules.engine.input_signal import SLACK, InputSignal, InputValue, shaped
from riemannian_modules.engine.input_tables import HeldTable, LinearTable, linear_table
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array, Port, Space
from riemannian_modules.units import in_unit


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConstantInput(InputSignal):
    """The same value at all times, shape (size,)."""

    value: Array

    @override
    def jumps(self) -> list[float]:
        return []

    @override
    def kinks(self) -> list[float]:
        return []

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        return self.value.tolist()

    @override
    def sampled(self, times: Array) -> Array:
        return np.broadcast_to(self.value, (len(times), len(self.value)))


@final
@dataclass(frozen=True, slots=True, eq=False)
class InputProgram:
    """All inputs of a module over time, in the order of its input space."""

    space: Space
    signals: tuple[InputSignal, ...]

    def jumps(self, start: float, end: float) -> list[float]:
        """Times inside at which some input jumps, and not at an end but for rounding."""
        return self._inside((t for s in self.signals for t in s.jumps()), start, end)

    def kinks(self, start: float, end: float) -> list[float]:
        """Times inside at which some input has a kink, and not at an end but for rounding."""
        return self._inside((t for s in self.signals for t in s.kinks()), start, end)

    def _inside(self, times: Iterator[float], start: float, end: float) -> list[float]:
        slack = SLACK * float(np.spacing(max(abs(start), abs(end))))
        return sorted({t for t in times if start + slack < t < end - slack})

    @property
    def has_functions(self) -> bool:
        """Whether some input is a function, whose corners nobody knows."""
        return any(s.is_function for s in self.signals)

    def longest_step(self, times: Array) -> float:
        """What no step exceeds: with functions among the inputs, the times of the result.

        A hundredth of the whole where these are few; infinite without functions.
        """
        if not self.has_functions:
            return float("inf")
        return min(float(np.diff(times).max()), float(times[-1] - times[0]) / 100.0)

    def exact(self, time: Any) -> dict[int, Any]:
        """The inputs that have exact terms in the symbol ``time``, by their places."""
        found: dict[int, Any] = {}
        for signal, place in zip(self.signals, self.space.slices, strict=True):
            terms = signal.exact(time)
            if terms is not None:
                found |= dict(zip(range(place.start, place.stop), terms, strict=True))
        return found

    def steady(self, start: float, end: float) -> set[int]:
        """The places of the inputs that are constant on a stretch without jumps."""
        return {
            i
            for signal, place in zip(self.signals, self.space.slices, strict=True)
            if not callable(signal.between(start, end))
            for i in range(place.start, place.stop)
        }

    def between(self, start: float, end: float) -> InputValue:
        """The flat inputs on a stretch without jumps."""
        base = [0.0] * self.space.size
        moving: list[tuple[slice, InputValue]] = []
        for signal, place in zip(self.signals, self.space.slices, strict=True):
            value = signal.between(start, end)
            if callable(value):
                moving.append((place, value))
            else:
                base[place] = value
        if not moving:
            return lambda _: base

        def values(t: float) -> list[float]:
            u = base.copy()
            for place, value in moving:
                u[place] = value(t)
            return u

        return values

    def sampled(self, times: Array) -> Array:
        """The flat inputs at times (T,), shape (T, m)."""
        parts = [signal.sampled(times) for signal in self.signals]
        return np.concatenate([np.zeros((len(times), 0)), *parts], 1)


def input_program(
    space: Space,
    inputs: Mapping[str, Any] | ArrayLike | None,
    times: Array,
    where: str,
    times_of_run: tuple[str, ...] = (),
) -> InputProgram:
    """Check a user's inputs: names, times covered, shapes; what is not named is zero.

    The ports ``times_of_run`` are the time itself unless they are named.

    Raises:
        SignatureError: For unknown names and wrong shapes.
    """
    if inputs is None and times_of_run:
        inputs = {}
    if not isinstance(inputs, Mapping):
        flat = space.pack(inputs, where)
        if flat.ndim != 1:
            raise SignatureError(
                f"{where}: expected one constant for each of {space.describe()}, got an array of "
                f"shape {flat.shape}. Give a table by name: "
                f"inputs={{'{(*space.names, 'u')[0]}': (times, values)}}."
            )
        return InputProgram(space, tuple(ConstantInput(flat[place]) for place in space.slices))
    space.check_names(inputs, where)
    ports = tuple(_spelled_out(space, inputs))
    given = dict.fromkeys(times_of_run, TimeInput()) | dict(inputs)
    return InputProgram(
        Space(ports),
        tuple(signal_of(given.get(p.name, 0.0), p, times, f"{where}: {p.name!r}") for p in ports),
    )


def _spelled_out(space: Space, inputs: Mapping[str, Any]) -> Iterator[Port]:
    """The ports, those of which single coordinates are named as these coordinates."""
    for port in space.ports:
        if port.shape and not inputs.keys().isdisjoint(port.coordinates()):
            yield from (Port(name, (), port.unit) for name in port.coordinates())
        else:
            yield port


def signal_of(given: Any, port: Port, times: Array, where: str) -> InputSignal:
    """Check what a user gives for one port over some times: constant, function, formula, table."""
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        given = linear_table(given[0], in_unit(where, given[1], port.unit))
    if isinstance(given, str):
        from riemannian_modules.engine.input_formulas import written_function

        function = written_function(where, given)
        given = function(0.0) if function.is_constant else function
    if isinstance(given, (LinearTable, HeldTable)):
        _check_covers(given, port, times, where)
        return given
    if isinstance(given, TimeInput):
        return given
    if isinstance(given, Jumping):
        function = _plain(given.function, port, float(times[0]), where)
        return FunctionInput(function, port, tuple(given.times.tolist()))
    if callable(given):
        function = _plain(given, port, float(times[0]), where)
        if traced_signal(function, None, port.size) is None:
            return FunctionInput(function, port, found_jumps(function, times))
        return FunctionInput(function, port)
    return ConstantInput(shaped(given, port, where))


def _plain(
    given: Callable[[float], Any], port: Port, start: float, where: str
) -> Callable[[float], Any]:
    """A function whose values may be quantities as one of numbers in the port's unit."""
    value = given(start)
    shaped(value, port, f"{where} at t = {start:g}")
    return (lambda t: in_unit(where, given(t), port.unit)) if is_quantity(value) else given


def _check_covers(table: LinearTable | HeldTable, port: Port, times: Array, where: str) -> None:
    if table.values.shape[1] != port.size:
        raise SignatureError(
            f"{where}: expected {port.size} values at each time, got {table.values.shape[1]}."
        )
    late = isinstance(table, LinearTable) and table.times[-1] < times[-1]
    if table.times[0] > times[0] or late:
        raise DomainError(
            f"{where}: the table covers {table.times[0]:g} to {table.times[-1]:g}, but the "
            f"simulation runs from {times[0]:g} to {times[-1]:g}. Add rows to the table."
        )
