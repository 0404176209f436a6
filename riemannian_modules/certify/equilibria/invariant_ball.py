"""Balls of a norm in a region: whether they lie in it, and how far the map moves their centre.

A ball ``{|x - c| <= r}`` lies in the half-space ``a . x <= h`` exactly if ``h - a . c >= |a|* r``,
with the dual norm ``|a|* = max {a . z : |z| <= 1}``: for l2 ``sqrt(a^T M^-1 a)``, for
``sum w_i |z_i|`` it is ``max |a_i| / w_i``, for ``max |z_i| / w_i`` it is ``sum w_i |a_i|``.

*Rounding.* Lengths are compared as squares in exact fractions; floats enter as proposals whose
error is bounded there, or as enclosures.

Source: Boyd and Vandenberghe (2004), *Convex Optimization*, section 8.4 (ellipsoids in polyhedra).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import final

import numpy as np

from riemannian_modules.arithmetic.definite import (
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
)
from riemannian_modules.arithmetic.integer_kernel import echelon
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.certify.norms import L1, L2, LInf
from riemannian_modules.certify.problem import Problem
from riemannian_modules.region import Ball, Linear
from riemannian_modules.space import Array

MOST_MOVING = 10  # atoms whose corners are all tried
Exact = Sequence[Fraction]


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


def dual_squared(norm: L2 | L1 | LInf, a: Exact) -> Fraction:
    """An upper bound of ``|a|*^2``; exact for l1 and linf, and for l2 wherever solving is.

    For l2 and any y, with the residual ``e = a - M y``: ``a^T M^-1 a = 2 a . y - y^T M y + e^T M^-1
    e``, and the last term is at most ``|e|^2 / m`` for a lower bound m of M's eigenvalues.
    """
    if isinstance(norm, L1):
        return max(abs(v) / w for v, w in zip(a, _fractions(norm.weights), strict=True)) ** 2
    if isinstance(norm, LInf):
        return _dot([abs(v) for v in a], _fractions(norm.weights)) ** 2
    M = norm.metric
    floor = float(smallest_eigenvalue_bound(M))
    guess: Array = np.asarray(np.linalg.solve(M, [float(v) for v in a]), dtype=np.float64)
    # Where M is so badly conditioned that floats say nothing, it is solved exactly: e = 0.
    y = _fractions(guess) if floor > 0 and np.isfinite(guess).all() else _solved(M, a)
    My = [_dot(_fractions(row), y) for row in M]
    e = [v - w for v, w in zip(a, My, strict=True)]
    rest = _dot(e, e)
    return 2 * _dot(a, y) - _dot(y, My) + (rest / Fraction(floor) if rest else 0)


def _solved(M: Array, a: Exact) -> list[Fraction]:
    """The exact solution of ``M y = a`` for a regular M (n, n)."""
    n = len(a)
    rows = [dict(enumerate([*_fractions(row), v])) for row, v in zip(M, a, strict=True)]
    reduced = echelon(rows)
    return [reduced[i].get(n, Fraction(0)) for i in range(n)]


def room(
    norm: L2 | L1 | LInf, wall: Wall, center: Mapping[str, Fraction], problem: Problem
) -> Fraction:
    """The square of a radius up to which balls about ``center`` lie on the wall's inner side.

    For all values of the inputs and parameters in the problem's box; negative if the centre itself
    does not lie there for all of them. ``center`` has the state's coordinates.
    """
    names = list(center)
    if isinstance(wall, HalfSpace):
        a = [wall.coefficients.get(n, Fraction(0)) for n in names]
        gap = wall.bound - _dot(a, list(center.values()))
        for name, c in wall.coefficients.items():
            if name not in center:
                i = problem.coordinates.index(name)
                end = float((problem.upper if c > 0 else problem.lower)[i])
                if c and not math.isfinite(end):
                    return Fraction(-1)
                gap -= c * Fraction(end) if c else 0
        return gap**2 / dual_squared(norm, a) if gap >= 0 else Fraction(-1)
    if any(name not in center for name in wall.names):
        return Fraction(-1)
    away = [center[n] - v for n, v in zip(wall.names, _fractions(wall.center), strict=True)]
    metric = [
        _fractions(row) for row in (np.eye(len(away)) if wall.metric is None else wall.metric)
    ]
    if not is_negative_semidefinite_rational([[-v for v in row] for row in metric]):
        return Fraction(-1)
    offset = _dot(away, [_dot(row, away) for row in metric])
    gap = Fraction(wall.radius) - Fraction(root_up(offset))
    growth = _growth_squared(norm, metric, [names.index(n) for n in wall.names], len(names))
    return gap**2 / growth if gap >= 0 else Fraction(-1)


def _growth_squared(
    norm: L2 | L1 | LInf, metric: list[list[Fraction]], places: list[int], size: int
) -> Fraction:
    """A k^2 with ``|z_S|_metric <= k |z|`` for all z: by a pencil for l2, else by half-widths."""
    if isinstance(norm, L2):
        inner = [[Fraction(0)] * size for _ in range(size)]
        for (i, row), (j, b) in product(zip(places, metric, strict=True), enumerate(places)):
            inner[i][b] = row[j]
        floats = np.array([[float(v) for v in row] for row in inner])
        estimate = float(np.linalg.eigvals(np.linalg.solve(norm.metric, floats)).real.max())
        outer = [_fractions(row) for row in norm.metric]
        for k in (round(estimate, 12), estimate * (1 + 1e-9)):
            S = [
                [a - Fraction(k) * b for a, b in zip(r, s, strict=True)]
                for r, s in zip(inner, outer, strict=True)
            ]
            if is_negative_semidefinite_rational(S):
                return Fraction(k)
    # |z_i z_j| <= (h_i^2 + h_j^2) / 2 with |z_i| <= h_i |z|.
    h = [dual_squared(norm, [Fraction(int(i == j)) for j in range(size)]) for i in places]
    return sum(
        (abs(v) * (a + b) / 2 for row, a in zip(metric, h, strict=True)
         for v, b in zip(row, h, strict=True)), Fraction(0),
    )  # fmt: skip


def enclosure(
    norm: L2 | L1 | LInf, names: Sequence[str], c: Array, radius: float
) -> dict[str, tuple[float, float]]:
    """Each coordinate of the ball, rounded outward: ``c_i -+ r |e_i|*``."""
    result: dict[str, tuple[float, float]] = {}
    for i, name in enumerate(names):
        unit = [Fraction(int(i == j)) for j in range(len(names))]
        half = Fraction(root_up(Fraction(radius) ** 2 * dual_squared(norm, unit)))
        low, high = (Fraction(float(c[i])) + s * half for s in (-1, 1))
        result[name] = (
            float(Interval.rational(low).lower),
            float(Interval.rational(high).upper),
        )
    return result


def overshoot(norm: L2 | L1 | LInf) -> float:
    """Euclidean distances grow at most by this: ``sqrt(cond M)``, or the weights' bound."""
    if isinstance(norm, L2):
        floor = float(smallest_eigenvalue_bound(norm.metric))
        ratio = float(largest_eigenvalue_bound(norm.metric)) / floor if floor > 0 else math.inf
    else:
        # min_i(w) |z|_2 <= sum w_i |z_i| <= max(w) sqrt(n) |z|_2, and for linf the other way round.
        w = norm.weights
        ratio = len(w) * (float(w.max()) / float(w.min())) ** 2
    # The quotient, its square and the root are each off by half a unit in the last place.
    return math.sqrt(ratio) * (1 + 1e-15) if math.isfinite(ratio) else math.inf


def root_up(value: Fraction) -> float:
    """The smallest float that is at least the square root."""
    floor, scale = _root(value)
    exact = floor * floor == value * scale * scale
    return float(Interval.rational(Fraction(floor if exact else floor + 1, scale)).upper)


def root_down(value: Fraction) -> float:
    """The largest float that is at most the square root."""
    floor, scale = _root(value)
    return float(Interval.rational(Fraction(floor, scale)).lower)


def _root(value: Fraction) -> tuple[int, int]:
    """(s, 2^k) with ``s <= 2^k sqrt(value) < s + 1``, of 64 bits or more."""
    bits = max(0, 128 + value.denominator.bit_length() - value.numerator.bit_length())
    scale = 1 << (bits // 2 + 1)
    return math.isqrt(value.numerator * scale * scale // value.denominator), scale


def _fractions(vector: Array) -> list[Fraction]:
    return [Fraction(v) for v in vector.tolist()]


def _dot(a: Exact, b: Exact) -> Fraction:
    return sum((v * w for v, w in zip(a, b, strict=True) if v and w), Fraction(0))
