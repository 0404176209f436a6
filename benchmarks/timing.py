"""Paired timing: ours and a reference alternate, so that a slow moment of the machine hits both."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class PairedTimes:
    """Seconds of each repeat; ``ours[i]`` and ``reference[i]`` were measured back to back."""

    ours: tuple[float, ...]
    reference: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median over repeats of ours / reference."""
        pairs = zip(self.ours, self.reference, strict=True)
        return statistics.median(ours / reference for ours, reference in pairs)

    def row(self, name: str) -> dict[str, object]:
        """A row of a benchmark's table; add what else the reader should know, such as ``limit``."""
        return {
            "name": name,
            "ours_s": statistics.median(self.ours),
            "reference_s": statistics.median(self.reference),
            "ratio": self.ratio,
        }


def seconds(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    """Time of one call, in seconds: wall time, or another clock's."""
    start = clock()
    work()
    return clock() - start


def paired_times(
    ours: Work,
    reference: Work,
    repeats: int = 11,
    clock: Callable[[], float] = time.perf_counter,
) -> PairedTimes:
    """Time both ``repeats`` times after one unmeasured call each; who goes first alternates."""
    if repeats < 1:
        raise ValueError(f"paired_times: expected at least one repeat, got {repeats}.")
    ours()
    reference()
    ours_s: list[float] = []
    reference_s: list[float] = []
    sides = [(ours, ours_s), (reference, reference_s)]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(repeats):
            for work, times in sides:
                times.append(seconds(work, clock))
            sides.reverse()
    finally:
        if collecting:
            gc.enable()
    return PairedTimes(tuple(ours_s), tuple(reference_s))


def paired_ratio(ours: Work, reference: Work, repeats: int = 11) -> float:
    """The median of the paired ratios of ours to the reference; below 1 ours is faster."""
    return paired_times(ours, reference, repeats).ratio
