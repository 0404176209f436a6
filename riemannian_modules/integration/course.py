"""A run of LSODA in compiled code with its dense output where it is wanted.

What the solver interpolates between the ends of a step is a polynomial of its order, at most 12:
asked for at 13 points of the step it is known exactly. Which steps those are is known after a first
run, and a second run takes the same steps.

Sources: Petzold (1983), SIAM J. Sci. Stat. Comput. 4, 136-148; Berrut and Trefethen (2004),
*Barycentric Lagrange interpolation*, SIAM Review 46, 501-517.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.integration.automatic import UndefinedRateError, run_odeint
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StepTolerances,
    StoppedError,
)
from riemannian_modules.integration.scout import FoundError, Scout
from riemannian_modules.integration.tally import Tally
from riemannian_modules.spaces import Array

ORDER = 12  # the highest of LSODA's
_PLACES = np.arange(ORDER + 1)
SHARES = 0.5 - 0.5 * np.cos(np.pi * _PLACES / ORDER)  # Chebyshev's points, both ends included
_WEIGHTS = np.where(_PLACES % 2, -1.0, 1.0) * np.where(_PLACES % ORDER, 1.0, 0.5)
ULP = float(np.finfo(float).eps)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where a run went.

    Attributes:
        times: Times (k,): those asked for, and points of the doubtful steps.
        states: States there, (k, n).
        doubtful: The ends of the steps that may hold a crossing, the first step among them.
        end: Until when it is known.
        failure: Why it ended there, if it was to go on.
    """

    times: Array
    states: Array
    doubtful: Sequence[tuple[float, float]]
    end: float
    failure: Exception | None

    def path(self, t: Any) -> Array:
        """The states at some of the times, (n,) or (n, T)."""
        return self.states[np.searchsorted(self.times, t)].T

    def inside(self, start: float, end: float) -> Callable[[Any], Array]:
        """The solver's own interpolant in a doubtful step: from times to states (n,) or (n, T)."""
        states = self.states[np.searchsorted(self.times, _points(start, end))]
        first, rest = states[0], states - states[0]  # what stays, stays to the last bit

        def path(t: Any) -> Array:
            gaps = (np.asarray(t)[..., None] - start) / (end - start) - SHARES
            is_there = gaps == 0.0
            weights = _WEIGHTS / np.where(is_there, 1.0, gaps)
            weights = np.where(is_there.any(-1, keepdims=True), is_there, weights)
            return (first + weights @ rest / weights.sum(-1, keepdims=True)).T

        return path


def course(
    problem: InitialValueProblem,
    wanted: Array,
    corners: Array,
    tolerances: StepTolerances,
    scout: Scout,
    tally: Tally,
) -> Course:
    """Run until the last corner, or until a watched value has changed its side.

    Args:
        problem: What to integrate.
        wanted: Times at which the state is wanted, the start first, the last corner last.
        corners: Increasing times over which no step passes.
        tolerances: Bounds on local errors and steps.
        scout: Watches for crossings.
        tally: Counts what it takes.
    """
    run = _Run(problem, float(wanted[0]), corners, tolerances)
    first = run.start, min(run.start + run.step, float(corners[0]))
    times = np.union1d(np.union1d(wanted, corners), _points(*first))
    states, failure, is_whole = problem.start[None], None, False
    try:
        states = run.at(times, scout.note)
        scout.look(is_over=True)
        is_whole = True
    except FoundError:
        pass
    except (StoppedError, UndefinedRateError) as stopped:
        try:
            scout.look(is_over=False)
            failure = stopped
        except FoundError:
            pass
    doubtful = list(dict.fromkeys([*scout.first_step, *scout.doubtful]))
    end = float(corners[-1]) if is_whole else scout.reached
    if not doubtful:
        times, end = times[:1], run.start
    elif not is_whole or doubtful != [first]:
        points = [_points(*step) for step in doubtful]
        times = np.unique(np.concatenate([[end], times[times <= end], *points]))
        states = run.at(times, _unnoticed)
    tally.add("LSODA", scout.steps, run.calls, run.jacobians)
    return Course(times, states, doubtful, end, failure)


def _points(start: float, end: float) -> Array:
    points = start + SHARES * (end - start)
    points[-1] = end
    return points


def _unnoticed(t: float, x: list[float], rate: Numbers) -> None:
    pass


class _Run:
    """LSODA from one start, which takes the same steps each time that it runs.

    Its first step is told to it: left to itself, it looks how far the first time lies that is
    asked for.
    """

    def __init__(
        self,
        problem: InitialValueProblem,
        start: float,
        corners: Array,
        tolerances: StepTolerances,
    ) -> None:
        self.start, self.calls, self.jacobians = start, 0, 0
        self._problem, self._corners, self._tolerances = problem, corners, tolerances
        self.step = _first_step(problem, start, float(corners[0]), tolerances)

    def at(self, times: Array, note: Callable[[float, list[float], Numbers], None]) -> Array:
        """The states at times, (k, n); notes each point that the rate is asked for."""
        derivative, jacobian = self._problem.derivative, self._problem.jacobian

        def rate(t: float, x: Array) -> Numbers:
            point = x.tolist()
            self.calls += 1
            dx = derivative(t, point)
            if not math.isfinite(sum(dx)):
                raise UndefinedRateError
            note(t, point, dx)
            return dx

        def matrix(t: float, x: Array) -> Array:
            self.jacobians += 1
            return jacobian(t, x.tolist())

        options = {"Dfun": matrix, "h0": self.step}
        return run_odeint(
            rate, self._problem.start, times, self._corners, self._tolerances, options, None
        )


def _first_step(
    problem: InitialValueProblem, start: float, end: float, tolerances: StepTolerances
) -> float:
    """LSODA's own choice, as ODEPACK documents it."""
    size = tolerances.rtol * np.abs(problem.start) + tolerances.atol
    rate = float((np.abs(problem.rate(start, problem.start)) / size).max(initial=0.0))
    tol = min(max(tolerances.rtol, 100.0 * ULP), 1e-3)
    largest = min(end - start, tolerances.largest_step)
    longest = max(abs(start), abs(end))
    return min(1.0 / math.sqrt(1.0 / (tol * longest**2) + tol * rate * rate), largest)
