"""Points where the test needs a large b: by sampling, and by going down into the worst boxes.

Nothing here is trusted: a point found refutes a claim only once it is evaluated rigorously.
"""

from __future__ import annotations

import time

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.search.boxes.cutting import chosen_cuts
from riemannian_modules.search.samples import sample_points
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cut_tree import Ids
from riemannian_modules.terms.ranges import inner_points

BEAM, MOST_LEVELS = 8, 200
ROOM = 1e-12  # relative, around points
Witness = tuple[Array, float]  # a point (dim,) and the b that is needed there


def needed(problem: Problem, criterion: Criterion, points: Array) -> Array:
    """The b that the test needs at points; -inf where it is undefined, or outside the region."""
    low, high = criterion.form.ranges(problem.symbols, points, points)
    with np.errstate(invalid="ignore", over="ignore"):
        T = criterion.form.values(0.5 * low + 0.5 * high)
    finite = np.isfinite(T).all((1, 2))
    values = np.full(len(points), -np.inf)
    if finite.any():
        found = criterion.estimate(T[finite])
        # Where a metric is not definite in floating point, the sample says nothing.
        values[finite] = np.where(np.isposinf(found), -np.inf, found)
    if problem.constraints:  # points that rounding moves off a face are still looked at
        room = ROOM * (1 + np.abs(points))
        values[problem.constraints.outside(points - room, points + room)] = -np.inf
    return values


def worst_inside(problem: Problem, criterion: Criterion, lower: Array, upper: Array) -> Witness:
    """The worst of the middles and extreme corners of boxes (k, dim)."""
    points = inner_points(lower, upper)
    values = needed(problem, criterion, points)
    worst = int(values.argmax())
    return points[worst], float(values[worst])


def worst_point(
    problem: Problem, criterion: Criterion, deadline: float, count: int = 512, rounds: int = 12
) -> Witness:
    """A point of the region (dim,) where the test needs the largest b that was found, and that b.

    Sampling, then coordinate moves of the best points, ever smaller, until the ``deadline`` (of
    `time.monotonic`).
    """
    rng = np.random.default_rng(1)
    points = sample_points(problem, rng, count)
    values = needed(problem, criterion, points)
    width = np.where(np.isfinite(problem.upper - problem.lower), problem.upper - problem.lower, 1.0)
    for k in range(rounds):
        if time.monotonic() > deadline:
            break
        best = points[np.argsort(values)[-16:]]
        moved = np.repeat(best, count // 16, axis=0)
        axis = rng.integers(0, max(len(width), 1), len(moved))
        rows = np.arange(len(moved))
        step = rng.standard_normal(len(moved)) * width[axis] * 0.5**k
        ends = np.stack(
            [problem.lower[axis], problem.upper[axis], 0.0 * step, moved[rows, axis] + step]
        )
        choice = ends[rng.integers(0, 4, len(moved)), rows]
        moved[rows, axis] = np.where(np.isfinite(choice), choice, moved[rows, axis] + step)
        if problem.constraints:  # along spheres and slanted faces no coordinate leads far
            moved[::2] = best.repeat(count // 32, axis=0)
            moved[::2] += rng.standard_normal(moved[::2].shape) * width * 0.5**k
        moved = problem.constraints.pulled_in(np.clip(moved, problem.lower, problem.upper))
        moved = np.clip(moved, problem.lower, problem.upper)
        points, values = (
            np.concatenate([best, moved]),
            np.concatenate([np.sort(values)[-16:], needed(problem, criterion, moved)]),
        )
    place = int(np.argmax(values))
    return points[place], float(values[place])


def regular_near(
    problem: Problem, criterion: Criterion, witness: Witness, beyond: float
) -> Witness:
    """A point near a witness that needs more than ``beyond`` too, and where the map has no kink.

    At a kink the Jacobian's expression is that of one side only, and refutes nothing. The witness
    itself where it is regular, or where no better one is found.
    """
    if witness[1] <= beyond or problem.is_regular_at(witness[0]):
        return witness
    rng = np.random.default_rng(3)
    width = np.minimum(problem.upper - problem.lower, 1.0)
    scale = 10.0 ** -rng.uniform(1, 12, (128, 1))
    points = np.clip(
        witness[0] + scale * width * rng.standard_normal((128, len(width))),
        problem.lower, problem.upper,
    )  # fmt: skip
    values = needed(problem, criterion, points)
    for i in np.argsort(-values, kind="stable")[:16]:
        if values[i] > beyond and problem.is_regular_at(points[i]):
            return points[i], float(values[i])
    return witness


def probe(
    problem: Problem, criterion: Criterion, lower: Array, upper: Array, bounds: Array,
    aim: float, deadline: float,
) -> Witness:  # fmt: skip
    """Go down from boxes (k, dim) into the halves with the largest bounds, to points above ``aim``.

    Where the test needs more than ``aim`` on a tiny part of a box only (a needle), samples miss it,
    but the bounds of all boxes beside it fall below ``aim``: only the box that holds it stays.

    Returns:
        The worst point that was seen, and the b that is needed there; it ends early once above
        ``aim`` or where no box can need more.
    """
    best = worst_inside(problem, criterion, lower, upper)
    for _ in range(MOST_LEVELS):
        kept = _largest(bounds, aim)
        if best[1] > aim or not kept.size or time.monotonic() > deadline:
            break
        lower, upper = lower[kept], upper[kept]
        axes, places = chosen_cuts(problem, criterion, lower, upper, bounds[kept])
        can = axes >= 0
        if not can.any():
            break
        lower, upper = halves(lower[can], upper[can], axes[can], places[can])
        bounds = box_bounds(problem, criterion, lower, upper)
        best = max(best, worst_inside(problem, criterion, lower, upper), key=lambda w: w[1])
    return best


def halves(lower: Array, upper: Array, axes: Ids, places: Array) -> tuple[Array, Array]:
    """The left and right half of each box (k, dim), next to each other: (2 k, dim)."""
    lower, upper = np.repeat(lower, 2, axis=0), np.repeat(upper, 2, axis=0)
    left = np.arange(0, len(lower), 2)
    upper[left, axes] = places
    lower[left + 1, axes] = places
    return lower, upper


def _largest(bounds: Array, aim: float) -> Ids:
    """Of the boxes above ``aim``, those with the largest bounds; and the first with none."""
    finite = np.flatnonzero((bounds > aim) & np.isfinite(bounds))
    unproved = np.flatnonzero(np.isposinf(bounds))
    first = finite[np.argsort(-bounds[finite], kind="stable")][:BEAM]
    return np.concatenate([first, unproved[:BEAM]])
