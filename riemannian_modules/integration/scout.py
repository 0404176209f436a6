"""Where watched values may change their sides on a run of LSODA, by what it asks the rate for.

Each accepted step ends where the rate was asked for last. Cubic interpolation between these points
tells for many steps at once which may hold a crossing; the others are never looked at again.

Source: Shampine and Thompson (2000), *Event location for ordinary differential equations*,
Computers and Mathematics with Applications 39, 43-54; Hairer, Norsett and Wanner, *Solving Ordinary
Differential Equations I*, section II.6 (Hermite's interpolation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array

FEWEST, MOST = 12, 96  # evaluations after which they are looked at
POINTS = np.array([0.25, 0.5, 0.75])  # of a step, besides its ends
PER_STEP = len(POINTS) + 1
# Where a value has a lowest point inside of a step, the step is looked at if a parabola through its
# neighbours reaches below the first share of it, or if it is below the second share of its change.
DIP, LOW = 0.75, 0.1

NOT_SOUGHT, UNWATCHED = math.inf, math.nan


class FoundError(Exception):
    """A watched value has changed its side for good: the run need not go on."""


@final
class Scout:
    """The points that LSODA asks the rate for, and the steps among them that may hold a crossing.

    Attributes:
        doubtful: Ends of such steps, in order.
        steps: Accepted steps so far, up to a change that was sought.
        calls: Evaluations so far.
        first_step: The first step, once it is known to be accepted: none or one.
        reached: The end of the last step that is known to be accepted.
    """

    def __init__(
        self,
        along: Callable[[Array, Array], Array],
        sides: Sequence[float],
        ways: Sequence[float],
        expected: int = MOST,
    ) -> None:
        """Begin a run.

        Args:
            along: The watched values (T, k) at times (T,) and states (T, n).
            sides: The sign of each value, 0 where it is not known yet.
            ways: For each value the sign to which a change is sought, 0 for both; or `NOT_SOUGHT`
                where a change makes a step doubtful and no more, or `UNWATCHED`.
            expected: Evaluations after which a change is expected.
        """
        self._along, self._sides, self._ways = along, np.array(sides), np.array(ways)
        self._times: list[float] = []
        self._points: list[list[float]] = []
        self._rates: list[Numbers] = []
        self._every = self._next = min(max(expected, FEWEST), MOST)
        self.doubtful: list[tuple[float, float]] = []
        self.steps = self.calls = 0
        self.first_step: tuple[tuple[float, float], ...] = ()
        self.reached = -np.inf

    def note(self, t: float, x: list[float], rate: Numbers) -> None:
        """Note an evaluation.

        Raises:
            FoundError: If a value has changed its side in the way that is sought.
        """
        self._times.append(t)
        self._points.append(x)
        self._rates.append(rate)
        self.calls += 1
        if self.calls == self._next:
            self._every = min(2 * self._every, MOST)
            self._next += self._every
            self.look(is_over=False)

    def look(self, *, is_over: bool) -> None:
        """Look through the steps since the last look; when it is over, the last point counts.

        Raises:
            FoundError: As `note` does, after the step in doubt has been noted.
        """
        t = np.array(self._times)
        # A step was accepted where all that follows lies later: one that was not is tried again.
        later = np.minimum.accumulate(t[::-1])[::-1]
        (ends,) = np.nonzero(np.append(t[:-1] < later[1:], is_over))
        if len(ends) < 2:
            return
        self.reached = float(t[ends[-1]])
        if not self.first_step:
            self.first_step = ((float(t[ends[0]]), float(t[ends[1]])),)
        points, rates = ([rows[i] for i in ends] for rows in (self._points, self._rates))
        last = int(ends[-1])
        for rows in (self._times, self._points, self._rates):
            del rows[:last]
        self.steps += len(ends) - 1
        if len(self._sides):
            with np.errstate(all="ignore"):
                self._examine(t[ends], np.array(points), np.array(rates, dtype=np.float64))

    def _examine(self, t: Array, x: Array, rate: Array) -> None:
        """Note the doubtful ones among steps that end at t (S + 1,), x and rate (S + 1, n)."""
        times = np.append((t[:-1, None] + np.diff(t)[:, None] * _SHARES).ravel(), t[-1])
        values = np.nan_to_num(self._along(times, _hermite(t, x, rate)), posinf=1.0, neginf=-1.0)
        values = np.where(np.isnan(self._ways), 0.0, values)
        signs = _carried(np.vstack([self._sides, np.sign(values)]))
        changed: Any = (signs[1:] * signs[:-1] < 0).any(1)
        in_step: Any = changed[1:].reshape(-1, PER_STEP).any(1)
        in_step[0] |= changed[0]
        ends = np.vstack([self._sides, signs[1 + PER_STEP :: PER_STEP]])
        sought = (ends[1:] * ends[:-1] < 0) & ((self._ways == 0) | (self._ways == ends[1:]))
        self._sides = signs[-1]
        doubtful = in_step | sought.any(1) | _dips(values * signs[1:])
        found = int(np.argmax(sought.any(1))) if sought.any() else len(doubtful) - 1
        self.doubtful += [(float(t[i]), float(t[i + 1])) for i in np.flatnonzero(doubtful)
                          if i <= found]  # fmt: skip
        if sought.any():
            self.reached = float(t[found + 1])
            self.steps -= len(t) - 2 - found
            raise FoundError


_SHARES = np.array([0.0, *POINTS])


def _hermite(t: Array, x: Array, rate: Array) -> Array:
    """The states at the starts of steps and at `POINTS` of each, then the last one."""
    s, h = POINTS[:, None], np.diff(t)[:, None, None]
    inner = (
        (1 + 2 * s) * (1 - s) ** 2 * x[:-1, None] + s**2 * (3 - 2 * s) * x[1:, None]
        + h * (s * (1 - s) ** 2 * rate[:-1, None] - s**2 * (1 - s) * rate[1:, None])
    )  # fmt: skip
    return np.vstack([np.concatenate([x[:-1, None], inner], 1).reshape(-1, x.shape[1]), x[-1:]])


def _carried(signs: Array) -> Array:
    """Signs (T, k) with each zero after the first row replaced by the sign before it."""
    place = np.where(signs != 0, np.arange(len(signs))[:, None], 0)
    return np.take_along_axis(signs, np.maximum.accumulate(place, axis=0), 0)


def _dips(sides: Array) -> Array:
    """Whether a value (T, k), positive on its side, has a low place inside of each step, (S,)."""
    count = (len(sides) - 1) // PER_STEP
    rows = PER_STEP * np.arange(count)[:, None] + np.arange(PER_STEP + 1)
    v = sides[rows]  # (S, 5, k)
    before, middle, after = v[:, :-2], v[:, 1:-1], v[:, 2:]
    falls, rises = middle - before, after - middle
    is_lowest = (middle > 0) & (falls <= 0) & (rises > 0)
    if not is_lowest.any():
        return np.zeros(count, dtype=bool)
    bend = np.where(is_lowest, rises - falls, 1.0)
    lowest = middle - (falls + rises) ** 2 / (8.0 * bend)
    change = LOW * v.max(1, keepdims=True)
    return (is_lowest & ((lowest < DIP * middle) | (middle < change))).any((1, 2))
