"""A simulation in stretches: when it is interrupted, those that are whole are kept and go on.

The stretches end at times of the result, the same ones in each run, so that a simulation that was
interrupted and went on gives the numbers of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.cli.drive import sampled_inputs

if TYPE_CHECKING:
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.space import Array
    from riemannian_modules.spec import System

STRETCHES = 10  # each of which starts a solver anew


def is_whole(system: System) -> bool:
    """Whether a run has to be one piece: it has events, sampled parts or exact delays.

    What happens where two stretches meet would happen in both, and delays look back over it.
    """
    from riemannian_modules.engine.sampling import sampled_parts

    events = system.simulation.events if system.simulation else ()
    return bool(events or sampled_parts(system.module) or system.module.has_delays)


def simulated_in_stretches(
    system: System,
    run: Callable[[Array, Array, dict[str, Any]], Trajectory],
    times: Array,
    x0: Array,
    inputs: dict[str, Any],
    begun: Path | None,
    kept: Path,
) -> Trajectory:
    """The trajectory from ``x0``; an interrupt leaves what is known by then in the file ``kept``.

    Args:
        system: The system.
        run: Simulates it: from times, the start first, the state there, and inputs.
        times: (T,), the start first.
        x0: The initial state, (n,).
        inputs: What ``run`` drives it by, as `simulate` takes it.
        begun: What an interrupted run of the same system, times, start and inputs has kept.
        kept: The CSV file.

    Raises:
        typer.BadParameter: If ``begun`` is the file of another run.
    """
    import numpy as np

    from riemannian_modules.engine.trajectory import joined
    from riemannian_modules.engine.trajectory_file import read_trajectory

    edges = np.unique(np.linspace(0, len(times) - 1, STRETCHES + 1).astype(int)).tolist()
    known = None if begun is None else read_trajectory(begun, system.module)
    if begun is not None and known is not None:
        drive = sampled_inputs(system, inputs, known.times)
        _check_same(begun, known, times[: len(known)], x0, drive)
    try:
        for edge in edges[1:] or edges:
            done = 0 if known is None else len(known) - 1
            if known is not None and edge <= done:
                continue
            start = x0 if known is None else known.final_state
            piece = run(times[done : edge + 1], start, inputs)
            known = piece if known is None else joined(known, piece)
    except KeyboardInterrupt:
        if known is not None:
            known.to_csv(kept)
        raise
    assert known is not None
    return known


def _check_same(path: Path, known: Trajectory, times: Array, x0: Array, inputs: Array) -> None:
    """Refuse what was kept by a run of other times, another start or other inputs."""
    import numpy as np

    differs = [
        what
        for what, mine, theirs in (
            ("times", times, known.times),
            ("initial state", x0, known.states[0]),
            ("inputs", inputs, known.inputs),
        )
        if not np.array_equal(mine, theirs)
    ]
    if differs:
        raise misuse(
            "--resume",
            f"{path} was kept by a run with other {' and '.join(differs)}. Give the options of "
            "that run, or leave --resume out to begin again.",
        )
