"""The first zero of some functions on a solver's last step, by its dense output.

Signs are compared at a few points of the step; where a value dips towards zero between points, its
extremum is looked at, too. What changes its sign twice between two points without such a dip is not
seen.

Source: Shampine and Thompson (2000), *Event location for ordinary differential equations*,
Computers and Mathematics with Applications 39, 43-54.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array

POINTS = (0.25, 0.5, 0.75, 1.0)  # of a step
# A first step may be long, and what has just crossed may come back soon.
FIRST_POINTS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, *POINTS)
DIP = 0.5  # an extremum is looked at where a parabola comes nearer to zero than this share


@final
@dataclass(frozen=True, slots=True, eq=False)
class Zeros:
    """Functions of time and state whose zeros are looked for.

    Attributes:
        at: From a time and n floats to k numbers.
        along: From times (T,) and states (T, n) to values (T, k).
    """

    at: Callable[[float, list[float]], Numbers]
    along: Callable[[Array, Array], Array]


def each(at: Callable[[float, list[float]], Numbers], t: Array, x: Array) -> Array:
    """A function's values (T, k) at times (T,) and states (T, n), one point after the other."""
    rows = [at(*point) for point in zip(t.tolist(), x.tolist(), strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


@final
@dataclass(frozen=True, slots=True, eq=False)
class WatchedStep:
    """The last step of a solver: its ends, its path t -> (n,) or (n, T), and what is watched."""

    start: float
    end: float
    path: Callable[[Any], Array]
    values: Callable[[float, list[float]], Numbers]

    def at(self, t: float) -> Array:
        """The watched values at a time, (k,)."""
        return np.array(self.values(t, self.path(t).tolist()), dtype=np.float64)

    def sampled(self, *, is_first: bool) -> tuple[list[float], Array]:
        """Times of the step, its start among them, and the values there, (T, k)."""
        shares = FIRST_POINTS if is_first else POINTS
        times = [self.start, *(self.start + s * (self.end - self.start) for s in shares)]
        times[-1] = self.end
        return times, each(self.values, np.array(times), self.path(np.array(times)).T)


def first_crossing(
    step: WatchedStep, signs: Sequence[float], times: Sequence[float], values: Array
) -> tuple[float, list[int]] | None:
    """When the first of the watched values has left the side that ``signs`` tells, and which have.

    Where they have zeros, this is just after the first. A sign of 0 is not watched. What begins on
    zero, or on the wrong side, may still come to its own; else it has left at the start.
    """
    turned = values * np.array(signs)  # positive while nothing has changed
    if (turned > 0).all() and not _may_dip(turned):
        return None
    found: dict[int, float] = {}
    for i in np.flatnonzero(np.array(signs)).tolist():
        bracket = _bracket(step, i, signs[i], times, turned[:, i])
        if bracket is not None:
            found[i] = _just_after(step, i, signs[i], *bracket)
    if not found:
        return None
    first = min(found.values())
    now = step.at(first) * np.array(signs)
    return first, [i for i, t in found.items() if t == first or now[i] < 0]


def _bracket(
    step: WatchedStep, i: int, sign: float, times: Sequence[float], turned: Array
) -> tuple[float, float] | None:
    first = 0
    if turned[0] <= 0:
        above = np.flatnonzero(turned > 0)
        if not len(above):
            return (times[0], times[0]) if (turned < 0).any() else None
        first = int(above[0])
    for j in range(first + 1, len(times)):
        if turned[j] < 0:
            return times[j - 1], times[j]
        if j + 1 < len(times) and _dips(times[j - 1 : j + 2], turned[j - 1 : j + 2]):
            lowest = _lowest(step, i, sign, times[j - 1], times[j + 1])
            if lowest is not None:
                return times[j - 1], lowest
    return None


def _may_dip(values: Array) -> bool:
    """Whether some value has a lowest point between others."""
    falls = np.diff(values, axis=0)
    return bool(((falls[:-1] <= 0) & (falls[1:] > 0)).any())


def _dips(times: Sequence[float], values: Array) -> bool:
    """Whether the parabola through three points comes much nearer to zero than its middle."""
    if not (0 < values[1] <= values[0] and 0 <= values[1] < values[2]):
        return False
    before, after = times[1] - times[0], times[2] - times[1]
    if not (before > 0 and after > 0):
        return False
    falls, rises = (values[1] - values[0]) / before, (values[2] - values[1]) / after
    bend = (rises - falls) / (before + after)
    slope = (falls * after + rises * before) / (before + after)
    return values[1] - slope**2 / (4 * bend) < DIP * values[1]


def _lowest(step: WatchedStep, i: int, sign: float, start: float, end: float) -> float | None:
    """A time of a negative value between two positive ones, or None."""
    from scipy.optimize import minimize_scalar

    found: Any = minimize_scalar(
        lambda t: sign * step.at(t)[i], bounds=(start, end), method="bounded",
        options={"xatol": 1e-4 * (end - start)},
    )  # fmt: skip
    return float(found.x) if found.fun < 0 else None


def _just_after(step: WatchedStep, i: int, sign: float, start: float, end: float) -> float:
    from scipy.optimize import brentq

    def turned(t: float) -> float:
        return float(sign * step.at(t)[i])

    if start == end:
        return start
    ulp = float(np.spacing(max(abs(start), abs(end))))
    # At a time alone, and among others, a path has values that differ by rounding.
    t: Any = start if turned(start) <= 0 else end
    if t == end and turned(end) < 0:
        t = brentq(turned, start, end, xtol=2 * ulp, rtol=4 * np.finfo(float).eps)
    while turned(t) >= 0 and t < end:
        t, ulp = min(t + ulp, end), 2 * ulp
    return float(t)


def just_before(
    step: WatchedStep, signs: Sequence[float], turned: Sequence[int], t: float
) -> float:
    """The last time before ``t``, to rounding, at which none of the values has changed its side."""
    ulp = float(np.spacing(abs(t)))
    while t > step.start and any(step.at(t)[i] * signs[i] < 0 for i in turned):
        t, ulp = max(t - ulp, step.start), 2 * ulp
    return t
