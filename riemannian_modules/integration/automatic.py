"""Integration by the method that suits: LSODA, and Radau IIA where it gives up.

LSODA changes between Adams' and Gear's methods as stiffness comes and goes; Radau IIA can shrink
its step out of an undefined trial point.
Source: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148; Hairer and Wanner, Solving ODEs II.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from riemannian_modules.integration.one_step import integrate_by
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StoppedError,
    Tolerances,
)
from riemannian_modules.space import Array

LARGEST_STEP_COUNT = 10_000_000  # between two outputs; a run that needs more is interrupted by hand


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
