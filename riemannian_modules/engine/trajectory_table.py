"""The table of a trajectory: a row for each time, of a batch one for each time of each run.

Source: the file follows RFC 4180.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from riemannian_modules.engine.run_ends import RunEnds
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array
from riemannian_modules.whole_file import write_whole

TIME, RUN = "time", "run"


@final
@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryTable:
    """What a file holds of a trajectory, whose attributes these are."""

    module: RiemannianModule
    times: Array
    states: Array
    inputs: Array
    outputs: Array
    theta: Array
    ends: RunEnds | None


def write_table(trajectory: TrajectoryTable, path: str | Path) -> None:
    """Write what `Trajectory.to_csv` says."""
    names, table = _columns(trajectory)
    runs = trajectory.states.ndim - 2
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(
        [str(int(v)) if i < runs else "" if v != v else repr(v) for i, v in enumerate(row)]  # noqa: PLR0124 - NaN, where a run is over
        for row in table.tolist()
    )
    write_whole(path, text.getvalue())


def _run_names(axes: int) -> list[str]:
    return [RUN] if axes == 1 else [f"{RUN}[{i}]" for i in range(axes)]


def run_places(batch: Sequence[int]) -> Array:
    """The place of each run along the batch's axes, (runs, axes)."""
    return np.indices(batch, dtype=np.float64).reshape(len(batch), math.prod(batch)).T


def _columns(trajectory: TrajectoryTable) -> tuple[list[str], Array]:
    s = trajectory.module.signature
    *batch, count, _ = trajectory.states.shape
    state, inputs, parameters = s.distinct
    places = run_places(batch)
    theta = trajectory.theta.reshape(len(places), -1)
    differ = (theta != trajectory.module.theta).any(0) & bool(batch)
    names = [
        *_run_names(len(batch)), TIME, *np.array(parameters.coordinates, dtype=object)[differ],
        *state.coordinates, *inputs.coordinates,
    ]  # fmt: skip
    columns = [
        np.repeat(places, count, 0), np.tile(trajectory.times, len(places))[:, None],
        np.repeat(theta[:, differ], count, 0), trajectory.states, trajectory.inputs,
    ]  # fmt: skip
    if s.outputs is not s.state:
        taken = set(names)
        names += [f"output.{name}" if name in taken else name for name in s.outputs.coordinates]
        columns.append(trajectory.outputs)
    rows = count * len(places)
    table = np.concatenate([part.reshape(rows, part.shape[-1]) for part in columns], 1)
    ends = trajectory.ends
    if ends is None:
        return names, table
    # A run that ended early has a row more, after the last one that is not later.
    own = [places, ends.times.reshape(-1, 1), theta[:, differ], ends.states, ends.inputs]
    own += [ends.outputs] * (s.outputs is not s.state)
    last = np.concatenate([part.reshape(len(places), part.shape[-1]) for part in own], 1)
    early = np.flatnonzero(ends.times.ravel() < trajectory.times[-1])
    known = np.searchsorted(trajectory.times, ends.times.ravel()[early], "right")
    return names, np.insert(table, count * early + known, last[early], axis=0)
