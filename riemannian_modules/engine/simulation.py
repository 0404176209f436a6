"""Simulation: a module run over time under given inputs.

Continuous modules are integrated with their exact Jacobian, discrete ones are stepped, static ones
are evaluated. The tolerances are tight by default: a stiff system is solved to six digits unasked.

Sources: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148 (LSODA); Hairer and Wanner, *Solving
Ordinary Differential Equations II*, section IV.8 (Radau).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import brief, number, number_array, require
from riemannian_modules.engine.delayed_run import DelayedRun
from riemannian_modules.engine.event_terms import EventsOf
from riemannian_modules.engine.events import Event, Occurrence, checked_events
from riemannian_modules.engine.input_signal import InputValue
from riemannian_modules.engine.inputs import InputProgram, input_program
from riemannian_modules.engine.many import Batch, solved, split_inputs
from riemannian_modules.engine.sampling import ticks
from riemannian_modules.engine.simulation_progress import reported
from riemannian_modules.engine.switching import (
    PiecewiseRun,
    piecewise_problem,
    smooth_problem,
    solvers,
    solvers_of_stretches,
)
from riemannian_modules.engine.trajectory import Trajectory, run_ends, trajectory_at
from riemannian_modules.engine.vector_field import VectorField, vector_field
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from riemannian_modules.integration.automatic import integrate
from riemannian_modules.integration.one_step import integrate_by
from riemannian_modules.integration.problem import (
    AnyInitialValueProblem,
    SmoothProblem,
    SparseProblem,
    StepTolerances,
    StoppedError,
)
from riemannian_modules.integration.scale import (
    SHARE,
    Floors,
    GivenFloors,
    with_scales,
)
from riemannian_modules.integration.sparse import integrate_sparse
from riemannian_modules.integration.tally import Tally
from riemannian_modules.modules.delay import has_delays
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

RTOL = 1e-9
# Further times at which it is noted how large states are: powers of the whole by the first step.
PROBES = np.arange(24) / 24


def simulate(  # noqa: PLR0913 - options that are known by these names elsewhere
    module: RiemannianModule,
    times: ArrayLike,
    x0: ArrayLike | Mapping[str, ArrayLike] | None = None,
    inputs: Mapping[str, Any] | ArrayLike | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    rtol: float = RTOL,
    atol: ArrayLike | Mapping[str, ArrayLike] | None = None,
    method: type[OdeSolver] | None = None,
    executor: Executor | None = None,
    events: Sequence[Event] = (),
) -> Trajectory:
    """Run a module over time, or a batch of runs at once.

    A module with exact delays (`Delay`) is a delay differential equation, solved by the method of
    steps; its runs go one by one.

    Leading axes of ``x0``, of ``theta`` and of constant inputs are batches, which broadcast; the
    results have them, too. Runs that are not stiff are integrated together, each with steps of its
    own, at the cost of NumPy's arithmetic; the others one by one.

    Args:
        module: Continuous (integrated), discrete (one step from each time to the next) or static.
        times: Increasing times of the result, shape (T,), the start first; in the module's unit of
            time. Those of a discrete module that states its sampling time are that far apart.
        x0: The state at ``times[0]``, flat (..., n) or by name; zeros where None.
        inputs: For each input port a constant, a function of time, a formula of the time as text
            ("where(t >= 1, 2, 0)"), a pair ``(times, values)`` joined by lines, or a table from
            `linear_table` or `held_table`; or constants, flat; zeros where None. Steps never pass
            over a table's corner, nor over one that a formula or a function in NumPy shows. Any
            other function should be smooth: no step is longer than the widest gap between the times
            of the result, and corners are found by error control alone.
        theta: The parameters, flat (..., p) or by name; the module's own where None.
        rtol: Relative local error.
        atol: Absolute local error in the states' units: one number for all, flat, or by name.
            By default 5e-15 of how large each state becomes, whatever its unit; where the start
            does not tell, the run is repeated once it is known.
        method: One of SciPy's solver classes, such as ``scipy.integrate.DOP853``, or that of
            `cvode`. By default LSODA, which finds out by itself whether the system is stiff, and
            Radau where LSODA gives up; for more than 50 states with a banded or a sparse Jacobian,
            explicit steps and BDF where it has no narrow band. With exact delays explicit steps,
            and Radau where they are many; multi-step methods may pass over what was fast a delay
            ago.
        executor: Where a batch runs in portions: one of `concurrent.futures`, or of its interface.
            Processes get the module pickled.
        events: Made with `event`, `stop` and `at_times`; in continuous time. In a batch each run
            has its own, `Trajectory.events_of_runs`, and may end at a time of its own, after which
            its states are NaN: `Trajectory.ends`.

    Returns:
        States, inputs and outputs at the times, and in `Trajectory.solver` what it took. A small
        module that can be traced runs as one compiled function, at some microseconds an
        evaluation; a large one as operations on arrays, in memory linear in states and couplings.
        Tracing is remembered with the module.

    Raises:
        SignatureError: For unknown or missing names and wrong shapes.
        DomainError: For times that do not increase, NaN or infinite values, tables that do not
            cover the times, or a derivative that is undefined at the start.
        ConvergenceError: If the solver does not reach the end; says when it stopped, where, and
            why.
    """
    require("simulate", module, RiemannianModule, "a module")
    name = type(module).__name__
    t = _checked_times(times, name)
    point = module.point(x0, None, theta)
    if not number(f"{name}: rtol", rtol) > 0.0:
        raise DomainError(f"{name}: expected a positive rtol, got {rtol}.")
    floors = None if atol is None else _checked_atol(module, atol)
    if not (method is None or isinstance(method, type)):
        raise SignatureError(
            f"{name}: expected one of SciPy's solver classes as method, such as "
            f"scipy.integrate.DOP853, or None, got {brief(method)}."
        )
    wanted = checked_events(module, events)
    space, where = module.signature.inputs, f"{name}: inputs"
    shared, steady, driven = split_inputs(space, inputs, where)
    shapes = point.x.shape[:-1], point.theta.shape[:-1], driven
    many = _batch_of(name, *shapes)
    if not many:
        batch = Batch(
            module, t, point.x[None], point.theta[None], inputs, (), rtol, floors, method, wanted
        )
        tally, program = Tally(), input_program(space, inputs, t, where, time_ports(module))
        t, states, happened = _one(batch, 0, tally)
        u = program.sampled(t)
        return trajectory_at(module, t, states, u, point.theta, tally.total(), happened)
    count = math.prod(many)
    x, thetas = (
        np.broadcast_to(part, (*many, part.shape[-1])).reshape(count, -1)
        for part in (point.x, point.theta)
    )
    rows = tuple(
        (k, np.broadcast_to(v.reshape(*driven, -1), (*many, v.shape[-1])).reshape(count, -1))
        for k, v in steady
    )
    batch = Batch(module, t, x, thetas, shared, rows, rtol, floors, method, wanted)
    found = solved(batch, _one, executor)
    theta_of_runs = thetas.reshape(*many, -1)
    states, u = (part.reshape(*many, *part.shape[1:]) for part in (found.states, found.inputs))
    ends = None
    if (found.end_times < t[-1]).any():
        x, v = (part.reshape(*many, -1) for part in (found.end_states, found.end_inputs))
        ends = run_ends(module, found.end_times.reshape(many), x, v, theta_of_runs)
    happened = found.happened if wanted else ()
    took = found.tally.total()
    return trajectory_at(module, t, states, u, theta_of_runs, took, (), happened, ends)


def _batch_of(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        found = np.broadcast_shapes(*shapes)
    except ValueError:
        starts, parameters, inputs = shapes
        raise SignatureError(
            f"{name}: simulate expects batches of starts, parameters and inputs that broadcast, "
            f"got {starts}, {parameters} and {inputs}."
        ) from None
    if 0 in found:
        raise SignatureError(f"{name}: simulate expects at least one run, got {found}.")
    return found


def _one(batch: Batch, run: int, tally: Tally) -> tuple[Array, Array, tuple[Occurrence, ...]]:
    """The times and states (T, n) of one simulation of a batch, and what happened on the way."""
    module, t, x, theta = batch.module, batch.times, batch.x[run], batch.theta[run]
    where, ports = f"{type(module).__name__}: inputs", time_ports(module)
    program = input_program(module.signature.inputs, batch.inputs_of(run), t, where, ports)
    if module.time is Time.STATIC:
        return t, np.zeros((len(t), 0)), ()
    if module.time is Time.DISCRETE:
        return t, _stepped(module, t, x, program, theta), ()
    if has_delays(module):
        return _delayed(batch, run, program, tally)
    happening = EventsOf(module, theta, batch.events, [])
    problem = piecewise_problem(module, theta, program, happening)
    if problem is not None:
        acts = ticks(module, theta, float(t[0]), float(t[-1]))
        piecewise = PiecewiseRun(
            module, program, problem, solvers(batch.method), happening, acts, tally
        )
        if batch.floors is None:
            times, states = piecewise.scaled(t, x, batch.rtol)
        else:
            times, states = piecewise.integrated(t, x, batch.rtol, batch.floors)
        return times, states, tuple(happening.found)
    one = _Run(module, vector_field(module, theta), program, batch.method, batch.rtol, tally)
    if batch.floors is None:
        return t, with_scales(lambda floors: one.integrated(t, x, floors), x, batch.rtol), ()
    return t, one.integrated(t, x, GivenFloors(batch.floors)), ()


def _delayed(
    batch: Batch, run: int, program: InputProgram, tally: Tally
) -> tuple[Array, Array, tuple[Occurrence, ...]]:
    """As `_one`, of a module with exact delays."""
    t, theta, rtol = batch.times, batch.theta[run], batch.rtol
    late = DelayedRun(batch.module, theta, program, t, batch.x[run])
    rest, program, happening = late.rest, late.program, EventsOf(late.rest, theta, batch.events, [])
    problem = piecewise_problem(rest, theta, program, happening, rest.outputs.names)
    if problem is None:
        problem = smooth_problem(rest, theta, program)
    acts = ticks(rest, theta, float(t[0]), float(t[-1]))
    methods = solvers_of_stretches(batch.method)
    piecewise = PiecewiseRun(rest, program, problem, methods, happening, acts, tally, late)
    if batch.floors is None:
        reached, states = piecewise.scaled(t, late.start, rtol)
    else:
        floors = late.of_rest(batch.floors, 1.0)
        reached, states = piecewise.integrated(t, late.start, rtol, floors)
    return reached, late.completed(reached, states), late.completed_events(happening.found)


def _checked_atol(module: RiemannianModule, atol: ArrayLike | Mapping[str, ArrayLike]) -> Array:
    """The absolute tolerance of each state, (n,)."""
    where, space = f"{type(module).__name__}: atol", module.signature.state
    if isinstance(atol, Mapping) or number_array(where, atol).ndim:
        floors = space.pack(atol, where)
    else:
        floors = np.full(space.size, number(where, atol))
    if floors.ndim != 1 or not (floors > 0.0).all():
        raise DomainError(f"{where}: expected a positive atol for each state, got {brief(atol)}.")
    return floors


def _checked_times(times: ArrayLike, name: str) -> Array:
    t = number_array(f"{name}: times", times)
    if t.ndim != 1 or len(t) == 0:
        raise SignatureError(
            f"{name}: expected times of shape (T,), the start first, got shape {t.shape}."
        )
    if not np.isfinite(t).all():
        raise DomainError(f"{name}: expected finite times, got NaN or infinity.")
    if (np.diff(t) <= 0).any():
        i = int(np.argmax(np.diff(t) <= 0))
        raise DomainError(
            f"{name}: expected increasing times, but {t[i]:g} is followed by {t[i + 1]:g}. To go "
            "back in time, simulate the module whose derivative has the other sign."
        )
    return t


def _stepped(
    module: RiemannianModule, times: Array, x0: Array, program: InputProgram, theta: Array
) -> Array:
    """A discrete module: the state at each time is the successor of the one before."""
    _check_steps(module, times)
    field = vector_field(module, theta)
    states = np.empty((len(times), len(x0)))
    states[0] = x0
    for k, u in enumerate(program.sampled(times[:-1]).tolist(), 1):
        states[k] = field.rate(states[k - 1], u)
        if not np.isfinite(states[k]).all():
            raise ConvergenceError(
                f"{type(module).__name__}: the step to t = {times[k]:g} gives NaN or infinity in "
                f"{_undefined(module, states[k])}. Check the parameters, or begin elsewhere."
            )
    return states


def _check_steps(module: RiemannianModule, times: Array) -> None:
    """Refuse times that are not as far apart as the module's steps, where it says how far."""
    step, gaps = module.signature.sampling_time, np.diff(times)
    if step is None:
        return
    slack = 1e-9 * step.length + 4.0 * np.spacing(np.abs(times).max())
    wrong = np.flatnonzero(np.abs(gaps - step.length) > slack)
    if len(wrong):
        i = int(wrong[0])
        raise DomainError(
            f"{type(module).__name__}: takes a step every {step}, but the times {times[i]:g} and "
            f"{times[i + 1]:g} are {gaps[i]:g} apart. Write times as "
            f"{step.length!r} * np.arange(steps + 1)."
        )


def _undefined(module: RiemannianModule, values: Array) -> list[str]:
    names = module.signature.state.coordinates
    return [c for c, ok in zip(names, np.isfinite(values), strict=True) if not ok][:8]


class _Run:
    """One integration: the stretches between the inputs' jumps, one after the other."""

    def __init__(
        self,
        module: RiemannianModule,
        field: VectorField,
        program: InputProgram,
        method: type[OdeSolver] | None,
        rtol: float,
        tally: Tally,
    ) -> None:
        self.module, self.field, self.program, self.method = module, field, program, method
        self.rtol, self.tally = rtol, tally

    def integrated(self, times: Array, x0: Array, floors: Floors) -> Array:
        """The states at the times, shape (T, n)."""
        states = np.empty((len(times), len(x0)))
        states[0] = x = x0
        if len(times) == 1 or not len(x0):
            return states
        edges = [times[0], *self.program.jumps(times[0], times[-1]), times[-1]]
        widest = self.program.longest_step(times)
        for a, b in pairwise(edges):
            kinks = self.program.kinks(a, b)
            inside = (times > a) & (times <= b)
            grid = np.union1d([a, *kinks, b], times[inside])
            path = self._stretch(x, grid, np.array([*kinks, b]), floors, float(widest))
            states[inside] = path[np.searchsorted(grid, times[inside])]
            x = path[-1]
        return states

    def _stretch(
        self, x: Array, grid: Array, corners: Array, floors: Floors, widest: float
    ) -> Array:
        a, b = float(grid[0]), float(grid[-1])
        u = self.program.between(a, b)
        self._check_start(a, x, u)
        problem = self.field.problem(u, x)
        atol = floors.at(problem, a, corners)
        tolerances = StepTolerances(self.rtol, atol, widest)
        watched = floors.watched(problem, grid)
        with reported(watched.derivative, a, b) as derivative:
            watched = replace(watched, derivative=derivative)
            try:
                times, states = self._solved(watched, grid, corners, tolerances)
            except StoppedError as stopped:
                raise self._failure(stopped, u, b) from None
        floors.met(problem, times, states)
        return states[np.searchsorted(times, grid)]

    def _solved(
        self,
        problem: SmoothProblem,
        grid: Array,
        corners: Array,
        tolerances: StepTolerances,
    ) -> tuple[Array, Array]:
        """Times, those of the grid among them, and the states there."""
        from scipy.integrate import LSODA

        if self.method is not None and self.method is not LSODA:
            return grid, integrate_by(self.method, problem, grid, corners, tolerances, self.tally)
        times = np.union1d(grid, _probes(problem, grid, tolerances))
        if isinstance(problem, SparseProblem):
            return times, integrate_sparse(problem, times, corners, tolerances, self.tally)
        return times, integrate(problem, times, corners, tolerances, self.tally)

    def _check_start(self, t: float, x: Array, u: InputValue) -> None:
        dx = self.field.rate(x, u(t))
        if not np.isfinite(dx).all():
            raise DomainError(
                f"{type(self.module).__name__}: at t = {t:g} the derivative of "
                f"{_undefined(self.module, dx)} is NaN or infinite. Begin inside the domain of "
                "the equations."
            )

    def _failure(self, stopped: StoppedError, u: InputValue, end: float) -> ConvergenceError:
        with np.errstate(all="ignore"):
            dx = self.field.rate(stopped.state, u(stopped.time))
        names = self.module.signature.state.coordinates
        largest = int(np.argmax(np.abs(stopped.state)))
        bad = _undefined(self.module, dx)
        return ConvergenceError(
            f"{type(self.module).__name__}: the integration stopped at t = {stopped.time:.6g} of "
            f"{end:.6g}: {stopped.message} "
            + (f"The derivative of {bad} is NaN or infinite there. " if bad else "")
            + f"The largest state is {names[largest]} = {stopped.state[largest]:.6g}. Where the "
            "solution grows without bound or leaves the domain, end before; else loosen rtol."
        )


def _probes(problem: AnyInitialValueProblem, grid: Array, tolerances: StepTolerances) -> Array:
    """Times, the first about a solver's first step, at which peaks between those asked for show."""
    a, b = float(grid[0]), float(grid[-1])
    rate, scale = np.abs(problem.rate(a, problem.start)), np.asarray(tolerances.atol) / SHARE
    first = np.sqrt(tolerances.rtol) / max(float((rate / scale).max()), 1.0 / (b - a))
    first = max(first, 1e6 * float(np.spacing(max(abs(a), abs(b)))))
    return a + first * ((b - a) / first) ** PROBES if first < b - a else grid[:0]
