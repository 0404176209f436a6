"""`riemannian-modules simulate`: a system run over time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riemannian_modules.cli.arguments import (
    OutFolder,
    SystemPath,
    finite,
    load,
    misuse,
    port_values,
)
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.drive import inputs_of
from riemannian_modules.cli.happened import events_csv, events_of_runs_csv, events_table
from riemannian_modules.cli.interruption import words_without
from riemannian_modules.cli.results import results_in, write_json
from riemannian_modules.cli.scan import Scan, scan_of, scan_summary, scan_table, scanned
from riemannian_modules.cli.stretches import is_whole, simulated_in_stretches

if TYPE_CHECKING:
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.spaces import Array
    from riemannian_modules.spec import System

MOST_POINTS = 1_000_000
FILES = ("summary.json", "trajectory.csv", "trajectory.png", "events.csv")


def simulate(
    file: SystemPath = None,
    t_end: Annotated[
        float | None, typer.Option(help="End of the time span; the file's where not given.")
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(help="Number of times in the result.", min=2, max=MOST_POINTS),
    ] = None,
    x0: Annotated[
        list[str] | None, typer.Option(help="An initial state as NAME=VALUE; may be repeated.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="A constant input as NAME=VALUE; may be repeated."),
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            help="A run for each of COUNT values of a parameter, initial state or constant input, "
            "as NAME=FIRST:LAST:COUNT; by equal factors with :log after it."
        ),
    ] = None,
    out: OutFolder = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="The trajectory.csv of an interrupted run with --out, to go on with."),
    ] = None,
) -> None:
    """Simulate a system over time, as the `simulation` section of its file says.

    Prints where each state starts and ends, and what happened on the way. With `--out`, saves
    `trajectory.csv` (every state, input and output at every time), `trajectory.png`,
    `summary.json` and, of a system with events, `events.csv`. Ctrl-C keeps what is simulated by
    then, and names the command that goes on from there; a run with sampled parts or exact delays is
    one piece, of which nothing is kept.

    For example:

        riemannian-modules simulate --out results

        riemannian-modules simulate loop.json --t-end 50 --x0 plant.q=1 --input reference=0.5

        riemannian-modules simulate loop.json --scan plant.k=0.1:10:9:log --out scan
    """
    if resume is not None and out is None:
        raise misuse("--resume", "needs --out, the folder for the whole trajectory.")
    system = load(file)
    times = _times(system, t_end, points)
    stored = system.simulation.x0 if system.simulation else {}
    start = port_values(system.module.signature.state, stored, x0 or [], "--x0")
    drive = inputs_of(system, inputs or [])
    run = _runner(system)
    if scan is not None:
        if resume is not None:
            raise misuse("--resume", "a scan is one piece; leave --resume out to begin again.")
        _scan(system, scan_of(system.module, scan), run, (times, start, drive), out)
        return
    is_one_piece = is_whole(system)
    if is_one_piece and resume is not None:
        raise misuse(
            "--resume",
            "the system has sampled parts or exact delays, so that its runs are one piece: what "
            "parts do where two pieces meet would be done in both, and delays look back over it. "
            "Leave --resume out to begin again.",
        )
    if out is None:
        _tell(system, run(times, start, drive))
        return
    go_on = {FILES[1]: (*words_without("--resume"), "--resume", out / FILES[1])}
    with results_in(out, stale=FILES, go_on=go_on) as draft:
        trajectory = (
            run(times, start, drive)
            if is_one_piece
            else simulated_in_stretches(
                system, run, times, start, drive, resume, (draft / FILES[1], draft / FILES[3])
            )
        )
        _save(system, trajectory, draft)
    _tell(system, trajectory)


def _runner(system: System) -> Callable[..., Trajectory]:
    """`simulate` with the file's events and tolerances: of times, start, inputs and parameters."""
    from riemannian_modules.engine.simulation import RTOL
    from riemannian_modules.engine.simulation import simulate as simulated

    settings = system.simulation
    rtol = settings.rtol if settings and settings.rtol is not None else RTOL
    atol, events = (settings.atol, settings.events) if settings else (None, ())

    def run(times: Array, *point: Any) -> Trajectory:
        return simulated(system.module, times, *point, rtol=rtol, atol=atol, events=events)

    return run


def _scan(
    system: System,
    scan: Scan,
    run: Callable[..., Trajectory],
    setting: tuple[Array, Array, dict[str, Any]],
    out: Path | None,
) -> None:
    """Run, save and tell a scan."""
    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec.files import write_text

    if out is None:
        found = scanned(scan, system, run, *setting)
    else:
        with results_in(out, stale=FILES) as draft:
            found = scanned(scan, system, run, *setting)
            found.to_csv(draft / "trajectory.csv")
            save_figure(found.plot(), draft / "trajectory.png")
            write_json(draft / "summary.json", scan_summary(scan, system, found))
            if found.events_of_runs:
                text = events_of_runs_csv(system.module, found.events_of_runs)
                write_text(draft / "events.csv", text)
    output().print(scan_table(scan, found, plain(system.name)))


def _times(system: System, t_end: float | None, points: int | None) -> Array:
    import numpy as np

    from riemannian_modules.modules.module import Time

    settings = system.simulation
    end = t_end if t_end is not None else (settings.t_end if settings else None)
    if end is None:
        raise misuse(
            "--t-end",
            "the file has no `simulation` section. Give --t-end, or add "
            '"simulation": {"t_end": 10.0} to the file.',
        )
    if not finite("--t-end", end) > 0:
        raise misuse("--t-end", f"expected a time after the start at 0, got {end:g}.")
    if system.module.signature.time is Time.DISCRETE:
        # A discrete system that does not say how long a step is takes one a unit of time.
        step = system.module.signature.step
        steps = end / step * (1.0 + 1e-9)  # 0.6 / 0.2 rounds to less than 3
        if not 1 <= steps < MOST_POINTS:
            raise misuse("--t-end", f"expected 1 to {MOST_POINTS - 1} steps, got {steps:g}.")
        return np.arange(int(steps) + 1.0) * step
    return np.linspace(0.0, end, points or (settings.points if settings else 201))


def _save(system: System, trajectory: Trajectory, draft: Path) -> None:
    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec.files import write_text

    s = system.module.signature
    trajectory.to_csv(draft / "trajectory.csv")
    save_figure(trajectory.plot(), draft / "trajectory.png")
    state, y = trajectory.states[-1].tolist(), trajectory.outputs[-1].tolist()
    summary: dict[str, Any] = {
        "system": system.name,
        "t_end": float(trajectory.times[-1]),
        "final_state": dict(zip(s.state.coordinates, state, strict=True)),
        "final_output": dict(zip(s.outputs.coordinates, y, strict=True)),
    }
    if system.simulation is not None and system.simulation.events:
        write_text(draft / "events.csv", events_csv(system.module, trajectory.events))
        summary["events"] = [{"time": e.time, "event": e.name} for e in trajectory.events]
    write_json(draft / "summary.json", summary)


def _tell(system: System, trajectory: Trajectory) -> None:
    _print_states(system, trajectory)
    if trajectory.events:
        output().print(events_table(trajectory))


def _print_states(system: System, trajectory: Trajectory) -> None:
    from rich.table import Table

    s = system.module.signature
    is_static = not s.state.size
    space, paths = (s.outputs, trajectory.outputs) if is_static else (s.state, trajectory.states)
    title = f"{plain(system.name)} until t = {trajectory.times[-1]:g}"
    table = Table(title=title, title_justify="left")
    for heading in ("output" if is_static else "state", "unit"):
        table.add_column(heading)
    for heading in ("start", "end", "lowest", "highest"):
        table.add_column(heading, justify="right")
    units = [port.unit for port in space.ports for _ in range(port.size)]
    for i, name in enumerate(space.coordinates):
        path = paths[:, i]
        numbers = (path[0], path[-1], path.min(), path.max())
        table.add_row(plain(name), plain(units[i]), *(f"{v:.5g}" for v in numbers))
    output().print(table)
