"""Where the runs of a batch end, each at a time of its own.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunEnds(Shown):
    """When and where each run of a batch ends.

    Attributes:
        times: The times, (...); the last one of the batch for a run that no event has ended.
        states: The states then, after what ended it, (..., n).
        inputs: The inputs then, (..., m).
        outputs: The outputs then, (..., q).
    """

    times: Array
    states: Array
    inputs: Array
    outputs: Array

    @override
    def facts(self) -> Facts:
        t = self.times
        return Facts(f"RunEnds of {t.size} runs, from {np.min(t):.6g} to {np.max(t):.6g}")
