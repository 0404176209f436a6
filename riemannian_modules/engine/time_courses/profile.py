"""The profile likelihood of a parameter: how well the data fit at best where it is held elsewhere.

Source: Raue et al. (2009), Bioinformatics 25, 1923-1929.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from riemannian_modules.door import did_you_mean, text
from riemannian_modules.engine.prediction import checked_level
from riemannian_modules.engine.profile import Profile
from riemannian_modules.engine.progress import NoProgress
from riemannian_modules.engine.schedule import FullBatch
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.descent import descent
from riemannian_modules.engine.time_courses.information import Information
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.errors import RiemannianError, SignatureError
from riemannian_modules.spaces import Array

_STEPS = 40  # to each side, at most
_STRIDE = 0.3  # first step in deviations
_FARTHEST = 20.0  # such steps: as far as a parameter that is not determined is followed
_HALVINGS = 8  # of a step at whose end no fit is found
_REFINEMENTS = 12  # fits on the way to an end of the interval
_ACCURACY = 1e-6  # of the root of the threshold, in it
_WIDEST = 1.0  # first step of a parameter that the data do not determine, on its scale


def profiled(problem: CourseProblem, known: Information, name: str, level: float) -> Profile:
    """Arguments as of `CourseFit.profile`.

    A search of its own: where each point is a fit of whole integrations, the direction in which the
    measurements change least brings the others nearly there at once.

    Raises:
        SignatureError: For a parameter that is not estimated.
    """
    table = problem.model.table
    if text("profile: name", name) not in table.free_names:
        raise SignatureError(
            f"profile: {name!r} is not estimated{did_you_mean([name], table.free_names)}; "
            f"estimated are: {', '.join(table.free_names)}."
        )
    from scipy.special import chdtri

    threshold = float(chdtri(1.0, 1.0 - checked_level("profile", level)))
    f = table.free_names.index(name)
    start = descent(problem.model, FullBatch(), NoProgress())
    held = _Held(problem.model, f, 2.0 * start.loss)
    best = _Point(start.theta, 0.0)
    (below, lower, left), (above, upper, right) = (
        _side(held, known, best, sign, threshold) for sign in (-1.0, 1.0)
    )
    points = [*reversed(below), best, *above]
    scale, free = table.scales[table.free[f]], table.free
    return Profile(
        name, float(scale.back(start.theta[f])),
        scale.back(np.array([point.theta[f] for point in points])),
        np.array([point.rise for point in points]),
        np.array([table.natural(point.theta)[free] for point in points]), threshold, float(level),
        -math.inf if lower is None else float(scale.back(np.asarray(lower))),
        math.inf if upper is None else float(scale.back(np.asarray(upper))), (left, right),
    )  # fmt: skip


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The best parameters (F,) where one is held, and how far ``-2 log L`` is above the least."""

    theta: Array
    rise: float

    @property
    def height(self) -> float:
        """The root of the rise, which is nearly straight to each side of the minimum."""
        return math.sqrt(max(self.rise, 0.0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Fits with the parameter at a place f held, above the least ``-2 log L``."""

    model: CourseModel
    f: int
    least: float

    def wall(self, sign: float) -> float:
        """The bound to one side, on the parameter's scale; infinite where there is none."""
        table = self.model.table
        side = float(table.scaled(table.lower if sign < 0.0 else table.upper)[self.f])
        return sign * math.inf if math.isnan(side) else side

    def fitted(self, near: Array, place: float) -> _Point | None:
        """The best parameters with the held one at a place of its scale; None where none is found.

        Args:
            near: Where the others start, (F,).
            place: Of the held one.
        """
        table, i = self.model.table, self.model.table.free[self.f]
        theta = near.copy()
        theta[self.f] = place
        values = table.natural(table.clipped(theta, self.f))
        lower, upper = table.lower.copy(), table.upper.copy()
        lower[i] = upper[i] = values[i]
        held = replace(self.model, table=replace(table, values=values, lower=lower, upper=upper))
        try:
            found = descent(held, FullBatch(100), NoProgress())
        except RiemannianError:  # the flow cannot be integrated there
            return None
        if not found.outcome.is_settled:
            return None
        best = found.theta.copy()
        best[self.f] = place
        return _Point(best, 2.0 * found.loss - self.least)

    def crossing(self, inside: _Point, outside: _Point, threshold: float) -> tuple[_Point, float]:
        """Where the rise passes a threshold, by false position; a fit there, and its place."""
        f, reached = self.f, math.sqrt(threshold)
        for i in range(_REFINEMENTS):
            a, b = float(inside.theta[f]), float(outside.theta[f])
            share = (reached - inside.height) / (outside.height - inside.height)
            share = 0.5 if i % 3 == 2 else share
            place = a + share * (b - a)
            near = inside.theta + share * (outside.theta - inside.theta)
            new = self.fitted(near, place)
            if new is None:
                break
            if abs(new.height - reached) <= _ACCURACY * reached:
                return new, place
            inside, outside = (new, outside) if new.height < reached else (inside, new)
        share = (reached - inside.height) / (outside.height - inside.height)
        a, b = float(inside.theta[f]), float(outside.theta[f])
        return inside, a + share * (b - a)


def _side(
    held: _Held, known: Information, best: _Point, sign: float, threshold: float
) -> tuple[list[_Point], float | None, str]:
    """The points away from the best of all, the interval's end, and how the search ended."""
    f, table, wall = held.f, held.model.table, held.wall(sign)
    variance = known.covariance[f, f]
    stride = _STRIDE * math.sqrt(variance) if 0.0 < variance < math.inf else 0.0
    stride = stride or _WIDEST * max(1.0, 0.1 * abs(float(best.theta[f])))
    farthest = _FARTHEST * stride if variance == math.inf else math.inf
    along, points, failures = _along(known.metric, f), [best], 0

    def told(point: _Point) -> str:
        return f"{float(table.natural(point.theta)[table.free[f]]):.6g}"

    while len(points) <= _STEPS:
        last = points[-1]
        at = float(last.theta[f])
        if at == wall:
            return points[1:], None, f"the bound {told(last)} comes before the threshold"
        place = min(at + stride, wall) if sign > 0.0 else max(at - stride, wall)
        if abs(place - float(best.theta[f])) > farthest:
            return points[1:], None, f"flat as far as {told(last)}"
        new = held.fitted(last.theta + (place - at) * along, place)
        if new is None:
            failures += 1
            if failures > _HALVINGS or place == at:
                return points[1:], None, f"no fit was found beyond {told(last)}"
            stride *= 0.5
            continue
        if new.rise > threshold:
            on, end = held.crossing(last, new, threshold)
            between = [] if on is last else [on]
            return [*points[1:], *between, new], end, "the threshold is reached"
        moved = new.rise - last.rise
        points.append(new)
        if moved < 0.06 * threshold:
            stride *= 2.0
        elif moved > 0.25 * threshold:
            stride *= 0.5
    return points[1:], None, f"flat as far as {told(points[-1])}"


def _along(metric: Array, f: int) -> Array:
    """The direction (F,), one in parameter f, in which the measurements change least."""
    others = np.delete(np.arange(len(metric)), f)
    direction = np.ones(len(metric))
    size = np.sqrt(np.diagonal(metric))[others]
    size[size == 0.0] = 1.0
    scaled = metric[np.ix_(others, others)] / np.outer(size, size)
    pull = -metric[others, f] / size
    direction[others] = np.linalg.lstsq(scaled, pull, rcond=1e-12)[0] / size
    return direction
