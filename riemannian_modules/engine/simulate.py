"""Simulation: a module run over time under given inputs.

Continuous modules are integrated with their exact Jacobian, discrete ones are stepped, static ones
are evaluated. The tolerances are tight by default: a stiff system is solved to six digits unasked.

Sources: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148 (LSODA); Hairer and Wanner, *Solving
Ordinary Differential Equations II*, section IV.8 (Radau).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import brief, number, number_array, require
from riemannian_modules.engine.event_terms import EventsOf
from riemannian_modules.engine.events import Event, checked_events
from riemannian_modules.engine.input_signal import InputValue
from riemannian_modules.engine.inputs import InputProgram, input_program
from riemannian_modules.engine.sampling import ticks
from riemannian_modules.engine.simulation_progress import reported
from riemannian_modules.engine.switching import PiecewiseRun, piecewise_problem, solvers
from riemannian_modules.engine.trajectory import Trajectory, trajectory_at
from riemannian_modules.engine.vector_field import VectorField, vector_field
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from riemannian_modules.integration.automatic import integrate
from riemannian_modules.integration.one_step import integrate_by
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StoppedError,
    Tolerances,
)
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

# Robertson's problem comes out right to 4e-7 up to t = 4e10, where one state is 1e-13. A smaller
# ATOL makes steps follow the rounding of states that hang at zero by cancellation, and gains
# nothing.
RTOL, ATOL = 1e-9, 5e-15


def simulate(
    module: RiemannianModule,
    times: ArrayLike,
    x0: ArrayLike | Mapping[str, ArrayLike] | None = None,
    inputs: Mapping[str, Any] | ArrayLike | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    method: type[OdeSolver] | None = None,
    events: Sequence[Event] = (),
) -> Trajectory:
    """Run a module over time.

    Args:
        module: Continuous (integrated), discrete (one step from each time to the next) or static.
        times: Increasing times of the result, shape (T,), the start first; in the module's unit of
            time. Those of a discrete module that states its sampling time are that far apart.
        x0: The state at ``times[0]``, flat or by name; zeros where None.
        inputs: For each input port a constant, a function of time, a pair ``(times, values)``
            joined by lines, or a table from `linear_table` or `held_table`; or constants, flat;
            zeros where None. Steps never pass over a table's corner. A function should be smooth:
            no step is longer than the widest gap between the times of the result, and corners are
            found by error control alone.
        theta: The parameters, flat or by name; the module's own where None.
        rtol: Relative local error.
        atol: Absolute local error, in the states' units.
        method: One of SciPy's solver classes, such as ``scipy.integrate.DOP853``. By default LSODA,
            which finds out by itself whether the system is stiff, and Radau where LSODA gives up.
        events: Made with `event`, `stop` and `at_times`; for modules in continuous time.

    Returns:
        States, inputs and outputs at the times. A module that can be traced runs as one compiled
        function, at some microseconds an evaluation; tracing is remembered with the module.

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
    if point.x.ndim != 1 or point.theta.ndim != 1:
        raise SignatureError(
            f"{name}: simulate expects one initial state and one set of parameters, got batches of "
            f"shape {point.x.shape[:-1]} and {point.theta.shape[:-1]}. Call it once for each."
        )
    for what, value in (("rtol", rtol), ("atol", atol)):
        if not number(f"{name}: {what}", value) > 0.0:
            raise DomainError(f"{name}: expected a positive {what}, got {value}.")
    if not (method is None or isinstance(method, type)):
        raise SignatureError(
            f"{name}: expected one of SciPy's solver classes as method, such as "
            f"scipy.integrate.DOP853, or None, got {brief(method)}."
        )
    program = input_program(
        module.signature.inputs, inputs, t, f"{name}: inputs", time_ports(module)
    )
    happening = EventsOf(module, point.theta, checked_events(module, events), [])
    if module.time is Time.STATIC:
        states = np.zeros((len(t), 0))
    elif module.time is Time.DISCRETE:
        states = _stepped(module, t, point.x, program, point.theta)
    elif (problem := piecewise_problem(module, point.theta, program, happening)) is not None:
        acts = ticks(module, point.theta, float(t[0]), float(t[-1]))
        run = PiecewiseRun(module, program, problem, solvers(method), happening, acts)
        t, states = run.integrated(t, point.x, rtol, atol)
    else:
        run = _Run(module, vector_field(module, point.theta), program, method, rtol, atol)
        states = run.integrated(t, point.x)
    return trajectory_at(module, t, states, program.sampled(t), point.theta, tuple(happening.found))


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
    x, inputs = x0.tolist(), program.sampled(times[:-1]).tolist()
    for k, u in enumerate(inputs, 1):
        x = list(field.derivative(x, u))
        states[k] = x
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
        atol: float,
    ) -> None:
        if not (rtol > 0 and atol > 0):
            raise DomainError(
                f"{type(module).__name__}: expected positive rtol and atol, got {rtol} and {atol}."
            )
        self.module, self.field, self.program, self.method = module, field, program, method
        self.rtol, self.atol = rtol, atol

    def integrated(self, times: Array, x0: Array) -> Array:
        """The states at the times, shape (T, n)."""
        states = np.empty((len(times), len(x0)))
        states[0] = x = x0
        if len(times) == 1:
            return states
        edges = [times[0], *self.program.jumps(times[0], times[-1]), times[-1]]
        tolerances = Tolerances(self.rtol, self.atol, self.program.longest_step(times))
        for a, b in pairwise(edges):
            kinks = self.program.kinks(a, b)
            inside = (times > a) & (times <= b)
            grid = np.union1d([a, *kinks, b], times[inside])
            path = self._stretch(x, grid, np.array([*kinks, b]), tolerances)
            states[inside] = path[np.searchsorted(grid, times[inside])]
            x = path[-1]
        return states

    def _stretch(self, x: Array, grid: Array, corners: Array, tolerances: Tolerances) -> Array:
        from scipy.integrate import LSODA

        a, b = float(grid[0]), float(grid[-1])
        u = self.program.between(a, b)
        self._check_start(a, x, u)
        f, jacobian = self.field.derivative, self.field.jacobian
        if not len(x):
            return np.zeros((len(grid), 0))
        with reported(_driven(f, u), a, b) as derivative:
            problem = InitialValueProblem(derivative, lambda t, x: jacobian(x, u(t)), x)
            try:
                if self.method is None or self.method is LSODA:
                    return integrate(problem, grid, corners, tolerances)
                return integrate_by(self.method, problem, grid, corners, tolerances)
            except StoppedError as stopped:
                raise self._failure(stopped, u, b) from None

    def _check_start(self, t: float, x: Array, u: InputValue) -> None:
        dx = np.array(self.field.derivative(x.tolist(), u(t)), dtype=np.float64)
        if not np.isfinite(dx).all():
            raise DomainError(
                f"{type(self.module).__name__}: at t = {t:g} the derivative of "
                f"{_undefined(self.module, dx)} is NaN or infinite. Begin inside the domain of "
                "the equations."
            )

    def _failure(self, stopped: StoppedError, u: InputValue, end: float) -> ConvergenceError:
        with np.errstate(all="ignore"):
            dx = np.array(self.field.derivative(stopped.state.tolist(), u(stopped.time)))
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


def _driven(f: Callable[[Numbers, Numbers], Numbers], u: InputValue) -> Callable[[float, Any], Any]:
    return lambda t, x: f(x, u(t))
