"""What happened in a simulation: the table of its events, on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from riemannian_modules.cli.console import plain

if TYPE_CHECKING:
    from rich.table import Table

    from riemannian_modules.engine.events import Occurrence
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.modules.module import RiemannianModule

MOST_ROWS = 20
MOST_CHANGES = 4  # of states in one row


def events_table(trajectory: Trajectory) -> Table:
    """When what happened, and which states it changed."""
    from rich.table import Table

    events = trajectory.events
    table = Table(title="Events", title_justify="left")
    table.add_column("time", justify="right")
    table.add_column("event")
    table.add_column("changed")
    names = trajectory.module.signature.state.coordinates
    for one in events[:MOST_ROWS]:
        table.add_row(f"{one.time:.6g}", plain(one.name), plain(_changes(one, names)))
    if len(events) > MOST_ROWS:
        table.add_row("", f"and {len(events) - MOST_ROWS} more", "")
    return table


def _changes(one: Occurrence, names: Sequence[str]) -> str:
    rows = [
        f"{name}: {before:.5g} -> {after:.5g}"
        for name, before, after in zip(names, one.before.tolist(), one.after.tolist(), strict=True)
        if before != after
    ]
    more = [f"and {len(rows) - MOST_CHANGES} more"] if len(rows) > MOST_CHANGES else []
    return ", ".join([*rows[:MOST_CHANGES], *more]) or "nothing"


def events_csv(module: RiemannianModule, events: Sequence[Occurrence]) -> str:
    """One row an event: its time and name, and each state before and after it, to all 17 digits."""
    return _csv(["time", "event", *_sides(module)], map(_row, events))


def read_events(path: Path, module: RiemannianModule) -> tuple[Occurrence, ...]:
    """What `events_csv` wrote.

    Raises:
        SpecError: If the file cannot be read.
        SignatureError: If it is a table of something else.
        DomainError: If an entry is no finite number.
    """
    import numpy as np

    from riemannian_modules.csv_table import numbers_of, read_rows
    from riemannian_modules.engine.events import Occurrence
    from riemannian_modules.errors import SignatureError

    (_, header), *rows = read_rows(path) or [(0, [])]
    if header != ["time", "event", *_sides(module)]:
        raise SignatureError(
            f"{path}: expected the events of the run that is to go on, with the columns time, "
            f"event and each state before and after, got {header}. Keep the file beside the "
            "trajectory."
        )
    found: list[Occurrence] = []
    for line, row in rows:
        numbers = numbers_of(f"{path}: line {line}", [*row[:1], *row[2:]], [header[0], *header[2:]])
        before, after = np.split(np.array(numbers[1:]), 2)
        found.append(Occurrence(row[1], numbers[0], before, after))
    return tuple(found)


def events_of_runs_csv(module: RiemannianModule, runs: Sequence[Sequence[Occurrence]]) -> str:
    """The same of several runs, each row with its run before it."""
    rows = ([str(i), *_row(one)] for i, events in enumerate(runs) for one in events)
    return _csv(["run", "time", "event", *_sides(module)], rows)


def _sides(module: RiemannianModule) -> list[str]:
    names = module.signature.state.coordinates
    return [f"{side}.{name}" for side in ("before", "after") for name in names]


def _row(one: Occurrence) -> list[str]:
    states = (*one.before.tolist(), *one.after.tolist())
    return [repr(float(one.time)), one.name, *(repr(value) for value in states)]


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
