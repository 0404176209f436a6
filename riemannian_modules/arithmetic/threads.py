"""Chunks of a batch on all cores: NumPy's passes and compiled loops let other threads run.

Chunks are the same however many threads there are, and each writes its own part of a result, so
that results do not depend on the number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each_chunk(work: Callable[[slice], None], count: int, length: int) -> None:
    """Call ``work(part)`` for each part of ``range(count)``, at most ``length`` long.

    An exception in one chunk is raised here. Threads live for this call alone, so that processes
    may be forked before and after.
    """
    parts = [slice(start, min(start + length, count)) for start in range(0, count, length)]
    cores = min(available_cores(), len(parts))
    if cores <= 1:
        for part in parts:
            work(part)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(cores) as threads:
        for _ in threads.map(work, parts):
            pass
