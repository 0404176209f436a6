"""Balls of a norm in a region: whether they lie in it, and what they enclose.

A ball ``{|x - c| <= r}`` lies in the half-space ``a . x <= h`` exactly if ``h - a . c >= |a|* r``,
with the dual norm ``|a|* = max {a . z : |z| <= 1}``.

*Rounding.* Lengths are compared as squares in exact fractions.

Source: Boyd and Vandenberghe (2004), *Convex Optimization*, section 8.4 (ellipsoids in polyhedra).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.claims.part_norm import PartNorm, dot, fractions, root_up
from riemannian_modules.claims.problem import Problem
from riemannian_modules.region import Ball, Linear
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True)
class HalfSpace:
    """``sum of coefficient * coordinate <= bound`` over states, inputs and parameters."""

    coefficients: Mapping[str, Fraction]
    bound: Fraction


Wall = HalfSpace | Ball


def walls(problem: Problem) -> list[Wall]:
    """What bounds the state: the sides, linear constraints and balls that mention it."""
    state = {s.name for s in problem.variables}
    sides = zip(problem.coordinates, problem.lower.tolist(), problem.upper.tolist(), strict=True)
    rows = [Linear({name: 1.0}, low, high) for name, low, high in sides]
    result: list[Wall] = []
    for row in (*rows, *problem.constraints.rows):
        a = {name: Fraction(c) for name, c in row.coefficients.items()}
        if not any(a.get(name) for name in state):
            continue
        if math.isfinite(row.upper):
            result.append(HalfSpace(a, Fraction(row.upper)))
        if math.isfinite(row.lower):
            result.append(HalfSpace({n: -c for n, c in a.items()}, -Fraction(row.lower)))
    return [*result, *(ball for ball in problem.constraints.balls if state & set(ball.names))]


def in_words(wall: Wall) -> str:
    """A wall, for messages."""
    if isinstance(wall, Ball):
        return f"the ball of radius {wall.radius:.6g} in {', '.join(wall.names)}"
    terms = " + ".join(f"{float(c):.6g} {n}" for n, c in wall.coefficients.items())
    return f"{terms} <= {float(wall.bound):.6g}"


def room(norm: PartNorm, wall: Wall, center: Mapping[str, Fraction], problem: Problem) -> Fraction:
    """The square of a radius up to which balls about ``center`` lie on the wall's inner side.

    For all values of the inputs and parameters in the problem's box; negative if the centre itself
    does not lie there for all of them. ``center`` has the state's coordinates, in their order.
    """
    place = {name: i for i, name in enumerate(center)}
    if isinstance(wall, HalfSpace):
        gap = wall.bound
        for name, c in wall.coefficients.items():
            if name in center:
                gap -= c * center[name]
                continue
            i = problem.coordinates.index(name)
            end = float((problem.upper if c > 0 else problem.lower)[i])
            if c and not math.isfinite(end):
                return Fraction(-1)
            gap -= c * Fraction(end) if c else 0
        a = {place[n]: c for n, c in wall.coefficients.items() if n in place and c}
        return gap**2 / norm.dual_squared(a) if gap >= 0 else Fraction(-1)
    if any(name not in center for name in wall.names):
        return Fraction(-1)
    away = [center[n] - v for n, v in zip(wall.names, fractions(wall.center), strict=True)]
    metric = [fractions(row) for row in (np.eye(len(away)) if wall.metric is None else wall.metric)]
    if not is_negative_semidefinite_rational([[-v for v in row] for row in metric]):
        return Fraction(-1)
    offset = dot(away, [dot(row, away) for row in metric])
    gap = Fraction(wall.radius) - Fraction(root_up(offset))
    growth = norm.growth_squared(metric, [place[n] for n in wall.names])
    return gap**2 / growth if gap >= 0 else Fraction(-1)


def enclosure(
    norm: PartNorm, names: Sequence[str], c: Array, radius: float
) -> dict[str, tuple[float, float]]:
    """Each coordinate of the ball, rounded outward: ``c_i -+ r |e_i|*``."""
    result: dict[str, tuple[float, float]] = {}
    for i, name in enumerate(names):
        half = Fraction(root_up(Fraction(radius) ** 2 * norm.dual_squared({i: Fraction(1)})))
        low, high = (Fraction(float(c[i])) + s * half for s in (-1, 1))
        result[name] = (
            float(Interval.rational(low).lower),
            float(Interval.rational(high).upper),
        )
    return result
