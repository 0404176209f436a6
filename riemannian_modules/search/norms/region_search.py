"""The search for a norm on a region that constraints cut: where its Jacobians are, not its box's.

A norm that is best at some points is tried on the whole region; the worst point found joins them,
until none is worse (the cutting planes of Kelley, 1960). Untrusted.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from riemannian_modules.claims.norms import Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.search.boxes.witness import ROOM, needed, worst_point
from riemannian_modules.search.samples import jacobians_at, sample_points
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import deadline, limited_to, time_left

SAMPLES = 64
ROUNDS = 12
CLOSE = 5e-5  # part of the bound by which the worst point may exceed that of the points so far
SECONDS = 20.0
SINGULAR = 1e-12  # determinant of faces that do not meet in a point
DIGITS = 13  # after the point, by which two vertices are one
MOST_CHOICES = 50_000  # of as many faces as coordinates, which meet in a vertex


def find_on_region(problem: Problem, best_at: Callable[[Array], Norm]) -> Norm:
    """The norm of the smallest bound on the region, of what finds it at Jacobians (count, n, n).

    Raises:
        ConvergenceError: If none is found.
    """
    with limited_to(SECONDS):
        return _with_worst_points(problem, best_at)


def _with_worst_points(problem: Problem, best_at: Callable[[Array], Norm]) -> Norm:
    points = region_points(problem)
    norm = best_at(jacobians_at(problem, points))
    for _ in range(ROUNDS):
        criterion = make_criterion(problem, norm)
        known = float(needed(problem, criterion, points).max())
        point, worst = worst_point(problem, criterion, deadline())
        if worst <= known + CLOSE * abs(known) or time_left() < 0:
            break
        points = np.vstack([points, point])
        norm = best_at(jacobians_at(problem, points))
    return norm


def region_points(problem: Problem) -> Array:
    """Points (count, dim) of the region: the vertices that its faces have, and samples."""
    samples = sample_points(problem, np.random.default_rng(0), SAMPLES)
    points = np.vstack([vertices(problem), samples])
    room = ROOM * (1 + np.abs(points))
    return points[~problem.constraints.outside(points - room, points + room)]


def is_bounded(problem: Problem) -> bool:
    """Whether the Jacobian depends on bounded coordinates alone."""
    used = set[Any]().union(*(e.free_symbols for row in problem.jacobian for e in row))
    width = problem.upper - problem.lower
    return all(np.isfinite(w) for s, w in zip(problem.symbols, width, strict=True) if s in used)


def vertices(problem: Problem) -> Array:
    """Vertices (count, dim) of the polytope that the sides and linear constraints make.

    None are listed where there are too many choices of faces; coordinates without faces stay put.
    """
    names, (lower, upper) = problem.coordinates, (problem.lower, problem.upper)
    rows = [np.array([c.coefficients.get(n, 0.0) for n in names]) for c in problem.constraints.rows]
    slopes = np.vstack([np.eye(len(names)), *rows])
    low = np.append(lower, [c.lower for c in problem.constraints.rows])
    high = np.append(upper, [c.upper for c in problem.constraints.rows])
    both = np.vstack([slopes, slopes[low < high]]), np.append(low, high[low < high])
    normals, ends = (part[np.isfinite(both[1])] for part in both)
    axes = np.flatnonzero(normals.any(0))
    count = len(axes)
    if not count or comb(len(ends), count) > MOST_CHOICES:
        return np.zeros((0, len(names)))
    choice = np.array(list(combinations(range(len(ends)), count)), dtype=int).reshape(-1, count)
    faces = normals[:, axes][choice]
    regular = np.abs(np.linalg.det(faces)) > SINGULAR
    met = np.linalg.solve(faces[regular], ends[choice[regular]][..., None])[..., 0]
    points = np.tile(np.clip(np.zeros(len(names)), lower, upper), (len(met), 1))
    points[:, axes] = met
    values = points @ slopes.T
    room = 1e-9 * (1 + np.abs(values))
    inside = ((values >= low - room) & (values <= high + room)).all(1)
    return np.unique(np.clip(np.round(points[inside], DIGITS), lower, upper), axis=0)
