"""Inputs over time: constants, functions of time, and tables, for each port of a module.

A table's corners are known to the solver, which never steps over one: it lands on each kink and
starts anew at each jump. A function that can be traced is known exactly, with all of its corners.
Of any other, jumps are those that are named, or found by looking at many times.
"""

from __future__ import annotations

import abc
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import brief, number_array
from riemannian_modules.engine.input_functions import found_jumps, traced_signal
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array, Port, Space

InputValue = Callable[[float], list[float]]
SLACK = 4.0  # spacings of a time: what is nearer to another is taken for it


class InputSignal(abc.ABC, Shown):
    """One input port over time; values are flat lists of the port's size."""

    @abc.abstractmethod
    def jumps(self) -> list[float]:
        """Times at which the value jumps."""

    @abc.abstractmethod
    def kinks(self) -> list[float]:
        """Times at which the slope jumps."""

    def exact(self, time: Any) -> tuple[Any, ...] | None:  # noqa: ARG002
        """The values in exact terms of the symbol ``time``; None where there are none."""
        return None

    @abc.abstractmethod
    def between(self, start: float, end: float) -> list[float] | InputValue:
        """The value on ``start <= t <= end``, free of jumps inside; a list where it is constant."""

    @abc.abstractmethod
    def sampled(self, times: Array) -> Array:
        """The values at times (T,), continuous from the right, shape (T, size)."""


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
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TimeInput(InputSignal):
    """The time itself."""

    @override
    def jumps(self) -> list[float]:
        return []

    @override
    def kinks(self) -> list[float]:
        return []

    @override
    def exact(self, time: Any) -> tuple[Any, ...] | None:
        return (time,)

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        return lambda t: [t]

    @override
    def sampled(self, times: Array) -> Array:
        return times[:, None].copy()


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Jumping(Shown):
    """A function of time and the times at which it jumps; build with `jumping`.

    Attributes:
        function: From a time to the port's value.
        times: Increasing times, (k,).
    """

    function: Callable[[float], Any]
    times: Array


def jumping(function: Callable[[float], Any], jumps: ArrayLike) -> Jumping:
    """A function of time that jumps at known times, as an input of `simulate`.

    The integration starts anew at each of them, and the function is asked on either side alone, so
    that it does not matter which value it has at the jump itself.

    Args:
        function: From a time, in the module's unit of time, to the port's value.
        jumps: The times, in any order, shape (k,).

    Raises:
        SignatureError: If ``function`` is none, or the times are not of shape (k,).
        DomainError: For NaN or infinite times.
    """
    if not callable(function):
        raise SignatureError(f"jumping: expected a function of time, got {brief(function)}.")
    times = number_array("jumping: jumps", jumps)
    if times.ndim != 1:
        raise SignatureError(f"jumping: expected jumps of shape (k,), got shape {times.shape}.")
    if not np.isfinite(times).all():
        raise DomainError("jumping: expected finite times, got NaN or infinity.")
    return Jumping(function, np.unique(times))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FunctionInput(InputSignal):
    """A function of time that gives the port's value, and where it is known to jump."""

    function: Callable[[float], Any]
    port: Port
    jump_times: tuple[float, ...] = ()

    @override
    def jumps(self) -> list[float]:
        return list(self.jump_times)

    @override
    def kinks(self) -> list[float]:
        return []

    @override
    def exact(self, time: Any) -> tuple[Any, ...] | None:
        return None if self.jump_times else traced_signal(self.function, time, self.port.size)

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        function, port = self.function, self.port
        if self.jump_times:  # what it is at the jumps themselves may belong to the other side
            inside = SLACK * float(np.spacing(max(abs(start), abs(end))))
            low, high = start + inside, end - inside
            return lambda t: _flat(function(min(max(t, low), high)), port)
        if port.size == 1:
            return lambda t: [float(function(t))]
        return lambda t: _flat(function(t), port)

    @override
    def sampled(self, times: Array) -> Array:
        values = [_shaped(self.function(t), self.port, f"at t = {t:g}") for t in times.tolist()]
        return np.array(values).reshape(len(times), self.port.size)


def _flat(value: Any, port: Port) -> list[float]:
    if port.size == 1:
        return [float(value)]
    return np.asarray(value, dtype=np.float64).ravel().tolist()


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearTable(InputSignal):
    """Values (k, size) at times (k,), joined by straight lines; build with `linear_table`.

    Attributes:
        times: (k,), increasing.
        values: (k, size).
    """

    times: Array
    values: Array

    @override
    def jumps(self) -> list[float]:
        return []

    @override
    def kinks(self) -> list[float]:
        slopes = np.diff(self.values, axis=0) / np.diff(self.times)[:, None]  # (k-1, size)
        # A slope carries the rounding of its two values; a smaller bend is no kink.
        rounding = 8 * np.finfo(float).eps * np.abs(self.values).max() / np.diff(self.times).min()
        bent = (np.abs(np.diff(slopes, axis=0)) > rounding).any(1)
        return self.times[1:-1][bent].tolist()

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        first = max(int(np.searchsorted(self.times, start, "right")) - 1, 0)
        last = int(np.searchsorted(self.times, end, "left"))
        if (self.values[first : last + 1] == self.values[first]).all():
            return self.values[first].tolist()
        times = self.times.tolist()
        lows = self.values.tolist()
        slopes = (np.diff(self.values, axis=0) / np.diff(self.times)[:, None]).tolist()
        top = len(times) - 2

        def value(t: float) -> list[float]:
            i = min(max(bisect_right(times, t) - 1, 0), top)
            s = t - times[i]
            return [a + s * b for a, b in zip(lows[i], slopes[i], strict=True)]

        return value

    @override
    def sampled(self, times: Array) -> Array:
        columns = [np.interp(times, self.times, column) for column in self.values.T]
        return np.stack(columns, 1) if columns else np.zeros((len(times), 0))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeldTable(InputSignal):
    """Each value (k, size) is held from its time (k,) until the next; build with `held_table`.

    Attributes:
        times: (k,), increasing.
        values: (k, size).
    """

    times: Array
    values: Array

    @override
    def jumps(self) -> list[float]:
        changes = (np.diff(self.values, axis=0) != 0).any(1)
        return self.times[1:][changes].tolist()

    @override
    def kinks(self) -> list[float]:
        return []

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        return self.sampled(np.array([start]))[0].tolist()

    @override
    def sampled(self, times: Array) -> Array:
        return self.values[np.maximum(np.searchsorted(self.times, times, "right") - 1, 0)]


def linear_table(times: ArrayLike, values: ArrayLike) -> LinearTable:
    """A table of inputs joined by straight lines.

    Args:
        times: Increasing times, shape (k,), k >= 2, in seconds or the model's unit of time.
        values: The port's value at each time, shape (k,) or (k, *port shape).

    Raises:
        DomainError: For times that do not increase, NaN, or infinite values.
        SignatureError: For shapes that do not fit.
    """
    return LinearTable(*_checked_table(times, values, 2))


def held_table(times: ArrayLike, values: ArrayLike) -> HeldTable:
    """A table of inputs of which each is held until the next, the last for ever (zero-order hold).

    Times (k,) and values (k,) or (k, *port shape), k >= 1; raises as `linear_table` does.

    Args:
        times: Increasing, (k,), k >= 1.
        values: (k,), or (k, *port shape).
    """
    return HeldTable(*_checked_table(times, values, 1))


def _checked_table(times: ArrayLike, values: ArrayLike, least: int) -> tuple[Array, Array]:
    t, v = number_array("Input table: times", times), number_array("Input table: values", values)
    if t.ndim != 1 or len(t) < least or v.ndim < 1 or len(v) != len(t):
        raise SignatureError(
            f"Input table: expected at least {least} times (k,) and as many values (k, ...), got "
            f"shapes {t.shape} and {v.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(v).all()):
        raise DomainError("Input table: expected finite times and values, got NaN or infinity.")
    if (np.diff(t) <= 0).any():
        i = int(np.argmax(np.diff(t) <= 0))
        raise DomainError(
            f"Input table: expected increasing times, but {t[i]:g} is followed by {t[i + 1]:g}. "
            "For a jump use held_table."
        )
    return t, v.reshape(len(t), -1)


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
        return any(isinstance(s, FunctionInput) for s in self.signals)

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
        tuple(_signal(given.get(p.name, 0.0), p, times, f"{where}: {p.name!r}") for p in ports),
    )


def _spelled_out(space: Space, inputs: Mapping[str, Any]) -> Iterator[Port]:
    """The ports, those of which single coordinates are named as these coordinates."""
    for port in space.ports:
        if port.shape and not inputs.keys().isdisjoint(port.coordinates()):
            yield from (Port(name, (), port.unit) for name in port.coordinates())
        else:
            yield port


def _signal(given: Any, port: Port, times: Array, where: str) -> InputSignal:
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        given = linear_table(*given)
    if isinstance(given, (LinearTable, HeldTable)):
        _check_covers(given, port, times, where)
        return given
    if isinstance(given, TimeInput):
        return given
    if isinstance(given, Jumping):
        _shaped(given.function(float(times[0])), port, f"{where} at t = {times[0]:g}")
        return FunctionInput(given.function, port, tuple(given.times.tolist()))
    if callable(given):
        _shaped(given(float(times[0])), port, f"{where} at t = {times[0]:g}")
        if traced_signal(given, None, port.size) is None:
            return FunctionInput(given, port, found_jumps(given, times))
        return FunctionInput(given, port)
    return ConstantInput(_shaped(given, port, where))


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


def _shaped(given: Any, port: Port, where: str) -> Array:
    value = port.flat(given, where)
    if value.ndim != 1:
        raise SignatureError(
            f"{where}: expected one value of shape {port.shape}, got a batch {value.shape}. Give a "
            "table as a pair (times, values)."
        )
    if not np.isfinite(value).all():
        raise DomainError(f"{where}: expected finite numbers, got NaN or infinity.")
    return value
