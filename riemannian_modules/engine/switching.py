"""Simulation of a flow that switches or has events: piece by piece, from crossing to crossing.

Source: none; `riemannian_modules.integration.piecewise` cites those of the method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.engine.delayed_run import DelayedRun
from riemannian_modules.engine.event_terms import EventsOf
from riemannian_modules.engine.events import Event
from riemannian_modules.engine.input_signal import SLACK
from riemannian_modules.engine.inputs import InputProgram
from riemannian_modules.engine.sampling import Tick, between_ticks
from riemannian_modules.engine.simulation_progress import reported
from riemannian_modules.engine.vector_field import vector_field
from riemannian_modules.errors import ConvergenceError, DomainError, TraceError, UnsupportedError
from riemannian_modules.integration.piecewise import Pieces, Watched
from riemannian_modules.integration.problem import StepTolerances, StoppedError
from riemannian_modules.integration.scale import Floors, with_scales
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.integration.tally import Tally
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.sampled import has_ticks
from riemannian_modules.modules.switched_field import (
    LARGEST_PARAMETERS,
    LARGEST_STATE,
    SwitchedField,
    switched_field,
)
from riemannian_modules.spaces import Array

EXPLICIT_STEPS = 300  # of a stretch, after which another method goes on

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver


def switching_field(
    module: RiemannianModule,
    theta: Array,
    program: InputProgram,
    events: EventsOf,
    watched: Sequence[str] = (),
) -> SwitchedField | None:
    """The field of a module that switches or has events, in exact terms, or None.

    Outputs of the names ``watched`` count, too.

    None also for a module that is too large or has no exact terms: corners of those are left to
    the solver's error control.
    """
    s = module.signature
    if s.state.size > LARGEST_STATE or s.parameters.size > LARGEST_PARAMETERS:
        return None
    try:
        e = module.expressions
        field = switched_field(
            e,
            theta,
            lambda time: {e.inputs[i]: v for i, v in program.exact(time).items()},
            events.exact,
            tuple(y for name in watched for y in e.y[s.outputs.slice_of(name)]),
        )
    except (TraceError, UnsupportedError):
        return None
    return field if field.borders or events.events else None


@final
@dataclass(frozen=True, slots=True, eq=False)
class PiecewiseRun:
    """One run of a module.

    Attributes:
        module: What runs.
        program: Its inputs.
        problem: From the ends of a stretch without jumps of the inputs to the problem there.
        methods: SciPy's solvers, the first one first.
        happening: Its events.
        ticks: What sampled parts do, by time.
        tally: Counts what it takes.
        delayed: Its exact delays, or None.
    """

    module: RiemannianModule
    program: InputProgram
    problem: Callable[[float, float], SwitchedProblem]
    methods: Sequence[type[OdeSolver]]
    happening: EventsOf
    ticks: Mapping[float, Sequence[Tick]]
    tally: Tally
    delayed: DelayedRun | None = None

    def scaled(self, times: Array, x0: Array, rtol: float) -> tuple[Array, Array]:
        """As `integrated`, with absolute tolerances that are shares of the states' scales."""
        if len(times) == 1:  # nothing moves, so that nothing has a scale
            return self.integrated(times, x0, rtol, np.ones_like(x0))
        field = vector_field(between_ticks(self.module), self.happening.theta)
        smooth = field.problem(lambda s: self.program.sampled(np.array([s]))[0].tolist(), x0)

        def attempt(floors: Floors) -> tuple[Array, Array]:
            self.happening.found.clear()
            atol = floors.at(smooth, float(times[0]), times[-1:])
            found = self.integrated(times, x0, rtol, atol)
            floors.met(smooth, *found)
            return found

        return with_scales(attempt, x0, rtol)

    def integrated(self, times: Array, x0: Array, rtol: float, atol: Array) -> tuple[Array, Array]:
        """The times that were reached and the states there, after events, (T,) and (T, n).

        Raises:
            ConvergenceError: If a solver stops early, or events accumulate.
            DomainError: If the derivative is undefined at the start of a stretch.
        """
        first, last = float(times[0]), float(times[-1])
        scheduled = {t: e for t, e in self.happening.scheduled().items() if first <= t <= last}
        x, is_over = self._at(first, x0, scheduled)
        if is_over or first == last:
            return times[:1], x[None]
        states, stops = [x[None]], sorted(self._stops(first, last, scheduled))
        tolerances = StepTolerances(rtol, atol, self.program.longest_step(times))
        crossing = self.happening.crossing
        watched = Watched(
            [e.direction for e in crossing], [e.moves for e in crossing], self._happen
        )
        edges, late = [first, *stops, last], self.delayed
        most, past = (math.inf, None) if late is None else (EXPLICIT_STEPS, late.past)
        run = Pieces(watched, tolerances, self.methods, most, self.tally, past)
        with reported(_untold, first, last) as told:
            for a, b in self._stretches(edges):
                inside = times[(times > a) & (times <= b)]
                grid = np.union1d([a, b], inside)
                if crossing:
                    run.watch(self.happening.zeros(self.program.between(a, b)))
                path = self._stretch(run, told, x, grid, last)
                x, reached = path[-1], b if run.ended is None else run.ended
                inside = inside[inside < reached]
                states.append(path[np.searchsorted(grid, inside)])
                x, is_over = self._at(b, x, scheduled) if run.ended is None else (x, True)
                if is_over or (times == reached).any():
                    states.append(x[None])
                if is_over:
                    return np.append(times[times < reached], reached), np.concatenate(states)
        return times, np.concatenate(states)

    def _stretches(self, edges: Sequence[float]) -> Iterable[tuple[float, float]]:
        if self.delayed is None:
            return pairwise(edges)
        return self.delayed.stretches(edges, self.happening.found)

    def _stretch(
        self, run: Pieces, told: Callable[[float, Any], Any], x: Array, grid: Array, last: float
    ) -> Array:
        """The states on a grid between two stops; two stops that are one time change nothing."""
        a, b = float(grid[0]), float(grid[-1])
        if b - a <= SLACK * float(np.spacing(max(abs(a), abs(last)))):
            return np.repeat(x[None], len(grid), 0)
        plain = self._checked(a, b, x)
        rate = plain.derivative
        problem = plain
        if told is not _untold:
            problem = replace(plain, derivative=lambda t, *at: told(t, at) or rate(t, *at))
        try:
            return run.stretch(problem, x, grid, [*self.program.kinks(a, b), b])
        except StoppedError as stopped:
            raise self._failure(stopped, last) from None

    def _at(self, t: float, x: Array, scheduled: dict[float, list[Event]]) -> tuple[Array, bool]:
        u, is_over = self.program.sampled(np.array([t]))[0], False
        if t in scheduled:
            x, is_over = self.happening.happen(t, x, u.tolist(), scheduled[t])
        for tick in self.ticks.get(t, ()):
            x = tick(x, u)
        return x, is_over

    def _stops(self, first: float, last: float, scheduled: Mapping[float, Any]) -> set[float]:
        return {*self.program.jumps(first, last), *scheduled, *self.ticks} - {first, last}

    def _happen(self, t: float, x: Array, indices: list[int]) -> tuple[Array, bool]:
        u = self.program.sampled(np.array([t]))[0].tolist()
        crossing = self.happening.crossing
        return self.happening.happen(t, x, u, [crossing[i] for i in indices])

    def _checked(self, start: float, end: float, x: Array) -> SwitchedProblem:
        problem = self.problem(start, end)
        dx = np.array(problem.velocity(start, x.tolist(), Mode((0.0,) * problem.count)))
        if not np.isfinite(dx).all():
            names = self.module.signature.state.coordinates
            bad = [c for c, ok in zip(names, np.isfinite(dx), strict=True) if not ok][:8]
            raise DomainError(
                f"{type(self.module).__name__}: at t = {start:g} the derivative of {bad} is NaN or "
                "infinite. Begin inside the domain of the equations."
            )
        return problem

    def _failure(self, stopped: StoppedError, end: float) -> ConvergenceError:
        names = self.module.signature.state.coordinates
        largest = int(np.argmax(np.abs(stopped.state))) if names else 0
        state = f" The largest state is {names[largest]} = {stopped.state[largest]:.6g}." * bool(
            names
        )
        return ConvergenceError(
            f"{type(self.module).__name__}: the integration stopped at t = {stopped.time:.6g} of "
            f"{end:.6g}: {stopped.message}{state}"
        )


def _untold(t: float, x: Any) -> Any:
    """What a run tells where nobody watches."""


def piecewise_problem(
    module: RiemannianModule,
    theta: Array,
    program: InputProgram,
    events: EventsOf,
    watched: Sequence[str] = (),
) -> Callable[[float, float], SwitchedProblem] | None:
    """The problem on each stretch, of a module that switches or has events; None of others.

    Outputs of the names ``watched`` count, too.
    """
    is_sampled, module = has_ticks(module), between_ticks(module)
    field = switching_field(module, theta, program, events, watched)
    if field is None:
        return smooth_problem(module, theta, program) if events.events or is_sampled else None

    def problem(start: float, end: float) -> SwitchedProblem:
        return field.problem(program.between(start, end), (start, end), program.steady(start, end))

    return problem


def smooth_problem(
    module: RiemannianModule, theta: Array, program: InputProgram
) -> Callable[[float, float], SwitchedProblem]:
    """The problem of a module that does not switch, or has no exact terms, on each stretch."""
    field, n = vector_field(module, theta), module.signature.state.size

    def problem(start: float, end: float) -> SwitchedProblem:
        u = program.between(start, end)
        return SwitchedProblem(
            0,
            lambda t, x, _: field.rate(np.array(x), u(t)).tolist(),
            lambda t, x, _: _dense(field.problem(u, np.array(x)).matrix(t, np.array(x))),
            lambda *_: (),
            lambda *_: (),
            lambda *_: (np.zeros((0, n)), np.zeros(0)),
        )

    return problem


def solvers_of_stretches(method: type[Any] | None) -> list[type[Any]]:
    """As `solvers`, for a run of many stretches, each a new start: one-step methods.

    Where the explicit one takes too many steps, the implicit one goes on.
    """
    from scipy.integrate import DOP853, Radau

    return [DOP853, Radau] if method is None else [method]


def _dense(matrix: Any) -> Array:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def solvers(method: type[Any] | None) -> list[type[Any]]:
    """The solver that was asked for; else LSODA, and Radau where it gives up."""
    from scipy.integrate import LSODA, Radau

    return [LSODA, Radau] if method is None else [method]
