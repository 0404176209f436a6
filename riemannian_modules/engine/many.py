"""Many simulations of one module at once: batches of starts, inputs and parameters.

Those that are not stiff run together, on arrays whose last axis is the batch, each with steps of
its own; the others run one by one, as alone. An executor gets them in portions.

Source: `riemannian_modules.integration.solve`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import is_quantity, number_array
from riemannian_modules.engine.event_terms import EventsOf
from riemannian_modules.engine.events import Event, Occurrence
from riemannian_modules.engine.input_functions import Jumping
from riemannian_modules.engine.inputs import InputProgram, InputSignal, input_program
from riemannian_modules.engine.simulation_progress import reported
from riemannian_modules.engine.switching import piecewise_problem
from riemannian_modules.engine.vector_field import operations_of
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    SignatureError,
    TraceError,
    UnsupportedError,
)
from riemannian_modules.integration.dormand_prince import STAGES
from riemannian_modules.integration.march import members_at
from riemannian_modules.integration.passed_times import PassedTimes
from riemannian_modules.integration.scale import SHARE
from riemannian_modules.integration.side_by_side import TINY, Accuracy, Rates
from riemannian_modules.integration.solve import explicitly
from riemannian_modules.integration.step import Start, TriedStep
from riemannian_modules.integration.tally import Tally
from riemannian_modules.modules.compiled_rate import CompiledRate, compiled_rate, is_large
from riemannian_modules.modules.delay import has_delays
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array, Space

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

PORTIONS, LEAST_PORTION = 4, 16  # for each processor, so that all end at about the same time

MemberInputs = Mapping[str, Any] | ArrayLike | None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B simulations.

    Attributes:
        module: What is simulated.
        times: (T,).
        x: The starts, (B, n).
        theta: The parameters, (B, p).
        inputs: As `simulate` takes them, those that differ left out.
        steady: Constant inputs that differ: places in the inputs, and values (B, size).
        rtol: Relative local error.
        floors: The absolute tolerances, (n,), None where they are scaled.
        method: A solver class, or None.
        events: What may happen in each.
        first: The place of its first one in the whole.
    """

    module: RiemannianModule
    times: Array
    x: Array
    theta: Array
    inputs: MemberInputs
    steady: tuple[tuple[str, Array], ...]
    rtol: float
    floors: Array | None
    method: type[OdeSolver] | None
    events: Sequence[Event] = ()
    first: int = 0

    def __len__(self) -> int:
        return len(self.x)

    def inputs_of(self, run: int) -> MemberInputs:
        """The inputs of one simulation."""
        if not self.steady:
            return self.inputs
        own = self.inputs if isinstance(self.inputs, Mapping) else {}
        space = self.module.signature.inputs
        return {**own, **{
            name: values[run].reshape(space[name].shape if name in space else ())
            for name, values in self.steady
        }}  # fmt: skip

    def part(self, place: slice) -> Batch:
        """Some of the simulations."""
        steady = tuple((name, values[place]) for name, values in self.steady)
        return replace(
            self, x=self.x[place], theta=self.theta[place], steady=steady, first=place.start
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What came of a batch.

    Attributes:
        states: (B, T, n); NaN after the end of a run.
        inputs: (B, T, m).
        end_times: When each run ended, (B,).
        end_states: Where, (B, n).
        end_inputs: Under which inputs, (B, m).
        happened: The events of each run.
        tally: What it took.
    """

    states: Array
    inputs: Array
    end_times: Array
    end_states: Array
    end_inputs: Array
    happened: tuple[tuple[Occurrence, ...], ...]
    tally: Tally


# Solves one of a batch's simulations: its times and states, and what happened.
Alone = Callable[[Batch, int, Tally], tuple[Array, Array, tuple[Occurrence, ...]]]


def split_inputs(
    space: Space, inputs: MemberInputs, where: str
) -> tuple[MemberInputs, tuple[tuple[str, Array], ...], tuple[int, ...]]:
    """The inputs that all share; those that differ, flat, by name; and the batch of these.

    Raises:
        SignatureError: If the batches do not broadcast.
    """
    if inputs is None:
        return inputs, (), ()
    if not isinstance(inputs, Mapping):
        flat = space.pack(inputs, where)
        if flat.ndim < 2:
            return inputs, (), ()
        batch = flat.shape[:-1]
        ports = zip(space.names, space.slices, strict=True)
        rows = tuple((name, flat[..., place].reshape(-1, place.stop - place.start))
                     for name, place in ports)  # fmt: skip
        return {}, rows, batch
    space.check_names(inputs, where)
    shared: dict[str, Any] = {}
    differing: dict[str, Array] = {}
    for name, value in inputs.items():
        if _is_batch(space, name, value, where):
            differing[name] = space.laid(name, value, f"{where}: {name!r}")[1]
        else:
            shared[name] = value
    if not differing:
        return inputs, (), ()
    shapes = {name: flat.shape[:-1] for name, flat in differing.items()}
    try:
        batch = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise SignatureError(f"{where}: expected batches that broadcast, got {shapes}.") from None
    rows = tuple(
        (name, np.broadcast_to(flat, (*batch, flat.shape[-1])).reshape(-1, flat.shape[-1]))
        for name, flat in differing.items()
    )
    return shared, rows, batch


def _is_batch(space: Space, name: str, value: Any, where: str) -> bool:
    """Whether a value of an input is an array of constants with axes before the port's own."""
    if callable(value) or isinstance(value, (str, tuple, InputSignal, Jumping)):
        return False
    own = space[name].shape if name in space else ()
    given = (
        np.shape(value) if is_quantity(value) else number_array(f"{where}: {name!r}", value).shape
    )
    return len(given) > len(own) and given[len(given) - len(own) :] == own


def solved(batch: Batch, alone: Alone, executor: Executor | None) -> Solved:
    """Solve a batch, in portions where there is an executor.

    Args:
        batch: What to solve.
        alone: Solves one of its simulations.
        executor: From `concurrent.futures` or of the same interface.
    """
    if executor is None:
        return solved_here(batch, alone)
    count = min(-(-len(batch) // LEAST_PORTION), PORTIONS * (os.cpu_count() or 1))
    edges = np.linspace(0, len(batch), count + 1).astype(int).tolist()
    parts = [batch.part(slice(a, b)) for a, b in pairwise(edges)]
    done = [future.result() for future in [executor.submit(solved_here, p, alone) for p in parts]]
    tally = Tally()
    for part in done:
        tally.include(part.tally)
    return Solved(
        np.concatenate([part.states for part in done]),
        np.concatenate([part.inputs for part in done]),
        np.concatenate([part.end_times for part in done]),
        np.concatenate([part.end_states for part in done]),
        np.concatenate([part.end_inputs for part in done]),
        tuple(events for part in done for events in part.happened),
        tally,
    )


def solved_here(batch: Batch, alone: Alone) -> Solved:
    """Solve a batch in this process."""
    module, tally = batch.module, Tally()
    where = f"{type(module).__name__}: inputs"
    ports = time_ports(module)
    program = input_program(module.signature.inputs, batch.inputs_of(0), batch.times, where, ports)
    size = program.space.size
    inputs = np.empty((len(batch), len(batch.times), size))
    inputs[:] = program.sampled(batch.times)
    for name, values in batch.steady:
        inputs[:, :, program.space.slice_of(name)] = values[:, None]
    states = np.full((len(batch), len(batch.times), batch.x.shape[1]), np.nan)
    nothing = EventsOf(module, batch.theta[0], batch.events, [])
    if (
        module.time is Time.CONTINUOUS
        and not has_delays(module)
        and batch.method is None
        and piecewise_problem(module, batch.theta[0], program, nothing) is None
    ):
        states = _together(batch, program, inputs[:, 0], tally)
    happened: list[tuple[Occurrence, ...]] = [()] * len(batch)
    ends = np.full(len(batch), batch.times[-1]), states[:, -1].copy(), inputs[:, -1].copy()
    for run in np.flatnonzero(~np.isfinite(states).all((1, 2))).tolist():
        try:
            t, x, happened[run] = alone(batch, run, tally)
        except (ConvergenceError, DomainError) as fault:
            raise type(fault)(f"In run {batch.first + run} of the batch: {fault}") from None
        known = int(np.searchsorted(batch.times, t[-1], "right"))
        states[run, :known] = x[:known]
        ends[0][run], ends[1][run] = t[-1], x[-1]
        if t[-1] < batch.times[-1]:
            ends[2][run] = program.sampled(t[-1:])[0]
            for name, values in batch.steady:
                ends[2][run, program.space.slice_of(name)] = values[run]
    return Solved(states, inputs, *ends, tuple(happened), tally)


def _together(batch: Batch, program: InputProgram, first: Array, tally: Tally) -> Array:
    """The states (B, T, n) of those that are solved together; NaN where not."""
    times, states = batch.times, np.full((len(batch), len(batch.times), batch.x.shape[1]), np.nan)
    states[:, 0] = batch.x
    if not batch.x.shape[1] or len(times) == 1:
        return states
    given = batch.floors
    accuracy = (
        Accuracy(batch.rtol, SHARE)
        if given is None
        else Accuracy(batch.rtol, 0.0, given[:, None, None] + TINY)
    )
    on_way, z = np.arange(len(batch)), batch.x.T[:, None]
    field, theta = _field(batch.module), batch.theta
    is_shared = bool((theta == theta[0]).all())
    edges = [*program.jumps(times[0], times[-1]), *program.kinks(times[0], times[-1])]
    for a, b in pairwise([times[0], *sorted(edges), times[-1]]):
        drive = _Drive.between(program, batch, float(a), float(b), first).only(on_way)
        inside = (times > a) & (times <= b)
        grid = np.union1d([a, b], times[inside])
        with reported(lambda _t, _x: None, float(a), float(b)) as tick:
            values = theta[0].tolist() if is_shared else theta[on_way].T
            path = _path(_Driven(field, drive, values, tick), grid, z, accuracy, tally)
        is_solved = np.isfinite(path).all((0, 1))
        on_way, path = on_way[is_solved], path[..., is_solved]
        z = path[-1][:, None]
        states[:, inside] = np.nan
        wanted = np.searchsorted(grid, times[inside])
        states[np.ix_(on_way, np.flatnonzero(inside))] = np.moveaxis(path[wanted], -1, 0)
        if not len(on_way):
            break
    states[np.setdiff1d(np.arange(len(batch)), on_way)] = np.nan
    return states


def _path(rates: _Driven, grid: Array, z: Array, accuracy: Accuracy, tally: Tally) -> Array:
    """The states (T, n, M) at the times of a grid; NaN for those that are not solved explicitly."""
    passed, steps, evaluations = PassedTimes(grid, z), 0, 0

    def watch(who: Any, good: Any, start: Start, step: TriedStep) -> None:
        nonlocal steps, evaluations
        steps += np.count_nonzero(good)
        evaluations += STAGES * len(who)
        passed.watch(who, good, start, step)

    t, until = (np.full(z.shape[-1], time) for time in (grid[0], grid[-1]))
    start = members_at(rates, t, until, z, np.abs(z), accuracy)
    path = passed.ended(explicitly(rates, start, accuracy, watch))
    tally.add("DOP853 of all together", steps, evaluations, 0)
    return path[:, :, 0]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Drive:
    """The inputs (m, B) on a stretch without corners: ``start + (t - begin) slope``, or more."""

    begin: float
    start: Array
    slope: Array | None
    functions: Callable[[float], list[float]] | None
    differs: Array

    @classmethod
    def between(
        cls, program: InputProgram, batch: Batch, a: float, b: float, first: Array
    ) -> _Drive:
        value = program.between(a, b)
        low, high = np.array(value(a)), np.array(value(b))
        start = np.tile(low[:, None], len(batch))
        differs = np.zeros(len(low), dtype=bool)
        for name, _ in batch.steady:
            differs[program.space.slice_of(name)] = True
        start[differs] = first.T[differs]
        slope = np.where(differs, 0.0, (high - low) / (b - a))
        functions = value if program.has_functions else None
        return cls(a, start, slope if slope.any() else None, functions, differs)

    def only(self, kept: Any) -> Self:
        """Those of some of the members."""
        return replace(self, start=self.start[:, kept])

    def at(self, t: Array, c: float, h: Array) -> Array:
        """The inputs at times ``t + c h``."""
        if self.functions is not None:
            rows = np.array([self.functions(time) for time in (t + c * h).tolist()]).T
            return np.where(self.differs[:, None], self.start, rows)
        if self.slope is None:
            return self.start
        return self.start + (t + c * h - self.begin) * self.slope[:, None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Driven(Rates):
    """The flow of M simulations under their inputs.

    Attributes:
        field: Gives the flow's derivative.
        drive: The inputs.
        theta: The parameters (p, M), or a list of those of all.
        tick: Told of the time whenever the derivative is asked for.
    """

    field: CompiledRate
    drive: _Drive
    theta: Any
    tick: Callable[[float, Any], Any]

    @override
    def write_rate(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        self.tick(t[0], None)
        rates = self.field(z[:, 0], self.drive.at(t, c, h), self.theta)
        for row, value in zip(out[:, 0], rates, strict=True):
            row[:] = value

    @override
    def only(self, kept: Any) -> Self:
        theta = self.theta if isinstance(self.theta, list) else self.theta[:, kept]
        return replace(self, drive=self.drive.only(kept), theta=theta)


def _field(module: RiemannianModule) -> CompiledRate:
    if not is_large(module):
        try:
            return compiled_rate(module)
        except (TraceError, UnsupportedError):
            pass
    operations = operations_of(module)

    def rates(x: Array, u: Array, theta: Any) -> Array:
        values = np.asarray(theta, dtype=np.float64)
        return operations.derivative(x, u, values if values.ndim > 1 else values[:, None])

    return rates
