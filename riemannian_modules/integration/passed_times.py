"""States at given times, filled in as the steps of the members of a batch pass them.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.6.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from riemannian_modules.integration.march import Members
from riemannian_modules.integration.step import Start, TriedStep
from riemannian_modules.spaces import Array


@final
class PassedTimes:
    """States and sensitivities (T, n, 1 + k, M) at increasing times (T,), the start first.

    Those that no step has passed are NaN; that at the last time is known once all is over.
    """

    def __init__(self, times: Array, start: Array) -> None:
        self.times, self.inner = times, times[:-1]
        self.states = np.full((len(times), *start.shape), np.nan)
        self.states[0] = start

    def watch(self, who: Any, good: Any, start: Start, step: TriedStep) -> None:
        """Note the states at the times that a step has passed; see `march`."""
        if len(self.inner) == 1:
            return
        first, beyond = (
            np.searchsorted(self.inner, t, "right") for t in (start.t, start.t + start.h)
        )
        count = np.where(good, beyond - first, 0)
        if not count.any():
            return
        # A row for each time that a step has passed, with its member beside it.
        member = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(member)) + np.repeat(first - np.cumsum(count) + count, count)
        share = (self.times[place] - start.t[member]) / start.h[member]
        between = step.between(member, share)
        self.states[place, :, :, who[member]] = np.moveaxis(between, -1, 0)

    def ended(self, ends: Members) -> Array:
        """All of them, now that it is known where the members ended; those that stopped are NaN."""
        self.states[-1] = np.where(ends.have_arrived, ends.z, np.nan)
        return self.states
