"""States at the times of a grid, filled in as the steps of a run pass them.

Source: none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

from riemannian_modules.integration.past import Past
from riemannian_modules.spaces import Array

SAME = 8  # spacings of a time within which an output time is that of an event


@final
class GridRows:
    """States at the times of a grid, filled in as steps pass them.

    Args:
        grid: Increasing times, the start first.
        start: The state there.
        past: Told of the steps and of where events break them, or None.
    """

    def __init__(self, grid: Array, start: Array, past: Past | None = None) -> None:
        self._grid, self._known, self._past = grid, 1, past
        self.states = np.empty((len(grid), len(start)))
        self.states[0] = start
        self.last = float(grid[0]), start

    @property
    def ahead(self) -> Array:
        """The times that are not known yet."""
        return self._grid[self._known :]

    def record(
        self, path: Callable[[Any], Array], start: float, end: float, last: Array | None = None
    ) -> None:
        """Note the states of a step down to ``end``; ``last`` is the state there, if it is kept."""
        if self._past is not None:
            self._past.passed(path, start, end)
        side = "right" if last is not None else "left"
        slack = 0.0 if last is not None else SAME * float(np.spacing(abs(end)))
        reached = max(int(np.searchsorted(self._grid, end - slack, side)), self._known)
        if reached > self._known:
            times = np.maximum(self._grid[self._known : reached], start)
            self.states[self._known : reached] = path(times).T
            if last is not None and times[-1] == end:
                self.states[reached - 1] = last
            self._known = reached
        if last is not None:
            self.last = end, last

    def restart(self, t: float, x: Array) -> None:
        """Go on from a state after an event, which output times within rounding show."""
        if self._past is not None:
            self._past.breaks(t, 0)
        slack = SAME * float(np.spacing(abs(t)))
        while self._known < len(self._grid) and self._grid[self._known] <= t + slack:
            self.states[self._known] = x
            self._known += 1
        self.last = t, x

    def until(self, t: float, x: Array) -> Array:
        """The rows that are known, and one for the end where the grid has none there."""
        rows = self.states[: self._known]
        is_there = abs(self._grid[self._known - 1] - t) <= SAME * float(np.spacing(abs(t)))
        return rows if is_there else np.vstack([rows, x])
