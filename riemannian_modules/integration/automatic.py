"""Integration by the method that suits: LSODA, and Radau IIA where it gives up.

LSODA changes between Adams' and Gear's methods as stiffness comes and goes; Radau IIA can shrink
its step out of an undefined trial point.
Source: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148; Hairer and Wanner, Solving ODEs II.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from riemannian_modules.integration.one_step import integrate_by
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StepTolerances,
    StoppedError,
)
from riemannian_modules.integration.tally import Tally
from riemannian_modules.spaces import Array

LARGEST_STEP_COUNT = 10_000_000  # between two outputs; a run that needs more is interrupted by hand


class UndefinedRateError(Exception):
    """The derivative is NaN or infinite at a trial point of LSODA, which would not notice."""


def integrate(
    problem: InitialValueProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None = None,
) -> Array:
    """The solution at ``times`` (k,), of which the first is the start, shape (k, n).

    Args:
        problem: What to integrate.
        times: Increasing times, the start first.
        corners: Those among the times that no step passes over, the last time included.
        tolerances: Bounds on local errors and steps.
        tally: Where the work is counted.

    Raises:
        StoppedError: If neither LSODA nor Radau reaches the end.
    """
    from scipy.integrate import Radau

    try:
        return _by_lsoda(problem, times, corners, tolerances, tally)
    except (StoppedError, UndefinedRateError):
        return integrate_by(Radau, problem, times, corners, tolerances, tally)


def _by_lsoda(
    problem: InitialValueProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None,
) -> Array:
    derivative, jacobian = problem.derivative, problem.jacobian

    def checked(t: float, x: Array) -> Numbers:
        dx = derivative(t, x.tolist())
        if not math.isfinite(sum(dx)):
            raise UndefinedRateError
        return dx

    options = {"Dfun": lambda t, x: jacobian(t, x.tolist())}
    return run_odeint(checked, problem.start, times, corners, tolerances, options, tally)


def run_odeint(
    derivative: Callable[[float, Any], Any],
    start: Array,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    options: dict[str, Any],
    tally: Tally | None,
) -> Array:
    """LSODA's loop in compiled code (`solve_ivp` comes to Python at each step); shape (k, n).

    Raises:
        StoppedError: If it does not reach the end.
    """
    from scipy.integrate import ODEintWarning, odeint

    # Trial points may leave the domain; what is undefined there is noticed and taken back.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ODEintWarning)
        states, told = odeint(
            derivative, start, times, tfirst=True, full_output=True, rtol=tolerances.rtol,
            atol=tolerances.atol, tcrit=corners, mxstep=LARGEST_STEP_COUNT,
            hmax=tolerances.largest_step if math.isfinite(tolerances.largest_step) else 0.0,
            **options,
        )  # fmt: skip
    if told["message"] != "Integration successful." or not np.isfinite(states).all():
        raise StoppedError(float(told["tcur"].max()), states[0], told["message"])
    if tally is not None:
        tally.add("LSODA", told["nst"][-1], told["nfe"][-1], told["nje"][-1])
    return states
