"""The profile likelihood of a parameter: how well the data fit at best where it is held elsewhere.

Source: Raue et al. (2009), Bioinformatics 25, 1923-1929.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import did_you_mean, number, text
from riemannian_modules.engine.progress import NoProgress
from riemannian_modules.engine.schedule import FullBatch
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.descent import descent
from riemannian_modules.engine.time_courses.information import Information
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.errors import DomainError, RiemannianError, SignatureError
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS = 40  # to each side, at most
_STRIDE = 0.3  # first step in deviations
_FARTHEST = 20.0  # such steps: as far as a parameter that is not determined is followed
_WIDEST = 1.0  # first step of a parameter that the data do not determine, on its scale


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CourseProfile(Shown):
    """``-2 log L`` along a parameter, all others at their best.

    Attributes:
        name: The parameter's.
        values: Where it was held, increasing, (K,).
        rises: How far ``-2 log L`` lies above its least there, (K,).
        best: The estimate.
        threshold: The rise at the interval's ends.
        level: With which probability the interval holds the true value.
        lower: The interval's lower end; ``-inf`` where the profile stays below the threshold.
        upper: The upper end.
    """

    name: str
    values: Array
    rises: Array
    best: float
    threshold: float
    level: float
    lower: float
    upper: float

    def plot(self) -> Figure:
        """Draw the profile with its threshold and interval."""
        from riemannian_modules.engine.time_courses.course_plot import plot_profile

        return plot_profile(
            self.name, self.values, self.rises, self.best, self.threshold, (self.lower, self.upper)
        )

    @override
    def facts(self) -> Facts:
        rows = (("estimate", f"{self.best:.6g}"), ("profile", f"{len(self.values)} points"))
        interval = f"from {self.lower:.6g} to {self.upper:.6g}"
        return Facts(f"CourseProfile of {self.name}: {interval} ({self.level:g})", rows)


def profiled(problem: CourseProblem, known: Information, name: str, level: float) -> CourseProfile:
    """Arguments as of `CourseFit.profile`."""
    table = problem.model.table
    if text("profile: name", name) not in table.free_names:
        raise SignatureError(
            f"profile: {name!r} is not estimated{did_you_mean([name], table.free_names)}; "
            f"estimated are: {', '.join(table.free_names)}."
        )
    if not 0.0 < number("profile: level", level) < 1.0:
        raise DomainError(f"profile: expected a level between 0 and 1, got {level}.")
    from scipy.special import chdtri

    threshold = float(chdtri(1.0, 1.0 - level))
    f = table.free_names.index(name)
    start = descent(problem.model, FullBatch(), NoProgress())
    below, above = (
        _side(problem.model, known, f, start.theta, 2.0 * start.loss, sign, threshold)
        for sign in (-1.0, 1.0)
    )
    points = [*reversed(below), (float(start.theta[f]), 0.0), *above]
    places, rises = np.array(points).T
    scale = table.scales[table.free[f]]
    values = scale.back(places)
    lower = _crossing(places[: len(below) + 1][::-1], rises[: len(below) + 1][::-1], threshold)
    upper = _crossing(places[len(below) :], rises[len(below) :], threshold)
    return CourseProfile(
        name, values, rises, float(scale.back(np.asarray(start.theta[f]))), threshold, float(level),
        -math.inf if lower is None else float(scale.back(np.asarray(lower))),
        math.inf if upper is None else float(scale.back(np.asarray(upper))),
    )  # fmt: skip


def _side(
    model: CourseModel, known: Information, f: int, best: Array, least: float, sign: float,
    threshold: float,
) -> list[tuple[float, float]]:  # fmt: skip
    """Places of the parameter away from the best one, with the rises there."""
    table, i = model.table, model.table.free[f]
    variance = known.covariance[f, f]
    stride = _STRIDE * math.sqrt(variance) if 0.0 < variance < math.inf else 0.0
    stride = stride or _WIDEST * max(1.0, 0.1 * abs(float(best[f])))
    farthest = _FARTHEST * stride if known.covariance[f, f] == math.inf else math.inf
    along, found = _along(known.metric, f), list[tuple[float, float]]()
    theta = best.copy()
    for _ in range(_STEPS):
        theta = table.clipped(theta + sign * stride * along, f)
        if abs(float(theta[f] - best[f])) > farthest:
            break
        values = table.natural(theta)
        if not table.lower[i] <= values[i] <= table.upper[i]:
            break
        lower, upper = table.lower.copy(), table.upper.copy()
        lower[i] = upper[i] = values[i]
        held = replace(model, table=replace(table, values=values, lower=lower, upper=upper))
        try:
            there = descent(held, FullBatch(100), NoProgress())
        except RiemannianError:  # the flow cannot be integrated there
            break
        if not there.outcome.is_settled:
            break
        rise = 2.0 * there.loss - least
        moved = rise - (found[-1][1] if found else 0.0)
        found.append((float(theta[f]), rise))
        if rise > threshold:
            break
        theta = there.theta.copy()
        if moved < 0.06 * threshold:
            stride *= 2.0
        elif moved > 0.25 * threshold:
            stride *= 0.5
    return found


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


def _crossing(places: Array, rises: Array, threshold: float) -> float | None:
    """Where the rise first passes the threshold; the root of the rise is nearly a straight line."""
    for a, b in zip(range(len(places)), range(1, len(places)), strict=False):
        if rises[b] > threshold >= rises[a]:
            low, high, at = (math.sqrt(max(float(v), 0.0)) for v in (rises[a], rises[b], threshold))
            share = (at - low) / (high - low)
            return float(places[a] + share * (places[b] - places[a]))
    return None
