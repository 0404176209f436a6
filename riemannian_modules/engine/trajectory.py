"""A trajectory: a module's states, inputs and outputs at a grid of times, by name.

Source: none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.events import Occurrence
from riemannian_modules.engine.run_ends import RunEnds
from riemannian_modules.engine.vector_field import operations_of
from riemannian_modules.errors import SignatureError
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.integration.tally import SolverRun
from riemannian_modules.modules.compiled_rate import is_large
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.shown import Facts, Shown, counted, listed, numbers
from riemannian_modules.spaces import Array, Port, Space

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

MOST_RUNS = 100  # that are drawn of a batch


@final
@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Shown, Recomputed):
    """What `simulate` returns; ``trajectory["plant.q"]`` is a signal over time.

    A batch of runs has its axes before those of time; `run` gives one of them.

    Attributes:
        module: The module that was simulated.
        times: Times, shape (T,).
        states: States, shape (..., T, n).
        inputs: Inputs, shape (..., T, m); at a jump the value after it.
        outputs: Outputs, shape (..., T, q).
        theta: The parameters' values, shape (..., p).
        solver: Which solver ran and what it took; None where none did.
        events: What happened on the way, in order; a file of `to_csv` does not hold it.
        events_of_runs: The same for each run of a batch, the runs in the order of a flat array;
            empty where the batch was run without events.
        ends: Where each run of a batch ends, if an event has ended one before the last time: from
            its end on, its states and outputs are NaN. None else.
    """

    module: RiemannianModule
    times: Array
    states: Array
    inputs: Array
    outputs: Array
    theta: Array
    solver: SolverRun | None = None
    events: tuple[Occurrence, ...] = ()
    events_of_runs: tuple[tuple[Occurrence, ...], ...] = ()
    ends: RunEnds | None = None

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, name: str) -> Array:
        """A signal by name, shape (T, *port shape), or a coordinate such as ``W[0,1]``, shape (T,).

        States come first, then outputs, inputs, and the outputs of any leaf of a composite
        ("leaf.port"); `state`, `input` and `output` say which is meant where names coincide.

        Raises:
            SignatureError: For an unknown name, with the known ones.
        """
        s = self.module.signature
        for space, values in (
            (s.state, self.states), (s.outputs, self.outputs), (s.inputs, self.inputs),
        ):  # fmt: skip
            if name in space or name in space.coordinates:
                return _signal(space, values, name)
        if name in self._leaf_outputs:
            return self._leaf_outputs[name]
        raise SignatureError(
            f"Trajectory of {type(self.module).__name__}: unknown signal {name!r}; known are: "
            f"{', '.join(self.names)}."
        )

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch's shape: () for one run, (1000,) for a thousand."""
        return self.states.shape[:-2]

    def run(self, *place: int) -> Trajectory:
        """One run of a batch, by its place along the batch's axes; up to its own end.

        Args:
            place: An index for each axis of `batch`.

        Raises:
            SignatureError: For a place that is not in the batch.
        """
        inside = len(place) == len(self.batch) and all(
            -n <= i < n for i, n in zip(place, self.batch, strict=True)
        )
        if not inside:
            raise SignatureError(
                f"Trajectory of {type(self.module).__name__}: expected the place of a run in a "
                f"batch of shape {self.batch}, got {place}."
            )
        parts = (self.states, self.inputs, self.outputs, self.theta)
        states, inputs, outputs, theta = (part[place] for part in parts)
        times, events = self.times, tuple[Occurrence, ...]()
        if self.events_of_runs:
            events = self.events_of_runs[np.ravel_multi_index(place, self.batch, mode="wrap")]
        if self.ends is None or self.ends.times[place] == times[-1]:
            return Trajectory(self.module, times, states, inputs, outputs, theta, events=events)
        end, inside = self.ends.times[place], times < self.ends.times[place]
        states, inputs, outputs = (
            np.vstack([part[inside], last[place]])
            for part, last in (
                (states, self.ends.states),
                (inputs, self.ends.inputs),
                (outputs, self.ends.outputs),
            )
        )
        times = np.append(times[inside], end)
        return Trajectory(self.module, times, states, inputs, outputs, theta, events=events)

    def state(self, name: str) -> Array:
        """A state by name, shape (T, *port shape). Raises SignatureError for an unknown name."""
        return _signal(self.module.signature.state, self.states, name)

    def input(self, name: str) -> Array:
        """An input by name, shape (T, *port shape). Raises SignatureError for an unknown name."""
        return _signal(self.module.signature.inputs, self.inputs, name)

    def output(self, name: str) -> Array:
        """An output by name, shape (T, *port shape). Raises SignatureError for an unknown name."""
        return _signal(self.module.signature.outputs, self.outputs, name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names that ``trajectory[name]`` knows, coordinates of arrays left out."""
        s = self.module.signature
        known = (*s.state.names, *s.outputs.names, *s.inputs.names, *self._leaf_outputs)
        return tuple(dict.fromkeys(known))

    @property
    def final_state(self) -> Array:
        """The last state, shape (..., n); a start for the next simulation."""
        return self.states[..., -1, :] if self.ends is None else self.ends.states

    @cached_property
    def _leaf_outputs(self) -> dict[str, Array]:
        """The outputs of the leaves of a composite, from one more sweep over all times."""
        if not isinstance(self.module, ModuleGraph):
            return {}
        values = self.module.values(self.states, self.inputs, self.theta[..., None, :])
        return {
            f"{leaf.name}.{port}": signal
            for leaf, y in zip(self.module.plan.leaves, values.leaf_outputs, strict=True)
            for port, signal in leaf.module.signature.outputs.unpack(
                np.broadcast_to(y, (*self.states.shape[:-1], leaf.outputs))
            ).items()
        }

    def to_csv(self, path: str | Path) -> None:
        """Write one row for each time: time, states, inputs, outputs, to all 17 digits.

        A state and an input of one name stand under "state.NAME" and "input.NAME". An output that
        has a state's or an input's name stands under "output.NAME"; where the outputs are the state
        itself they are left out. The rows of a batch begin with the run ("run", or "run[0]",
        "run[1]", ... for several axes), from 0; the parameters that differ from the
        module's own follow the time. The file appears whole or not at all.
        """
        from riemannian_modules.engine.trajectory_table import TrajectoryTable, write_table

        parts = self.states, self.inputs, self.outputs, self.theta, self.ends
        write_table(TrajectoryTable(self.module, self.times, *parts), path)

    def plot(self, names: Sequence[str] = (), *, logarithmic: Sequence[str] = ()) -> Figure:
        """Draw signals over time, a panel for each unit and, within a unit, for each magnitude.

        Of a batch at most 100 runs are drawn, evenly chosen, as faint lines. Up to eight signals
        have a panel each, with shades from dark, the first run, to light, the last; of more, each
        has a colour.

        Args:
            names: Which to draw; all states, outputs and inputs where none is named.
            logarithmic: Which of them stand on a logarithmic scale.

        Returns:
            The figure; ``figure.savefig(path)`` writes it.

        Raises:
            SignatureError: For an unknown name.
            DomainError: If a signal is never positive and wanted on a logarithmic scale.
        """
        from riemannian_modules.engine.trajectory_plot import lines_of, plot_lines

        shown, runs = self._drawn()
        signals = shown._signals(names)
        unknown = [name for name in logarithmic if name not in signals]
        if unknown:
            raise SignatureError(
                f"plot: logarithmic names {unknown}, which are not drawn; drawn are: "
                f"{', '.join(signals)}."
            )
        lines = [
            line
            for name, (port, values) in signals.items()
            for line in lines_of(
                replace(port, name=name), values, is_logarithmic=name in logarithmic
            )
        ]
        is_discrete = self.module.signature.time is Time.DISCRETE
        return plot_lines(self.times, lines, is_discrete=is_discrete, events=self.events, runs=runs)

    def _drawn(self) -> tuple[Trajectory, list[str]]:
        """What is drawn: itself, or of a batch some runs (R, T, ...), with their names."""
        if not self.batch:
            return self, []
        count = math.prod(self.batch)
        kept = np.linspace(0, count - 1, min(count, MOST_RUNS)).round().astype(int)
        states, inputs, outputs = (
            part.reshape(count, *part.shape[-2:])[kept]
            for part in (self.states, self.inputs, self.outputs)
        )
        theta = self.theta.reshape(count, -1)[kept]
        places = np.stack(np.unravel_index(kept, self.batch), -1).tolist()
        names = [f"run {', '.join(map(str, place))}" for place in places]
        if len(kept) < count:
            names[0], names[-1] = f"{names[0]} of {count}", f"{names[-1]} ({len(kept)} drawn)"
        return Trajectory(self.module, self.times, states, inputs, outputs, theta), names

    def _signals(self, names: Sequence[str]) -> dict[str, tuple[Port, Array]]:
        """What is drawn under which name: as named, or all, an output only if it is no state."""
        s = self.module.signature
        if names:
            return {name: (self._port(name), self[name]) for name in names}
        found: dict[str, tuple[Port, Array]] = {}
        spaces = (s.state, self.states), (s.outputs, self.outputs), (s.inputs, self.inputs)
        for kind, (space, values) in zip(("state", "output", "input"), spaces, strict=True):
            for port in space.ports if space is not s.state or kind == "state" else ():
                name = f"{kind} {port.name}" if port.name in found else port.name
                found[name] = port, _signal(space, values, port.name)
        return found

    def _port(self, name: str) -> Port:
        """The shape and unit of a signal, found as ``self[name]`` finds its values."""
        s = self.module.signature
        for space in (s.state, s.outputs, s.inputs):
            if name in space:
                return space[name]
            if name in space.coordinates:
                return Port(name, (), space[name.rpartition("[")[0]].unit)
        if isinstance(self.module, ModuleGraph):
            leaf, _, port = name.rpartition(".")
            if leaf in self.module.nodes:
                return self.module.nodes[leaf].signature.outputs[port]
        return Port(name)

    @override
    def facts(self) -> Facts:
        kind, t = type(self.module).__name__, self.times
        span = f" from {t[0]:.6g} to {t[-1]:.6g}" if len(t) else ""
        runs = f"{counted(math.prod(self.batch), 'run')} of " if self.batch else ""
        s = self.module.signature
        rows = [
            (name, listed(space.names))
            for name, space in (("states", s.state), ("inputs", s.inputs), ("outputs", s.outputs))
            if space.ports
        ]
        if self.events:
            names = list(dict.fromkeys(e.name for e in self.events))
            rows.append((counted(len(self.events), "event"), listed(names)))
        if any(self.events_of_runs):
            found = [e.name for events in self.events_of_runs for e in events]
            rows.append((counted(len(found), "event"), listed(list(dict.fromkeys(found)))))
        if self.ends is not None:
            early = self.ends.times[self.ends.times < t[-1]]
            said = f"ended by events, at {early.min():.6g} to {early.max():.6g}"
            rows.append((f"{early.size} of {counted(self.ends.times.size, 'run')}", said))
        if len(t) and s.state.size and not self.batch:
            rows.append(("ends at", numbers(s.state.coordinates, self.states[-1].tolist())))
        if self.solver is not None:
            rows.append(("solver", f"{self.solver.solver}: {self.solver.in_words}"))
        return Facts(f"Trajectory of {kind}: {runs}{counted(len(t), 'time')}{span}", tuple(rows))


def trajectory_at(
    module: RiemannianModule,
    times: Array,
    states: Array,
    inputs: Array,
    theta: Array,
    solver: SolverRun | None = None,
    events: tuple[Occurrence, ...] = (),
    events_of_runs: tuple[tuple[Occurrence, ...], ...] = (),
    ends: RunEnds | None = None,
) -> Trajectory:
    """The trajectory with its outputs, evaluated for all times in one batch."""
    outputs = _outputs(module, states, inputs, theta)
    outputs[np.isnan(states).any(-1)] = np.nan
    return Trajectory(
        module, times, states, inputs, outputs, theta, solver, events, events_of_runs, ends
    )


def _outputs(module: RiemannianModule, states: Array, inputs: Array, theta: Array) -> Array:
    """The outputs (..., T, q) at states (..., T, n), which are NaN where a run is over."""
    if is_large(module):  # there, coordinates come first
        x, u = np.moveaxis(states, -1, 0), np.moveaxis(inputs, -1, 0)
        p = np.moveaxis(theta, -1, 0)[..., None]
        y = np.moveaxis(operations_of(module).output(x, u, p), 0, -1)
    else:
        y = module.output(states, inputs, theta[..., None, :])
    return np.array(np.broadcast_to(y, (*states.shape[:-1], module.signature.outputs.size)))


def run_ends(
    module: RiemannianModule, times: Array, states: Array, inputs: Array, theta: Array
) -> RunEnds:
    """The ends of runs with their outputs, from their times (...) and states (..., n)."""
    y = _outputs(module, states[..., None, :], inputs[..., None, :], theta)
    return RunEnds(times, states, inputs, y[..., 0, :])


def joined(first: Trajectory, then: Trajectory) -> Trajectory:
    """One trajectory of two of a module, of which the second starts where the first ends."""
    runs = [run for run in (first.solver, then.solver) if run is not None]
    return trajectory_at(
        first.module,
        np.concatenate([first.times, then.times[1:]]),
        np.concatenate([first.states, then.states[1:]]),
        np.concatenate([first.inputs[:-1], then.inputs]),
        first.theta,
        runs[0].followed_by(runs[1]) if len(runs) == 2 else next(iter(runs), None),
        first.events + then.events,
    )


def _signal(space: Space, values: Array, name: str) -> Array:
    """One port (..., *shape) or coordinate (...) of flat values (..., size)."""
    if name not in space and name in space.coordinates:
        return values[..., space.coordinates.index(name)]
    place = space.slice_of(name)
    return values[..., place].reshape(*values.shape[:-1], *space[name].shape)
