"""A simulation in stretches: when it is interrupted, those that are whole are kept and go on.

The stretches end at times of the result, the same ones in each run, so that a simulation that was
interrupted and went on gives the numbers of one that was not. With events, a stretch is kept up to
a time at which none happens and none is near: there, the sign of each event's function tells what
comes next, and nothing else is to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.cli.drive import sampled_inputs
from riemannian_modules.cli.happened import events_csv, read_events
from riemannian_modules.modules.delay import has_delays

if TYPE_CHECKING:
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.spaces import Array
    from riemannian_modules.spec import System

    Run = Callable[[Array, Array, dict[str, Any]], Trajectory]

STRETCHES = 10  # each of which starts a solver anew
NEAR = 1e-9  # of an event: in its function's largest value on a stretch, and in the stretch's time


def is_whole(system: System) -> bool:
    """Whether a run has to be one piece: it has sampled parts or exact delays.

    Where it is cut, parts would tick in both of its stretches, and delays look back over the cut.
    """
    from riemannian_modules.engine.sampling import sampled_parts

    return bool(sampled_parts(system.module)) or has_delays(system.module)


def simulated_in_stretches(
    system: System,
    run: Run,
    times: Array,
    x0: Array,
    inputs: dict[str, Any],
    begun: Path | None,
    kept: tuple[Path, Path],
) -> Trajectory:
    """The trajectory from ``x0``; an interrupt leaves what is known by then in the files ``kept``.

    Args:
        system: The system.
        run: Simulates it: from times, the start first, the state there, and inputs.
        times: (T,), the start first.
        x0: The initial state, (n,).
        inputs: What ``run`` drives it by, as `simulate` takes it.
        begun: What an interrupted run of the same system, times, start and inputs has kept; its
            events stand beside it.
        kept: The CSV files of the trajectory and of its events.

    Raises:
        typer.BadParameter: If ``begun`` is the file of another run.
    """
    import numpy as np

    from riemannian_modules.engine.trajectory import joined
    from riemannian_modules.engine.trajectory_file import read_trajectory
    from riemannian_modules.spec.files import write_text

    edges = np.unique(np.linspace(0, len(times) - 1, STRETCHES + 1).astype(int)).tolist()
    known = None if begun is None else read_trajectory(begun, system.module)
    is_over = False
    if begun is not None and known is not None:
        if _events_of(system):
            known = replace(known, events=read_events(begun.with_name(kept[1].name), system.module))
            is_over = _is_over(system, known)
        drive = sampled_inputs(system, inputs, known.times)
        shown = known.times[:-1] if is_over else known.times
        same = np.append(times[: len(shown)], known.times[len(shown) :])
        _check_same(begun, known, same, x0, drive)
    try:
        while known is None or not (is_over or len(known) == len(times)):
            piece, is_over = _next(system, run, times, known, edges, (x0, inputs))
            known = piece if known is None else joined(known, piece)
    except KeyboardInterrupt:
        if known is not None:
            known.to_csv(kept[0])
            if _events_of(system):
                write_text(kept[1], events_csv(system.module, known.events))
        raise
    return known


def _is_over(system: System, known: Trajectory) -> bool:
    """Whether what is known ends with an event that ends runs."""
    ends = {e.name for e in _events_of(system) if e.ends}
    return any(e.name in ends and e.time == known.times[-1] for e in known.events[-1:])


def _next(
    system: System,
    run: Run,
    times: Array,
    known: Trajectory | None,
    edges: list[int],
    begin: tuple[Array, dict[str, Any]],
) -> tuple[Trajectory, bool]:
    """The stretch after what is known, up to the first edge before which it can be cut.

    The second says whether the run is over there.
    """
    done, (start, inputs) = (0 if known is None else len(known) - 1), begin
    start = start if known is None else known.final_state
    for edge in [e for e in edges if e > done] or [done]:
        piece = run(times[done : edge + 1], start, inputs)
        is_over = len(piece) < edge + 1 - done or piece.times[-1] != times[edge]
        if is_over or edge == len(times) - 1:
            return piece, True
        cut = _last_clear(system, piece)
        if cut:
            return _until(piece, cut), False
    raise AssertionError("the last edge is the last time")


def _events_of(system: System) -> Any:
    return system.simulation.events if system.simulation else ()


def _last_clear(system: System, piece: Trajectory) -> int:
    """The place of the last time at which no event happens and none is near; 0 where all are."""
    import numpy as np

    from riemannian_modules.engine.event_terms import EventsOf

    events = EventsOf(system.module, piece.theta, _events_of(system), [])
    t, span = piece.times, float(piece.times[-1] - piece.times[0])
    values = np.abs(events.values_along(t, piece.states, piece.inputs))
    is_clear = (values > NEAR * values.max(0)).all(1)
    happens = np.array([*events.scheduled(), *(e.time for e in piece.events)])
    is_clear &= (np.abs(t[:, None] - happens) > NEAR * span).all(1)
    return int(np.flatnonzero(is_clear).max(initial=0))


def _until(piece: Trajectory, cut: int) -> Trajectory:
    """A trajectory up to one of its times."""
    end, rows = piece.times[cut], slice(cut + 1)
    return replace(
        piece,
        times=piece.times[rows],
        states=piece.states[rows],
        inputs=piece.inputs[rows],
        outputs=piece.outputs[rows],
        events=tuple(e for e in piece.events if e.time <= end),
    )


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
