"""Where boxes are cut: across the side whose halves narrow most what the test depends on.

Nothing here is trusted: any cut inside of a box leaves a cover of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cuts import middles
from riemannian_modules.terms.ranges import natural_ranges

MOST_PRODUCTS = 400  # terms up to which an atom's weight is taken box by box


@final
@dataclass(frozen=True, eq=False, slots=True)
class _Measure:
    """A term whose range a cut shall narrow, and the positions of its symbols."""

    expression: sp.Expr
    axes: tuple[int, ...]


def chosen_cuts(
    problem: Problem, criterion: Criterion, lower: Array, upper: Array, bounds: Array
) -> tuple[NDArray[np.int64], Array]:
    """For each box (k, dim), the side to cut and the place; side -1 where none can be cut.

    First count the ends that are infinite or undefined, then the widths of the atoms, each times
    what it moves the matrix; ties go to the side that is widest beside the region's. A box with
    nothing proved (``bounds`` inf) looks at the domain conditions too.

    Cost: two evaluations of each atom for each of its symbols.
    """
    k, dim = lower.shape
    places = middles(lower, upper)
    can = (lower < places) & (places < upper)
    can &= np.isin(np.arange(dim), moving_axes(problem, criterion))
    axes, rest = np.full(k, -1, dtype=np.int64), can.any(1)
    if not rest.any():
        return axes, places[:, 0] if dim else np.zeros(k)
    low, high, spots = lower[rest], upper[rest], places[rest]
    vague, width = _measured(problem, criterion, low, high, spots, np.isinf(bounds[rest]))
    candidates = can[rest]
    for cost in (vague, width, -_relative_sides(problem, low, high)):
        least = np.where(candidates, cost, np.inf).min(1, keepdims=True)
        # Equal up to rounding counts as equal, so that ties go on to the next rule.
        candidates &= cost <= least + 1e-12 * np.abs(least)
    axes[rest] = candidates.argmax(1)
    return axes, places[np.arange(k), np.maximum(axes, 0)]


@lru_cache(maxsize=16)
def moving_axes(problem: Problem, criterion: Criterion) -> tuple[int, ...]:
    """The sides that the test depends on; cutting others changes nothing."""
    measures, conditions, _ = _plan(problem, criterion)
    return tuple(sorted({i for m in (*measures, *conditions) for i in m.axes}))


@lru_cache(maxsize=16)
def _plan(
    problem: Problem, criterion: Criterion
) -> tuple[tuple[_Measure, ...], tuple[_Measure, ...], Array]:
    """The atoms, the domain conditions, and how far each product of atoms can move b."""
    place: dict[Any, int] = {s: i for i, s in enumerate(problem.symbols)}
    place_of = {s.name: s for s in problem.symbols}

    def measure(e: sp.Expr) -> _Measure:
        return _Measure(e, tuple(sorted(place[s] for s in e.free_symbols if s in place)))

    form = criterion.form
    weights = np.ones(len(form.products))
    for t, entries in enumerate(form.coefficients):
        matrix = np.zeros(form.shape)
        for spot, value in entries.items():
            matrix[spot] = nearest_float(value)
        with np.errstate(all="ignore"):
            size = np.maximum(criterion.estimate(matrix[None]), criterion.estimate(-matrix[None]))
        weights[t] = size[0] if np.isfinite(size[0]) else 1.0
    limits: list[Any] = [d.term for d in problem.derived]
    limits += [
        sp.Add(*(place_of[name] ** 2 for name in ball.names)) for ball in problem.constraints.balls
    ]
    conditions = tuple(dict.fromkeys([*(e for _, e in problem.conditions), *limits]))
    spelled: dict[Any, Any] = {d.symbol: d.term for d in form.derived}
    atoms: list[Any] = [a.xreplace(spelled) for a in form.atoms]
    return tuple(map(measure, atoms)), tuple(map(measure, conditions)), weights


def _measured(
    problem: Problem, criterion: Criterion, lower: Array, upper: Array, places: Array,
    undecided: NDArray[np.bool_],
) -> tuple[Array, Array]:  # fmt: skip
    """For each box and side (k, dim): ends that are not finite after a cut, and weighted widths."""
    atoms, conditions, sizes = _plan(problem, criterion)
    vague, width = np.zeros(lower.shape), np.zeros(lower.shape)
    ends = natural_ranges(tuple(m.expression for m in atoms), problem.symbols, lower, upper)
    weights = _weights(criterion, sizes, ends) if atoms else np.zeros((len(lower), 0))
    _add(problem, atoms, (lower, upper, places), ends, weights, (vague, width))
    some = np.flatnonzero(undecided)
    if some.size:
        sides = lower[some], upper[some], places[some]
        extra = np.zeros((2, *sides[0].shape))
        base = natural_ranges(tuple(m.expression for m in conditions), problem.symbols, *sides[:2])
        size = np.nan_to_num(base[1] - base[0], nan=0.0, posinf=0.0)
        weight = 1.0 / np.where(size > 0, size, 1.0)
        _add(problem, conditions, sides, base, weight, (extra[0], extra[1]))
        vague[some] += extra[0]
        # What stops a proof here is that the map may be undefined, not how wide the atoms are.
        stopped = extra.any((0, 2))
        width[some[stopped]] = extra[1][stopped]
    return vague, np.nan_to_num(width, nan=0.0)


def _add(
    problem: Problem, measures: tuple[_Measure, ...], sides: tuple[Array, Array, Array],
    base: tuple[Array, Array], weight: Array, totals: tuple[Array, Array],
) -> None:  # fmt: skip
    """Add to the totals what terms' ranges are after each cut: twice the whole where unmoved."""
    lower, upper, places = sides
    k = len(lower)
    vague, width = _size(*base)
    totals[0][:] += 2.0 * vague.sum(1, keepdims=True)
    totals[1][:] += 2.0 * (weight * width).sum(1, keepdims=True)
    alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for j, m in enumerate(measures):
        if m.axes:
            alike[m.axes].append(j)
    for axes, members in alike.items():
        lows = np.broadcast_to(lower, (2, len(axes), *lower.shape)).copy()  # half, axis, box, dim
        highs = np.broadcast_to(upper, lows.shape).copy()
        for i, axis in enumerate(axes):
            highs[0, i, :, axis] = lows[1, i, :, axis] = places[:, axis]
        flat = -1, lower.shape[1]
        own = tuple(measures[j].expression for j in members)
        ends = natural_ranges(own, problem.symbols, lows.reshape(flat), highs.reshape(flat))
        halves = [size.reshape(2, len(axes), k, len(own)).sum(0) for size in _size(*ends)]
        for i, axis in enumerate(axes):
            totals[0][:, axis] += (halves[0][i] - 2.0 * vague[:, members]).sum(1)
            change = halves[1][i] - 2.0 * width[:, members]
            totals[1][:, axis] += (weight[:, members] * change).sum(1)


def _size(low: Array, high: Array) -> tuple[Array, Array]:
    """Of ranges: how many ends are not finite (undefined: twice all), and finite widths."""
    vague = np.isinf(low) * 1.0 + np.isinf(high) + 4.0 * (np.isnan(low) | np.isnan(high))
    with np.errstate(invalid="ignore", over="ignore"):
        width = high - low
    # Of half-infinite ranges, the finite end may still come nearer.
    return vague, np.where(np.isfinite(width), width, 0.0)


def _weights(criterion: Criterion, sizes: Array, ends: tuple[Array, Array]) -> Array:
    """How far each atom moves b on each box (k, atoms): its coefficients times its co-factors."""
    form = criterion.form
    largest = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
    largest = np.where(np.isfinite(largest), largest, 1.0)
    if len(form.products) > MOST_PRODUCTS:
        largest = np.ones((1, largest.shape[1]))
    result = np.zeros(largest.shape)
    for members, size in zip(form.products, sizes.tolist(), strict=True):
        for j in members:
            others = [i for i in members if i != j]
            result[:, j] += size * largest[:, others].prod(1)
    return np.broadcast_to(result, ends[0].shape)


def _relative_sides(problem: Problem, lower: Array, upper: Array) -> Array:
    """How wide each side is beside the region's; for unbounded ones, by the angle."""
    whole = problem.upper - problem.lower
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        part = (upper - lower) / np.where(whole > 0, whole, 1.0)
        angle = (np.arctan(upper) - np.arctan(lower)) / np.pi
    return np.where(np.isfinite(whole), part, angle)
