"""Integration by one of SciPy's solver classes, dense output included.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.integration.problem import (
    AnyInitialValueProblem,
    StepTolerances,
    StoppedError,
)
from riemannian_modules.integration.tally import Tally
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver


def integrate_by(
    solver_type: type[OdeSolver],
    problem: AnyInitialValueProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None = None,
) -> Array:
    """As `integrate`, by one of SciPy's one-step solvers or BDF; it lands on the corners alone.

    States at times between are the solver's own interpolants, so that their number costs no steps.
    Those of BDF, RK45 and DOP853 are as accurate as the steps, that of Radau (of order 3) to some
    ten times the tolerance. What it took is added to ``tally``.
    """
    states = np.empty((len(times), len(problem.start)))
    states[0], known = problem.start, 1
    for solver in march(solver_type, problem, times, corners, tolerances, tally):
        reached = int(np.searchsorted(times, solver.t, "right"))
        if reached > known:
            states[known:reached] = between(solver, times[known:reached])
            known = reached
    return states


def march(
    solver_type: type[OdeSolver],
    problem: AnyInitialValueProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None = None,
    first_step: float = 0.0,
) -> Iterator[Any]:
    """The solver after each of its steps from ``times[0]`` to ``times[-1]``.

    LSODA knows of the last time alone, which has to be the only corner. The first step is at most
    ``first_step`` long; the solver chooses it where that is 0.

    Raises:
        StoppedError: If it gives up.
    """

    def derivative(t: float, x: Array) -> Array:
        return problem.rate(float(t), x)

    options: dict[str, Any] = {}
    if takes_jacobian(solver_type):
        options["jac"] = lambda t, x: problem.matrix(float(t), x)
    if first_step:
        span = float(times[-1] - times[0])
        options["first_step"] = min(first_step, span, tolerances.largest_step)
    steps = 0
    with np.errstate(all="ignore"):
        solver = _started(solver_type, derivative, times, problem.start, tolerances, options)
        try:
            for corner in corners.tolist():
                # A one-step method goes on from where it landed, at the step size it had chosen.
                solver.t_bound = corner
                solver.status = "running"
                while solver.status == "running":
                    told = _stepped(solver)
                    steps += 1
                    if solver.status == "failed" or not np.isfinite(solver.y).all():
                        raise StoppedError(
                            float(solver.t), solver.y, told or "the state is not finite."
                        )
                    yield solver
        finally:
            if tally is not None:
                tally.add(solver_type.__name__, steps, solver.nfev, solver.njev)


def takes_jacobian(solver_type: type[OdeSolver]) -> bool:
    """Whether a solver class can be given a Jacobian, as implicit ones can."""
    return "jac" in signature(solver_type).parameters


def between(solver: Any, times: Array) -> Array:
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
    tolerances: StepTolerances,
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
