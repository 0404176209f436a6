"""Which of what is nonnegative on a region is multiplied with squares: untrusted.

Source: Putinar (1993) and Schmuedgen (1991), *Positive polynomials on semialgebraic sets*; products
of pairs of linear terms as in Handelman (1988).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.bounded_terms import (
    Bounded,
    box_terms,
    constraint_terms,
    product_of,
)
from riemannian_modules.evidence.sums_of_squares import Side
from riemannian_modules.terms.polynomial_ring import Ring, ring_of

MOST_PAIRED = 16  # ends of which all pairs are multiplied
SPARE = 1e-9  # part of its range by which an end has to be implied to be left out


def box_sides(problem: Problem, ring: Ring) -> tuple[Side, ...]:
    """For each generator with a finite range, the product of its ends."""
    return tuple(b.product for b in box_terms(problem, ring))


def region_sides(problem: Problem, entries: Iterable[Any]) -> tuple[Ring, tuple[Side, ...]]:
    """The ring of some terms and of all that bounds them, and what is nonnegative on the region.

    With constraints, these are the ends themselves and the products of any two of them.
    """
    ring = ring_of(entries)
    if not problem.constraints:
        return ring, box_sides(problem, ring)
    linked = _linked(ring, constraint_terms(problem))
    ring = ring_of((*ring.generators, *(b.term for b in linked)))
    ends = [e for b in (*_beside_balls(problem, ring), *linked) for e in b.ends]
    ends = _irredundant(ends, ring)
    is_small = len(ends) <= MOST_PAIRED
    pairs = [
        product_of(a, b)
        for a, b in combinations(ends, 2)
        for total in [a.meaning + b.meaning]  # a number for two ends of one term, 0 of an equation
        if total != 0 and (is_small or total.is_Rational)
    ]
    return ring, (*ends, *pairs)


def _linked(ring: Ring, terms: Sequence[Bounded]) -> list[Bounded]:
    """The constraints that bound the ring's generators, and those that share symbols with them."""
    symbols = set[Any]().union(*(g.free_symbols for g in ring.generators))
    found: list[Bounded] = []
    while new := [b for b in terms if b not in found and symbols & b.term.free_symbols]:
        found += new
        symbols = symbols.union(*(b.term.free_symbols for b in new))
    return found


def _beside_balls(problem: Problem, ring: Ring) -> list[Bounded]:
    """The generators' ranges, without the sides that a ball has of itself."""
    place = {s: i for i, s in enumerate(problem.symbols)}
    implied = set[Any]()
    for ball in problem.constraints.balls:
        M = np.eye(len(ball.names)) if ball.metric is None else ball.metric
        reach = ball.radius * np.sqrt(np.diagonal(np.linalg.inv(M)))
        for s, c, r in zip(ball.names, ball.center.tolist(), reach.tolist(), strict=True):
            symbol = next(v for v in problem.symbols if v.name == s)
            low, high = problem.lower[place[symbol]], problem.upper[place[symbol]]
            if low <= c - r * (1 - SPARE) and c + r * (1 - SPARE) <= high:
                implied.add(symbol)
    return [b for b in box_terms(problem, ring) if b.term not in implied]


def _irredundant(ends: Sequence[Side], ring: Ring) -> list[Side]:
    """Without linear ends that the other linear ends imply, nearly: what is left out is untrusted.

    Fewer ends prove less, but never what is false.
    """
    from scipy.optimize import linprog

    rows = {e: row for e in ends if (row := _affine(e, ring)) is not None}
    kept = list(ends)
    for e, (constant, slope) in rows.items():
        others = [rows[o] for o in kept if o is not e and o in rows]
        if not others:
            continue
        A, b = -np.array([o[1] for o in others]), np.array([o[0] for o in others])
        found = linprog(slope, A_ub=A, b_ub=b, bounds=(None, None), method="highs")
        if found.success and found.fun + constant >= -SPARE * (1 + abs(constant)):
            kept.remove(e)
    return kept


def _affine(side: Side, ring: Ring) -> tuple[float, list[float]] | None:
    """The constant and the slopes of a term that is affine in the generators."""
    p = side.polynomial(ring)
    if any(sum(m) > 1 for m in p):
        return None
    unit = np.eye(len(ring.generators), dtype=int).tolist()
    return float(p.get(ring.one, 0)), [float(p.get(tuple(m), 0)) for m in unit]
