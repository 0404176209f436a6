"""Points of a batch that lie on few trajectories, each of which is integrated once.

Where all rates of a flow are in proportion to one input, as in ``x' = T f(x)``, that input only
says how fast time runs: points that differ in it alone lie on one trajectory, at other times.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, final

import numpy as np

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.sensitivities import KnownCourse, course_at, with_sensitivities
from riemannian_modules.integration.side_by_side import Accuracy
from riemannian_modules.modules.flow_members import FlowMembers
from riemannian_modules.modules.linearised_rate import fused_rate
from riemannian_modules.spaces import Array

# As measured on stiff flows of 2 to 8 states: side by side, many cost little more than one, so
# that more of them than these are no faster one by one.
MOST = 4
MILD = 1_000  # steps below which few of high order do, whose ends are smoother in theta


@final
class FlowCourses:
    """The trajectories of a flow over a time; the last ones are remembered.

    A descent asks for the ends of its points, and then for the sensitivities of the same.

    Args:
        duration: Over which time.
        accuracy: The local error that is allowed.
    """

    def __init__(self, duration: float, accuracy: Accuracy) -> None:
        self._duration, self._accuracy = duration, accuracy
        self._last: tuple[Any, list[KnownCourse]] = None, []

    def ends(self, members: FlowMembers, start: Array, asked: Any) -> Array | None:
        """The ends of ``start`` (n, 1 + k, M), shaped as that, if few trajectories go through all.

        Args:
            members: M points of a flow, compiled if it can be.
            start: States, and beside them nothing, or the sensitivities in all states, inputs and
                parameters.
            asked: What tells these members from others.

        Returns:
            None where side by side is the way: the trajectories are many or mild, the flow is
            large or cannot be traced, or one of them stops early.
        """
        rate = None if members.rates is None else members_rate(members)
        if members.rates is None or (rate is None and len(members.start) > MOST):
            return None
        groups = _groups(members, rate)
        if len(groups) > MOST:
            return None
        try:
            if self._last[0] != asked:
                self._last = asked, [self._course(members, group, rate) for group in groups]
            if all(len(course.met) < MILD for course in self._last[1]):
                return None
            end = np.empty_like(start)
            for group, course in zip(groups, self._last[1], strict=True):
                end[..., group] = self._ends(members, group, rate, start, course)
        except (StoppedError, TraceError, UnsupportedError):
            return None
        return end

    def _course(self, members: FlowMembers, group: Any, rate: int | None) -> KnownCourse:
        one, speed = _one(members, group, rate)
        times = np.concatenate([[0.0], np.unique(self._duration * speed)])
        _, (u,), (theta,) = one.by_point()
        linearised = fused_rate(members.flow, theta, (), ())
        return course_at(one, linearised, u.tolist(), times, one.start[0], self._accuracy)

    def _ends(
        self, members: FlowMembers, group: Any, rate: int | None, start: Array, course: KnownCourse
    ) -> Array:
        """The ends of the members of one trajectory, (n, 1 + k, members)."""
        one, speed = _one(members, group, rate)
        place = np.searchsorted(course.times, self._duration * speed)
        if start.shape[1] == 1:
            return course.states[place].T[:, None]
        z = start[..., group[0]]
        found = with_sensitivities(one, course, z, self._accuracy)[place]
        if rate is not None:
            # Where x' = f at the speed of one, dx / d speed is as long as the time: t f.
            found[:, :, 1 + len(z) + rate] /= speed[:, None]
        return np.moveaxis(found, 0, -1)


def members_rate(members: FlowMembers) -> int | None:
    """The input that says how fast time runs, where it runs forward for all members."""
    e = members.flow.expressions
    rate = time_rate(e.dx, e.inputs)
    return rate if rate is None or (members.u[..., rate] > 0.0).all() else None


@lru_cache(maxsize=128)
def time_rate(dx: tuple[Any, ...], inputs: tuple[Any, ...]) -> int | None:
    """The place of an input that all rates are in proportion to, exactly, if there is one."""
    from riemannian_modules.arithmetic.expression import evaluated_derivatives

    for i, symbol in enumerate(inputs):
        rows = evaluated_derivatives(dx, (symbol,))
        is_linear = all(symbol not in slope.free_symbols for (slope,) in rows)
        if is_linear and all(rate.xreplace({symbol: 0}) == 0 for rate in dx):
            return i
    return None


def _groups(members: FlowMembers, rate: int | None) -> list[Any]:
    """The places of those members that lie on one trajectory, for each trajectory."""
    start, u, theta = members.by_point()
    others = u if rate is None else np.delete(u, rate, axis=1)
    points = np.concatenate([start, others, theta], axis=1)
    _, which = np.unique(points, axis=0, return_inverse=True)
    return [np.flatnonzero(which == i) for i in range(int(which.max(initial=-1)) + 1)]


def _one(members: FlowMembers, group: Any, rate: int | None) -> tuple[FlowMembers, Array]:
    """A member with whose trajectory those of a group agree, and by how much each is faster."""
    one = members.only(group[:1])
    if rate is None:
        return one, np.ones(len(group))
    u = one.u.copy()
    u[..., rate] = 1.0
    return replace(one, u=u), members.u[group, 0, rate]
