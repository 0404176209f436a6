"""Progress of a simulation on the terminal; silent when the output goes elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

REPORT_EVERY = 512  # evaluations; a report costs more than an evaluation


@contextmanager
def reported(
    function: Callable[[float, Any], Any], start: float, end: float
) -> Generator[Callable[[float, Any], Any]]:
    """``function(t, x)`` itself, or one that moves a bar where a person watches."""
    if not sys.stderr.isatty():
        yield function
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task, calls = bar.add_task("simulating", total=end - start), 0

        def counted(t: float, x: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % REPORT_EVERY == 0:
                bar.update(task, completed=t - start)
            return function(t, x)

        yield counted
