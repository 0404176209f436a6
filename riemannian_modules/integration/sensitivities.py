"""A trajectory with its sensitivities at many times: what it does to move the start, or the flow.

LSODA finds the states, on Python's floats. Sensitivities come from steps of Radau IIA over their
course, all at once.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.integration.expected_size import expected_size
from riemannian_modules.integration.linearised import Linearised
from riemannian_modules.integration.multistep import solve_stretch
from riemannian_modules.integration.problem import StepTolerances
from riemannian_modules.integration.shooting import Steps, node_times, shoot
from riemannian_modules.integration.side_by_side import Accuracy, Flows
from riemannian_modules.spaces import Array

SHARE = 0.01  # LSODA takes twenty times as many steps as methods of order 8, whose errors add up
EACH = 18  # steps of LSODA that one step of high order replaces
MOST_STEPS = 20_000  # between two times; where rounding moves a state it takes more
LOOKS = 5.0 ** np.arange(-12.0, 0.0)  # shares of the way at which sizes are looked at


@final
@dataclass(frozen=True, slots=True, eq=False)
class KnownCourse:
    """A trajectory as it was found.

    Attributes:
        times: Those that were asked for, the start first, (T,).
        states: The states then, (T, n).
        met: The times at the solver's own steps, (N,).
        passed: The states there, (N, n).
        rates: The rates there, (N, n).
    """

    times: Array
    states: Array
    met: Array
    passed: Array
    rates: Array

    def steps(self) -> Steps:
        """Steps of high order along it, of which some end at the times."""
        from scipy.interpolate import CubicHermiteSpline

        mesh = np.union1d(self.times, self.met[EACH:-1:EACH])
        path = CubicHermiteSpline(self.met, self.passed, self.rates)
        nodes = path(node_times(mesh))
        nodes[0, 0] = self.states[0]
        return Steps(mesh[:-1], np.diff(mesh), nodes[:, 0], nodes[:, 1:] - nodes[:, :1])


def course_at(
    flows: Flows,
    linearised: Linearised,
    u: list[float],
    times: Array,
    start: Array,
    accuracy: Accuracy,
) -> KnownCourse:
    """The trajectory to times (T,), of which the first is the start's.

    Args:
        flows: One member; it must be smooth between the first and the last time.
        linearised: The same flow on floats, ``(x, u) -> (dx, [A])``.
        u: Its inputs.
        times: Increasing times, the start first.
        start: The state at the first time, (n,).
        accuracy: The local error that is allowed.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity, or rounding moves it.
    """
    # Each time is held to the sizes that are reached until then, hence all to those of the first.
    size = expected_size(flows, times[:1], times[1:2], start[:, None, None])[:, 0, 0]
    grid = np.union1d(times, times[0] + (times[1] - times[0]) * LOOKS)
    course = _solved(linearised, u, grid, start, size, accuracy)
    largest = np.abs(course.states[grid <= times[1]]).max(0)
    if (size > 100.0 * largest).any():  # it was held to too little
        course = _solved(linearised, u, grid, start, np.minimum(size, largest), accuracy)
    kept = np.searchsorted(grid, times)
    return replace(course, times=times, states=course.states[kept])


def _solved(
    linearised: Linearised,
    u: list[float],
    grid: Array,
    start: Array,
    size: Array,
    accuracy: Accuracy,
) -> KnownCourse:
    known, at, rate = list[tuple[float, Numbers, Numbers]](), [0.0], linearised.rate

    def now(t: float) -> list[float]:
        at[0] = t
        return u

    def noted(x: Numbers, u: Numbers) -> Numbers:
        dx = rate(x, u)
        known.append((at[0], x, dx))
        return dx

    fine = Accuracy(SHARE * accuracy.relative, SHARE * accuracy.absolute)
    nothing = np.zeros((len(start), 1, 1))
    absolute = fine.allowed(nothing, nothing, size[:, None, None])[..., 0]
    states = solve_stretch(
        replace(linearised, rate=noted), now, np.zeros((0, 0)), grid, grid[-1:], start[:, None],
        StepTolerances(fine.relative, absolute, np.inf), MOST_STEPS,
    )[..., 0]  # fmt: skip
    t = np.array([t for t, _, _ in known])
    # A time that counts is never come back to; its last evaluation is that of the corrected state.
    least_after = np.append(np.minimum.accumulate(t[::-1])[::-1][1:], np.inf)
    kept = np.flatnonzero(t < least_after)
    passed, rates = (np.array([known[i][part] for i in kept]) for part in (1, 2))
    return KnownCourse(grid, states, t[kept], passed, rates)


def with_sensitivities(
    flows: Flows, course: KnownCourse, start: Array, accuracy: Accuracy
) -> Array:
    """States and sensitivities (T, n, 1 + k) at the times of a course.

    Args:
        flows: One member, whose first n directions leave the flow as it is.
        course: Its course.
        start: The state at the first time, and beside it its derivatives in the flow's k
            directions, (n, 1 + k).
        accuracy: The local error that is allowed to all of them.

    Raises:
        StoppedError: Where the steps do not join, or become ever smaller.
    """
    times = course.times
    expected = expected_size(flows, times[:1], times[1:2], start[..., None])[..., 0]
    ends, z = shoot(flows, course.steps(), start, expected, accuracy)
    # A time that is met differs from its own value by rounding at most.
    return np.concatenate([start[None], z[np.abs(ends - times[1:, None]).argmin(1)]])
