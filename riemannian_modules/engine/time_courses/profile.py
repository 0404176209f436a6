"""The profile likelihood of a parameter: how well the data fit at best where it is held elsewhere.

Source: Raue et al. (2009), Bioinformatics 25, 1923-1929.
"""

from __future__ import annotations

import math
from dataclasses import replace

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
from riemannian_modules.space import Array

_STEPS = 40  # to each side, at most
_STRIDE = 0.3  # first step in deviations
_FARTHEST = 20.0  # such steps: as far as a parameter that is not determined is followed
_WIDEST = 1.0  # first step of a parameter that the data do not determine, on its scale


def profiled(problem: CourseProblem, known: Information, name: str, level: float) -> Profile:
    """Arguments as of `CourseFit.profile`.

    A search of its own: where each point is a fit of whole integrations, the direction in which the
    measurements change least brings the others nearly there at once.
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
    (below, left), (above, right) = (
        _side(problem.model, known, f, start.theta, 2.0 * start.loss, sign, threshold)
        for sign in (-1.0, 1.0)
    )
    points = [*reversed(below), (start.theta, 0.0), *above]
    thetas, rises = np.array([theta for theta, _ in points]), np.array([rise for _, rise in points])
    scale, places = table.scales[table.free[f]], thetas[:, f]
    lower = _crossing(places[: len(below) + 1][::-1], rises[: len(below) + 1][::-1], threshold)
    upper = _crossing(places[len(below) :], rises[len(below) :], threshold)
    return Profile(
        name, float(scale.back(start.theta[f])), scale.back(places), rises,
        np.array([table.natural(theta)[table.free] for theta in thetas]), threshold, float(level),
        -math.inf if lower is None else float(scale.back(np.asarray(lower))),
        math.inf if upper is None else float(scale.back(np.asarray(upper))), (left, right),
    )  # fmt: skip


def _side(
    model: CourseModel, known: Information, f: int, best: Array, least: float, sign: float,
    threshold: float,
) -> tuple[list[tuple[Array, float]], str]:  # fmt: skip
    """The best parameters away from the best of all, the rises there, and how the search ended."""
    table, i = model.table, model.table.free[f]
    variance = known.covariance[f, f]
    stride = _STRIDE * math.sqrt(variance) if 0.0 < variance < math.inf else 0.0
    stride = stride or _WIDEST * max(1.0, 0.1 * abs(float(best[f])))
    farthest = _FARTHEST * stride if known.covariance[f, f] == math.inf else math.inf
    along, found = _along(known.metric, f), list[tuple[Array, float]]()
    theta, last = best.copy(), float(table.natural(best)[i])
    for _ in range(_STEPS):
        theta = table.clipped(theta + sign * stride * along, f)
        if abs(float(theta[f] - best[f])) > farthest:
            return found, f"flat as far as {last:.6g}"
        values = table.natural(theta)
        if not table.lower[i] <= values[i] <= table.upper[i]:
            wall = table.lower[i] if values[i] < table.lower[i] else table.upper[i]
            return found, f"the bound {wall:.6g} comes before the threshold"
        lower, upper = table.lower.copy(), table.upper.copy()
        lower[i] = upper[i] = values[i]
        held = replace(model, table=replace(table, values=values, lower=lower, upper=upper))
        try:
            there = descent(held, FullBatch(100), NoProgress())
        except RiemannianError:  # the flow cannot be integrated there
            return found, f"no fit was found beyond {last:.6g}"
        if not there.outcome.is_settled:
            return found, f"no fit was found beyond {last:.6g}"
        theta, last = there.theta.copy(), float(values[i])
        rise = 2.0 * there.loss - least
        moved = rise - (found[-1][1] if found else 0.0)
        found.append((theta, rise))
        if rise > threshold:
            return found, "the threshold is reached"
        if moved < 0.06 * threshold:
            stride *= 2.0
        elif moved > 0.25 * threshold:
            stride *= 0.5
    return found, f"flat as far as {last:.6g}"


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
