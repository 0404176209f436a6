"""Integration of an initial value problem on a stretch where the inputs do not jump.

LSODA changes between Adams' and Gear's methods as stiffness comes and goes; where it gives up,
Radau IIA takes over, which can shrink its step out of an undefined trial point.
Source: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148; Hairer and Wanner, Solving ODEs II.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.engine.vector_field import Numbers
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

LARGEST_STEP_COUNT = 10_000_000  # between two outputs; a run that needs more is interrupted by hand


@final
@dataclass(frozen=True, slots=True, eq=False)
class InitialValueProblem:
    """``dx/dt = derivative(t, x)`` from ``start``; x is a list of floats, jacobian gives (n, n)."""

    derivative: Callable[[float, list[float]], Numbers]
    jacobian: Callable[[float, list[float]], Array]
    start: Array


@final
@dataclass(frozen=True, slots=True)
class Tolerances:
    """Local errors are kept below ``rtol |x| + atol``, steps below ``largest_step``."""

    rtol: float
    atol: float
    largest_step: float


class StoppedError(Exception):
    """A solver gave up at ``time``, at ``state``, for the reason ``message``."""

    def __init__(self, time: float, state: Array, message: str) -> None:
        super().__init__(message)
        self.time, self.state, self.message = time, state, message


class _UndefinedError(Exception):
    """The derivative is NaN or infinite at a trial point of LSODA, which would not notice."""


def integrate(
    problem: InitialValueProblem, times: Array, corners: Array, tolerances: Tolerances
) -> Array:
    """The solution at ``times`` (k,), of which the first is the start, shape (k, n).

    Args:
        problem: What to integrate.
        times: Increasing times, the start first.
        corners: Those among the times that no step passes over, the last time included.
        tolerances: Bounds on local errors and steps.

    Raises:
        StoppedError: If neither LSODA nor Radau reaches the end.
    """
    from scipy.integrate import Radau

    try:
        return _by_lsoda(problem, times, corners, tolerances)
    except (StoppedError, _UndefinedError):
        return integrate_by(Radau, problem, times, corners, tolerances)


def _by_lsoda(
    problem: InitialValueProblem, times: Array, corners: Array, tolerances: Tolerances
) -> Array:
    from scipy.integrate import ODEintWarning, odeint

    derivative, jacobian = problem.derivative, problem.jacobian

    def checked(t: float, x: Array) -> Numbers:
        dx = derivative(t, x.tolist())
        if not math.isfinite(sum(dx)):
            raise _UndefinedError
        return dx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        # `odeint` runs LSODA's loop in compiled code; `solve_ivp` comes to Python at each step.
        states, told = odeint(
            checked, problem.start, times, Dfun=lambda t, x: jacobian(t, x.tolist()), tfirst=True,
            full_output=True, rtol=tolerances.rtol, atol=tolerances.atol, tcrit=corners,
            hmax=tolerances.largest_step if math.isfinite(tolerances.largest_step) else 0.0,
            mxstep=LARGEST_STEP_COUNT,
        )  # fmt: skip
    if told["message"] != "Integration successful." or not np.isfinite(states).all():
        raise StoppedError(float(told["tcur"].max()), states[0], told["message"])
    return states


def integrate_by(
    solver_type: type[OdeSolver],
    problem: InitialValueProblem,
    times: Array,
    corners: Array,
    tolerances: Tolerances,
) -> Array:
    """As `integrate`, by one of SciPy's one-step solvers or BDF; it lands on the corners alone.

    States at times between are the solver's own interpolants, so that their number costs no steps.
    Those of BDF, RK45 and DOP853 are as accurate as the steps, that of Radau (of order 3) to some
    ten times the tolerance.
    """
    from scipy.integrate import BDF, Radau

    def derivative(t: float, x: Array) -> Array:
        return np.array(problem.derivative(float(t), x.tolist()), dtype=np.float64)

    implicit = issubclass(solver_type, (BDF, Radau))
    options: dict[str, Any] = (
        {"jac": lambda t, x: problem.jacobian(float(t), x.tolist())} if implicit else {}
    )
    states = np.empty((len(times), len(problem.start)))
    states[0], known = problem.start, 1
    with np.errstate(all="ignore"):
        solver = _started(solver_type, derivative, times, problem.start, tolerances, options)
        for corner in corners.tolist():
            # A one-step method goes on from where it landed, at the step size that it had chosen.
            solver.t_bound = corner
            solver.status = "running"
            while solver.status == "running":
                told = _stepped(solver)
                if solver.status == "failed" or not np.isfinite(solver.y).all():
                    raise StoppedError(
                        float(solver.t), solver.y, told or "the state is not finite."
                    )
                reached = int(np.searchsorted(times, solver.t, "right"))
                if reached > known:
                    states[known:reached] = _between(solver, times[known:reached])
                    known = reached
    return states


def _between(solver: Any, times: Array) -> Array:
    """The states at some times of the last step, (k, n); at its end the state itself."""
    if times[0] == solver.t:
        return solver.y[None]
    states = solver.dense_output()(times).T
    if times[-1] == solver.t:
        states[-1] = solver.y
    return states


def _stepped(solver: Any) -> str | None:
    try:
        return solver.step()
    except ValueError as error:  # a linear solve met an infinite entry of the Jacobian
        raise StoppedError(float(solver.t), solver.y, f"{error}.") from error


def _started(
    solver_type: type[OdeSolver],
    derivative: Callable[[float, Array], Array],
    times: Array,
    start: Array,
    tolerances: Tolerances,
    options: dict[str, Any],
) -> Any:
    create: Any = solver_type  # the base class declares fewer arguments than each solver takes
    try:
        return create(
            derivative, times[0], start, times[-1], rtol=tolerances.rtol, atol=tolerances.atol,
            max_step=tolerances.largest_step, **options,
        )  # fmt: skip
    except ValueError as error:
        raise StoppedError(float(times[0]), start, str(error)) from error
