"""A simulation in stretches: when it is interrupted, those that are whole are kept and go on.

The stretches end at times of the result, the same ones in each run, so that a simulation that was
interrupted and went on gives the numbers of one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riemannian_modules.cli.arguments import misuse

if TYPE_CHECKING:
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.modules.module import RiemannianModule
    from riemannian_modules.space import Array

STRETCHES = 10  # each of which starts a solver anew


def simulated_in_stretches(
    module: RiemannianModule,
    times: Array,
    x0: Array,
    inputs: Mapping[str, Array],
    begun: Path | None,
    kept: Path,
) -> Trajectory:
    """The trajectory from ``x0``; an interrupt leaves what is known by then in the file ``kept``.

    Args:
        module: The module.
        times: (T,), the start first.
        x0: The initial state, (n,).
        inputs: Constant inputs by port.
        begun: What an interrupted run of the same module, times, start and inputs has kept.
        kept: The CSV file.

    Raises:
        typer.BadParameter: If ``begun`` is the file of another run.
    """
    import numpy as np

    from riemannian_modules.engine.simulate import simulate
    from riemannian_modules.engine.trajectory import joined, read_trajectory

    # Sampled parts count their ticks from the start, so that a run of theirs is one stretch.
    stretches = 1 if module.has_ticks else STRETCHES
    edges = np.unique(np.linspace(0, len(times) - 1, stretches + 1).astype(int)).tolist()
    known = None if begun is None else read_trajectory(begun, module)
    if begun is not None and known is not None:
        _check_same(begun, known, simulate(module, times[:1], x0, inputs), times)
    try:
        for edge in edges[1:] or edges:
            done = 0 if known is None else len(known) - 1
            if known is not None and edge <= done:
                continue
            if known is not None and module.has_ticks:
                raise misuse(
                    "--resume", "sampled parts count their ticks from the start. Begin again there."
                )
            start = x0 if known is None else known.final_state
            piece = simulate(module, times[done : edge + 1], start, inputs)
            known = piece if known is None else joined(known, piece)
    except KeyboardInterrupt:
        if known is not None:
            known.to_csv(kept)
        raise
    assert known is not None
    return known


def _check_same(path: Path, known: Trajectory, start: Trajectory, times: Array) -> None:
    """Refuse what was kept by a run of other times, another start or other inputs."""
    import numpy as np

    differs = [
        what
        for what, mine, theirs in (
            ("times", times[: len(known)], known.times),
            ("initial state", start.states[0], known.states[0]),
            ("inputs", start.inputs, known.inputs[:1]),
        )
        if not np.array_equal(mine, theirs)
    ]
    if differs:
        raise misuse(
            "--resume",
            f"{path} was kept by a run with other {' and '.join(differs)}. Give the options of "
            "that run, or leave --resume out to begin again.",
        )
