"""`riemannian-modules simulate`: a system run over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riemannian_modules.cli.arguments import (
    OutFolder,
    SystemPath,
    finite,
    input_values,
    load,
    misuse,
    port_values,
)
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.interruption import words_without
from riemannian_modules.cli.results import results_in, write_json
from riemannian_modules.cli.stretches import simulated_in_stretches

if TYPE_CHECKING:
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.space import Array
    from riemannian_modules.spec import System

MOST_POINTS = 1_000_000
FILES = ("summary.json", "trajectory.csv", "trajectory.png")


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
    out: OutFolder = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="The trajectory.csv of an interrupted run with --out, to go on with."),
    ] = None,
) -> None:
    """Simulate a system over time from its file's initial state and constant inputs.

    Prints where each state starts and ends. With `--out`, saves `trajectory.csv` (every state,
    input and output at every time), `trajectory.png` and `summary.json`. Ctrl-C keeps what is
    simulated by then, and names the command that goes on from there.

    For example:

        riemannian-modules simulate --out results

        riemannian-modules simulate loop.json --t-end 50 --x0 plant.q=1 --input reference=0.5
    """
    from riemannian_modules.engine.simulate import simulate as run

    if resume is not None and out is None:
        raise misuse("--resume", "needs --out, the folder for the whole trajectory.")
    system = load(file)
    settings, s = system.simulation, system.module.signature
    times = _times(system, t_end, points)
    start = port_values(s.state, settings.x0 if settings else {}, x0 or [], "--x0")
    drive = input_values(system.module, settings.inputs if settings else {}, inputs or [])
    if out is None:
        _print_states(system, run(system.module, times, start, drive))
        return
    words = words_without("--resume")
    go_on = {FILES[1]: (*words, "--resume", out / FILES[1])}
    with results_in(out, stale=FILES, go_on=go_on) as draft:
        trajectory = simulated_in_stretches(
            system.module, times, start, drive, resume, draft / FILES[1]
        )
        _save(system, trajectory, draft)
    _print_states(system, trajectory)


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

    s = system.module.signature
    trajectory.to_csv(draft / "trajectory.csv")
    save_figure(trajectory.plot(), draft / "trajectory.png")
    state, y = trajectory.states[-1].tolist(), trajectory.outputs[-1].tolist()
    summary = {
        "system": system.name,
        "t_end": float(trajectory.times[-1]),
        "final_state": dict(zip(s.state.coordinates, state, strict=True)),
        "final_output": dict(zip(s.outputs.coordinates, y, strict=True)),
    }
    write_json(draft / "summary.json", summary)


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
