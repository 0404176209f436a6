"""Functions of time as inputs: their exact terms, or where they jump.

A function that is written in NumPy is traced as equations are. Of any other, neighbouring values
that are far apart are followed by halving: a jump stays as high as it was, however near one looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import brief, number_array
from riemannian_modules.engine.input_signal import SLACK, InputSignal, InputValue, shaped
from riemannian_modules.errors import DomainError, RiemannianError, SignatureError, TraceError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array, Port

LOOKS = 1000  # times at which a function is looked at; a shorter pulse may fall between
FAR = 20.0  # times the median of neighbours' differences: where a jump is suspected
MOST_JUMPS = 100  # a function with more is taken for noise, whose corners nobody follows
HALVINGS = 60
SAME = 0.5  # share of its height that a jump keeps


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

    @property
    @override
    def is_function(self) -> bool:
        return True

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
        if not port.shape:
            return lambda t: [float(function(t))]
        return lambda t: _flat(function(t), port)

    @override
    def sampled(self, times: Array) -> Array:
        values = [shaped(self.function(t), self.port, f"at t = {t:g}") for t in times.tolist()]
        return np.array(values).reshape(len(times), self.port.size)


def _flat(value: Any, port: Port) -> list[float]:
    if not port.shape:
        return [float(value)]
    return np.asarray(value, dtype=np.float64).ravel().tolist()


def traced_signal(function: Callable[[float], Any], time: Any, size: int) -> tuple[Any, ...] | None:
    """The values of a function of time in exact terms of the symbol ``time``, or None.

    None where it cannot be traced, gives something else each time, or does not depend on its
    argument, as a function that reads a recording or draws random numbers may.
    """
    import sympy as sp

    from riemannian_modules.arithmetic.symbolic_array import SymbolicArray, entries_of
    from riemannian_modules.arithmetic.tracer import Tracer

    symbol = sp.Symbol("t", real=True) if time is None else time
    runs: list[tuple[Any, ...]] = []
    try:
        for _ in range(2):
            tracer = Tracer("input")
            terms = entries_of(function(SymbolicArray(symbol, tracer)), tracer)  # type: ignore[arg-type]
            if not isinstance(terms, np.ndarray) or terms.size != size:
                return None
            runs.append(tuple(terms.ravel()))
    except (RiemannianError, ArithmeticError, AttributeError, TypeError, ValueError, LookupError):
        return None
    first, second = runs
    is_function = first == second and any(symbol in term.free_symbols for term in first)
    return first if is_function else None


def with_corners(signal: InputSignal, ends: Array) -> InputSignal:
    """A signal that says where it has corners between two times, of a function with exact terms.

    The solver reads such a function in exact terms where it drives equations; where it does not,
    its corners have to be known.
    """
    import sympy as sp

    time = sp.Symbol("t", real=True)
    terms = signal.exact(time) if isinstance(signal, FunctionInput) else None
    if terms is None or not isinstance(signal, FunctionInput):
        return signal
    corners = _exact_corners(terms, time, float(ends[0]), float(ends[1]))
    return replace(
        signal, jump_times=found_jumps(signal.function, ends) if corners is None else corners
    )


def _exact_corners(
    terms: tuple[Any, ...], time: Any, start: float, end: float
) -> tuple[float, ...] | None:
    """The zeros of the borders of terms of the time; None where they cannot be found."""
    from riemannian_modules.arithmetic.compile import compile_intervals
    from riemannian_modules.arithmetic.expression import derivatives
    from riemannian_modules.arithmetic.interval import as_interval
    from riemannian_modules.arithmetic.isolated_roots import isolated_roots
    from riemannian_modules.arithmetic.switching import frozen

    found: set[float] = set()
    for border in frozen(terms).borders:
        try:
            ((slope,),) = derivatives((border,), (time,))
            compiled = compile_intervals((border, slope), ((time,),))
        except TraceError:
            return None
        if border.free_symbols != {time}:
            return None

        def both(s: Any, compiled: Any = compiled) -> tuple[Any, Any]:
            value, slope = (as_interval(r).broadcast_to(s.lower.shape) for r in compiled([s]))
            return value, slope

        roots = isolated_roots(both, start, end)
        if roots is None:
            return None
        found.update(roots)
    return tuple(sorted(found))


def found_jumps(function: Callable[[float], Any], times: Array) -> tuple[float, ...]:
    """The jumps of a function between the first and the last of some times, each just after it.

    Those of a function that is flat or smooth besides; cost: some thousand evaluations.
    """

    def value(t: float) -> Array:
        return np.asarray(function(t), dtype=np.float64).ravel()

    if len(times) < 2:
        return ()
    looks = np.union1d(np.linspace(times[0], times[-1], LOOKS + 1), times)
    try:
        values = np.stack([value(t) for t in looks.tolist()])
    except (ArithmeticError, TypeError, ValueError):
        return ()  # told where it is used
    heights = np.abs(np.diff(values, axis=0)).max(1, initial=0.0)
    places = np.flatnonzero(heights > FAR * np.median(heights))
    if len(places) > MOST_JUMPS:
        return ()
    found = (_jump(value, float(looks[i]), float(looks[i + 1]), float(heights[i])) for i in places)
    return tuple(t for t in found if t is not None)


def _jump(value: Callable[[float], Array], low: float, high: float, height: float) -> float | None:
    at_low, at_high = value(low), value(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        here = value(middle)
        if np.abs(here - at_low).max() > np.abs(at_high - here).max():
            high, at_high = middle, here
        else:
            low, at_low = middle, here
    return high if np.abs(at_high - at_low).max() > SAME * height else None
