"""What can be known of a plain function of time: its exact terms, or where it jumps.

A function that is written in NumPy is traced as equations are. Of any other, neighbouring values
that are far apart are followed by halving: a jump stays as high as it was, however near one looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from riemannian_modules.errors import RiemannianError
from riemannian_modules.space import Array

LOOKS = 1000  # times at which a function is looked at; a shorter pulse may fall between
FAR = 20.0  # times the median of neighbours' differences: where a jump is suspected
MOST_JUMPS = 100  # a function with more is taken for noise, whose corners nobody follows
HALVINGS = 60
SAME = 0.5  # share of its height that a jump keeps


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
