"""A point of a region, exact: a claim about a region without points would say nothing.

A linear program (untrusted) looks for a point far from all sides, with cuts at balls that it leaves
(Kelley 1960); equalities are then solved in rationals, and the point is tested exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from riemannian_modules.claims.constraints import Constraints, Point, is_point_of
from riemannian_modules.region import Ball
from riemannian_modules.search.linear_forms import Row, solved
from riemannian_modules.spaces import Array

LARGEST_CUTS = 200  # linear programs; each leaves out what the last one found
ACTIVE = 1e-7  # a side that is nearer than this, relative to its size, may hold with equality


def point_of(constraints: Constraints, lower: Array, upper: Array) -> Point | None:
    """A point (dim,) of a box cut by constraints, exact; None if none is found."""
    faces = _faces(constraints, lower, upper)
    with np.errstate(over="ignore", invalid="ignore"):  # a candidate may be anything
        for candidate in _candidates(constraints, faces, len(lower)):
            for is_tight in (np.zeros(len(faces), dtype=bool), _active(faces, candidate)):
                point = _on_equalities(faces, is_tight, candidate)
                if is_point_of(constraints, lower, upper, point):
                    return point
    return None


Face = tuple[Array, float, float]  # a, low, high: low <= a^T x <= high


def _faces(constraints: Constraints, lower: Array, upper: Array) -> list[Face]:
    names = constraints.coordinates
    sides = zip(np.eye(len(lower)), lower.tolist(), upper.tolist(), strict=True)
    rows = (
        (np.array([row.coefficients.get(n, 0.0) for n in names]), row.lower, row.upper)
        for row in constraints.rows
    )
    return [*sides, *rows]


def _candidates(constraints: Constraints, faces: Sequence[Face], size: int) -> Iterator[Array]:
    """Points (dim,) deep inside of all faces and ever more cuts at balls."""
    from scipy.optimize import linprog

    A: list[Array] = []  # rows (a, weight of the depth t), and b: a^T x + weight t <= b
    b: list[float] = []
    E, e = [], []
    for given, low, high in faces:
        largest = np.abs(given).max()
        if largest == 0:  # no coordinate matters: the exact test tells
            continue
        a = given / largest
        if low == high:
            E.append([*a, 0.0])
            e.append(low / largest)
            continue
        for sign, end in ((-1.0, low), (1.0, high)):
            if np.isfinite(end / largest):
                A.append(np.append(sign * a, float(np.linalg.norm(a))))
                b.append(sign * end / largest)
    bounds = [(None, None)] * size + [(0.0, 1.0)]
    cost = np.append(np.zeros(size), -1.0)
    for _ in range(LARGEST_CUTS if constraints.balls else 1):
        found = linprog(
            cost, A_ub=np.array(A) if A else None, b_ub=b or None,
            A_eq=np.array(E) if E else None, b_eq=e or None, bounds=bounds, method="highs",
        )  # fmt: skip
        if not found.success:
            return
        x = found.x[:size]
        yield x
        for ball in constraints.balls:
            a, end = _tangent(ball, constraints.coordinates, x)
            if not np.isfinite([*a, end]).all():
                return
            A.append(np.append(a, float(np.linalg.norm(a))))
            b.append(end)


def _tangent(ball: Ball, names: Sequence[str], x: Array) -> tuple[Array, float]:
    """A half space ``a^T x <= end`` that holds the ball, with its normal towards a point."""
    place = [names.index(n) for n in ball.names]
    away = x[place] - ball.center
    M = np.eye(len(place)) if ball.metric is None else ball.metric
    a = np.zeros(len(names))
    length = np.sqrt(max(away @ M @ away, 1e-300))
    a[place] = M @ away / length
    return a, float(a[place] @ ball.center + ball.radius)


def _active(faces: Sequence[Face], x: Array) -> Any:
    """For each face, whether a point lies on one of its ends, as nearly as can be told."""
    return np.array([
        any(abs(a @ x - end) <= ACTIVE * (1 + abs(end)) for end in (low, high) if np.isfinite(end))
        for a, low, high in faces
    ])  # fmt: skip


def _on_equalities(faces: Sequence[Face], is_tight: Any, x: Array) -> Point:
    """The point moved, in few coordinates, to where equalities and tight faces hold exactly."""
    size = len(x)
    rows: list[Row] = []
    for (a, low, high), tight in zip(faces, is_tight, strict=True):
        if low == high or tight:
            end = min((low, high), key=lambda end: abs(a @ x - end))
            row = {k: Fraction(v) for k, v in enumerate(a.tolist()) if v}
            rows.append(row | {size: -Fraction(end)})
    return tuple(solved(rows, [Fraction(v) for v in x.tolist()]))
