"""The past of a run that delays look back on: its steps' interpolants, and where it breaks.

Where a signal jumps, or one of its derivatives, a delayed signal does so a delay later, and what
follows it one derivative higher. No step passes over such a point until the method no longer sees
it, nor further than the least delay, so that a step never asks for what is not known yet.

Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapters 2
(breaking points) and 3 (the method of steps).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from riemannian_modules.spaces import Array

SMOOTH = 8  # the derivative of a signal from which on its jumps are left to error control
SAME = 16.0  # spacings of a time within which two breaking points are one

FEW = 8  # steps of the past in one step

PastPath = Callable[[Any], Array]  # from a time to a state


@final
class Past:
    """The steps of one run so far, and the breaking points ahead.

    Args:
        delays: The delays, positive, (k,).
        sources: For each delay, those whose outputs reach its input at once.
    """

    def __init__(self, delays: Sequence[float], sources: Sequence[frozenset[int]]) -> None:
        self.least, self._delays, self._sources = min(delays), delays, sources
        self.begin(0.0, np.zeros(0))

    def begin(self, start: float, state: Array) -> None:
        """Forget all; a run begins."""
        self.start, self._state = start, state
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._paths: list[PastPath] = []
        self._ahead: list[tuple[float, int, int]] = []  # a time, a delay, a derivative that jumps

    @property
    def end(self) -> float:
        """Up to where it is known."""
        return self._ends[-1] if self._ends else self.start

    def passed(self, path: PastPath, start: float, end: float) -> None:
        """Take a step's interpolant."""
        if end > start:
            self._starts.append(start)
            self._ends.append(end)
            self._paths.append(path)

    def forget(self, time: float) -> None:
        """Forget the steps that end before a time."""
        known = bisect_left(self._ends, time)
        del self._starts[:known], self._ends[:known], self._paths[:known]

    def breaks(self, time: float, derivative: int) -> None:
        """Note that this derivative of every signal that is delayed may jump at a time."""
        for i in range(len(self._delays)):
            self.breaks_of(i, time, derivative)

    def breaks_of(self, delay: int, time: float, derivative: int) -> None:
        """Note that this derivative of one delay's input may jump at a time."""
        if derivative <= SMOOTH:
            heapq.heappush(self._ahead, (time + self._delays[delay], delay, derivative))

    def arrive(self, time: float) -> None:
        """Hand on the breaks of delayed signals that a run has come to."""
        came: dict[int, int] = {}
        while self._ahead and self._ahead[0][0] <= time + self.slack(time):
            _, i, derivative = heapq.heappop(self._ahead)
            came[i] = min(came.get(i, derivative), derivative)
        if not came:
            return
        through_states = 1 + min(came.values())
        for k, sources in enumerate(self._sources):
            at_once = [came[i] for i in sources if i in came]
            self.breaks_of(k, time, min([through_states, *at_once]))

    def next_stop(self, time: float) -> float:
        """How far a run may go from a time."""
        reach = time + self.least
        return min(reach, self._ahead[0][0]) if self._ahead else reach

    def corners(self, start: float, end: float) -> list[float]:
        """Times in a stretch that no step of a one-step method passes over.

        A step looks back on few steps: it would not see what is over between two of its points.
        """
        found: list[float] = []
        for delay in self._delays:
            first = bisect_right(self._ends, start - delay)
            last = bisect_left(self._ends, end - delay)
            found += [t + delay for t in self._ends[first + FEW - 1 : last : FEW]]
        near = self.slack(end)
        return [t for t in found if start + near < t < end - near]

    def slack(self, time: float) -> float:
        """How near another time is taken for this one."""
        return SAME * float(np.spacing(max(abs(self.start), abs(time), self.least)))

    def between(self, low: float, high: float) -> Callable[[float], list[float]]:
        """The state on a stretch of the past in which nothing jumps, its ends from inside.

        Where more is not known, it is that at the end.
        """
        if not self._ends:
            start = self._state.tolist()
            return lambda _: start
        first = min(bisect_right(self._ends, low), len(self._ends) - 1)
        last = max(bisect_left(self._starts, high), first + 1)
        starts, ends = self._starts[first:last], self._ends[first:last]
        paths, most = self._paths[first:last], last - first - 1

        def state(t: float) -> list[float]:
            i = bisect_left(ends, t, 0, most)
            return paths[i](min(max(t, starts[i]), ends[i])).tolist()

        return state
