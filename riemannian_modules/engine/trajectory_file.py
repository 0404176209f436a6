"""A trajectory read from the table that it was written to.

Source: none; `riemannian_modules.engine.trajectory_table` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.csv_table import numbers_of, read_rows
from riemannian_modules.door import require
from riemannian_modules.engine.trajectory import Trajectory, run_ends, trajectory_at
from riemannian_modules.engine.trajectory_table import RUN, TIME, run_places
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array


def read_trajectory(
    path: str | Path,
    module: RiemannianModule,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
) -> Trajectory:
    """Read what `Trajectory.to_csv` wrote; the outputs are computed again from states and inputs.

    Args:
        path: A CSV file with the columns "time" and every state and input coordinate of the module.
            A first column "run" (or several, "run[0]", ...) makes it a batch, in which columns with
            the names of parameters hold their values.
        module: The module that was simulated.
        theta: Its parameters, flat or by name; its own where None.

    Returns:
        The trajectory with the module's names.

    Raises:
        SpecError: If the file is missing, cannot be read, or is larger than `LARGEST_FILE`.
        SignatureError: If a column is missing, a row is short, or the runs of a batch do not share
            their times.
        DomainError: If an entry is no finite number.
    """
    require("read_trajectory", module, RiemannianModule, "a module")
    require("read_trajectory", path, (str, Path), "a path")
    values = module.point(None, None, theta).theta
    state, inputs, parameters = module.signature.distinct
    wanted = [*state.coordinates, *inputs.coordinates]
    rows = read_rows(path)
    header = [name.strip() for name in rows[0][1]] if rows else []
    axes = _axes(header, wanted)
    rest = ["" if i < axes else name for i, name in enumerate(header)]
    missing = [name for name in (TIME, *wanted) if name not in rest]
    if missing:
        raise SignatureError(
            f"{path}: columns {missing} are missing; expected {[TIME, *wanted]} of "
            f"{type(module).__name__}, got {header}."
        )
    at_time = rest.index(TIME)
    rest[at_time] = TIME if rest.count(TIME) == 1 else ""  # a state may have this name too
    over = {name for name in rest if name not in (TIME, *inputs.coordinates)} if axes else set()
    table = np.array([numbers_of(f"{path}: line {i}", row, rest, over) for i, row in rows[1:]])
    table = table.reshape(len(rows) - 1, len(header))
    table, last = _without_ends(path, table, axes, _places(rest, state.coordinates))
    batch = _batch(path, table[:, :axes], table[:, at_time])
    shaped = table.reshape(*batch, -1, len(header))
    x, u = (shaped[..., _places(rest, space.coordinates)] for space in (state, inputs))
    theta_of_runs = np.array(np.broadcast_to(values, (*batch, values.shape[-1])))
    for i, name in enumerate(parameters.coordinates if axes else ()):
        if name in rest and name not in wanted:
            theta_of_runs[..., i] = shaped[..., 0, rest.index(name)]
    times = shaped[(0,) * len(batch)][:, at_time]
    ends = None
    if last is not None:
        x_end, u_end = (last[:, _places(rest, space.coordinates)] for space in (state, inputs))
        x_end, u_end = (part.reshape(*batch, part.shape[-1]) for part in (x_end, u_end))
        ends = run_ends(module, last[:, at_time].reshape(batch), x_end, u_end, theta_of_runs)
    return trajectory_at(module, times, x, u, theta_of_runs, ends=ends)


def _places(header: Sequence[str], names: Sequence[str]) -> list[int]:
    return [header.index(name) for name in names]


def _axes(header: Sequence[str], wanted: Sequence[str]) -> int:
    """How many of the first columns say which run of a batch a row belongs to."""
    if header[:1] == [RUN]:
        return int(RUN not in wanted or header.count(RUN) > 1)
    axes = 0
    while axes < len(header) and header[axes] == f"{RUN}[{axes}]" and header[axes] not in wanted:
        axes += 1
    return axes


def _without_ends(
    path: str | Path, table: Array, axes: int, states: Sequence[int]
) -> tuple[Array, Array | None]:
    """The table without the rows where runs end early, and the last row of each run.

    None for the latter where no run ends early. Such a row stands before those without states.
    """
    over: Any = np.isnan(table[:, states]).any(1)
    if not over.any():
        return table, None
    firsts = np.flatnonzero(np.append(True, (np.diff(table[:, :axes], axis=0) != 0).any(1)))
    last, ends = list[Array](), list[int]()
    for first, beyond in pairwise([*firsts.tolist(), len(table)]):
        count = int((~over[first:beyond]).sum())
        if over[first : first + count].any() or not count:
            raise DomainError(
                f"{path}: in the run that begins in row {first + 2}, states are missing before its "
                "end. A run that ends early has none after its end, and all before."
            )
        last.append(table[first + count - 1])
        if count < beyond - first:
            ends.append(first + count - 1)
    return np.delete(table, ends, 0), np.array(last)


def _batch(path: str | Path, runs: Array, times: Array) -> tuple[int, ...]:
    """The shape of the batch whose runs stand in the file one after the other."""
    if not runs.shape[1]:
        return ()
    shape = tuple((runs.max(0, initial=0) + 1).astype(int).tolist())
    count = math.prod(shape)
    length = len(runs) // count
    is_whole = (
        0 < length * count == len(runs)
        and np.array_equal(runs, np.repeat(run_places(shape), length, 0))
        and (times.reshape(count, length) == times[:length]).all()
    )
    if not is_whole:
        raise SignatureError(
            f"{path}: expected the runs of a batch {shape} one after the other, from 0, each at "
            "the same times. Write runs of other times into files of their own."
        )
    return shape
