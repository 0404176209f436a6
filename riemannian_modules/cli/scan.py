"""A scan: one run for each value of a parameter, an initial state or a constant input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.cli.console import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.modules.module import RiemannianModule
    from riemannian_modules.spaces import Array
    from riemannian_modules.spec import System

    Run = Callable[[Array, Array, dict[str, Any], Array], Trajectory]

MOST_RUNS = 10_000
MOST_ROWS = 20  # in the table
OPTION = "--scan"
STATE, INPUT, PARAMETER = range(3)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What is scanned.

    Attributes:
        name: A coordinate of the states, inputs or parameters, under its distinct name.
        kind: Which of the three: STATE, INPUT or PARAMETER.
        place: Its place among these.
        values: One a run, (R,).
    """

    name: str
    kind: int
    place: int
    values: Array

    def points(
        self, module: RiemannianModule, x0: Array, inputs: dict[str, Any]
    ) -> list[tuple[Array, dict[str, Any], Array]]:
        """The start, inputs and parameters of each run."""
        return [self._point(module, x0, inputs, value) for value in self.values.tolist()]

    def _point(
        self, module: RiemannianModule, x0: Array, inputs: dict[str, Any], value: float
    ) -> tuple[Array, dict[str, Any], Array]:
        import numpy as np

        x, theta = x0.copy(), module.theta.copy()
        if self.kind != INPUT:
            (x if self.kind == STATE else theta)[self.place] = value
            return x, inputs, theta
        space = module.signature.inputs
        port = next(p for p in space.ports if self.place < space.slice_of(p.name).stop)
        known = inputs.get(port.name, np.zeros(port.shape))
        moved = inputs.keys() & set(port.coordinates()) if port.shape else set[str]()
        if moved or not isinstance(known, np.ndarray):
            raise misuse(OPTION, f"the file moves the input {port.name!r}; scan a constant one.")
        flat = np.array(known, dtype=np.float64).ravel()
        flat[self.place - space.slice_of(port.name).start] = value
        return x, inputs | {port.name: flat.reshape(port.shape)}, theta


def scan_of(module: RiemannianModule, text: str) -> Scan:
    """Read ``NAME=FIRST:LAST:COUNT``, evenly spaced; with ``:log`` after it by equal factors.

    Raises:
        typer.BadParameter: For anything else, and for names that the module does not have.
    """
    import numpy as np

    name, _, sides = text.partition("=")
    numbers, is_log = sides.removesuffix(":log").split(":"), sides.endswith(":log")
    try:
        first, last, count = float(numbers[0]), float(numbers[1]), int(numbers[2])
        is_read = len(numbers) == 3 and math.isfinite(first) and math.isfinite(last)
    except (ValueError, IndexError):
        is_read, first, last, count = False, 0.0, 0.0, 0
    if not is_read:
        raise misuse(
            OPTION,
            f"expected NAME=FIRST:LAST:COUNT such as k=0.1:1:10, perhaps with :log, got {text!r}.",
        )
    if not 1 <= count <= MOST_RUNS:
        raise misuse(OPTION, f"expected 1 to {MOST_RUNS} runs, got {count}.")
    if is_log and not first * last > 0:
        raise misuse(OPTION, f"no equal factors lead from {first:g} to {last:g}; leave out :log.")
    kind, place = _found(module, name.strip())
    space = np.geomspace if is_log else np.linspace
    names = module.signature.distinct[kind].coordinates
    return Scan(names[place], kind, place, space(first, last, count))


def _found(module: RiemannianModule, name: str) -> tuple[int, int]:
    spaces = module.signature.distinct
    for kind, space in enumerate(spaces):
        if name in space.coordinates:
            return kind, space.coordinates.index(name)
    for space in spaces:
        if name in space:
            raise misuse(
                OPTION,
                f"{name!r} is {space[name].size} numbers; scan one, such as "
                f"{next(iter(space[name].coordinates()))}.",
            )
    known = ", ".join(name for space in spaces for name in space.names)
    raise misuse(OPTION, f"there is no {name!r}; known states, inputs and parameters: {known}.")


def scanned(
    scan: Scan, system: System, run: Run, times: Array, x0: Array, inputs: dict[str, Any]
) -> Trajectory:
    """The runs as a batch."""
    import numpy as np

    points, drives = scan.points(system.module, x0, inputs), inputs
    if scan.kind == INPUT:
        name = next(n for n, v in points[-1][1].items() if v is not inputs.get(n))
        drives = inputs | {name: np.array([p[1][name] for p in points])}
    x, thetas = (np.array([p[i] for p in points]) for i in (0, 2))
    return run(times, x, drives, thetas)


def _ends(trajectory: Trajectory) -> tuple[Array, Array, Array]:
    """The times (R,), states and outputs at which the runs end."""
    import numpy as np

    ends = trajectory.ends
    if ends is not None:
        return ends.times, ends.states, ends.outputs
    times = np.full(trajectory.batch, trajectory.times[-1])
    return times, trajectory.states[:, -1], trajectory.outputs[:, -1]


def scan_summary(scan: Scan, system: System, trajectory: Trajectory) -> dict[str, Any]:
    """Where each run ends, as JSON's types."""
    s, (times, x, y) = trajectory.module.signature, _ends(trajectory)
    state, output = (
        dict(zip(space.coordinates, of.T.tolist(), strict=True))
        for space, of in ((s.state, x), (s.outputs, y))
    )
    return {
        "system": system.name, "t_end": float(trajectory.times[-1]), "scan": scan.name,
        "values": scan.values.tolist(), "run_ends": times.tolist(), "final_state": state,
        "final_output": output,
    }  # fmt: skip


def scan_table(scan: Scan, trajectory: Trajectory, title: str) -> Table:
    """Where each run ends."""
    import numpy as np
    from rich.table import Table

    s = trajectory.module.signature
    times, x, y = _ends(trajectory)
    space, last = (s.state, x) if s.state.size else (s.outputs, y)
    when = [f"{time:.6g}" for time in times.tolist()] if trajectory.ends else []
    shown = space.coordinates[:6]
    table = Table(title=f"{title}: ends at", title_justify="left")
    for heading in ("run", scan.name, *(["time"] if when else []), *shown):
        table.add_column(plain(heading), justify="right")
    runs = len(scan.values)
    kept = np.linspace(0, runs - 1, min(runs, MOST_ROWS)).round().astype(int).tolist()
    for i in kept:
        ends = last[i, : len(shown)].tolist()
        numbers = (f"{value:.5g}" for value in ends)
        table.add_row(str(i), f"{scan.values[i]:.6g}", *when[i : i + 1], *numbers)
    if runs > len(kept) or space.size > len(shown):
        table.caption = f"{len(kept)} of {runs} runs, {len(shown)} of {space.size} columns"
    return table
