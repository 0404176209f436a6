"""Verified decisions on boxes: on which of a batch the test with a given b is proved.

Soundness rests on interval enclosures of the atoms, convexity of the test (`criterion`), and
verified definiteness.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.arithmetic.threads import each_chunk
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion, ExactTest
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import MOST_CORNERS

EXACT_CORNERS = 512
CLOSE = 1e-6  # only what a bound raised by this part proves is worth exact rationals
CORNERS_AT_ONCE = 200_000
CHUNK = 16_384  # boxes decided at once: large enough for threads, small enough for the cache


def boxes_prove(
    problem: Problem, criterion: Criterion, lower: Array, upper: Array, b: float
) -> Mask:
    """Whether the test with b is proved on each box, exact ties included where corners are few."""
    proved = np.zeros(len(lower), dtype=bool)

    def decide(part: slice) -> None:
        defined = problem.defined_boxes(lower[part], upper[part])
        ends = criterion.form.ranges(problem.symbols, lower[part], upper[part])
        low, high = criterion.form.decisive(*ends)
        proved[part] = _ranges_prove(criterion, defined, low, high, b)

    each_chunk(decide, len(lower), CHUNK)
    return np.asarray(proved | problem.constraints.outside(lower, upper))


def _ranges_prove(criterion: Criterion, defined: Mask, low: Array, high: Array, b: float) -> Mask:
    """Whether the test with b is proved over each box of atoms (batch, atoms)."""
    proved: Mask = np.asarray(defined & ~np.isnan(low).any(1))
    finite = proved & np.isfinite(low).all(1) & np.isfinite(high).all(1)
    if finite.any():
        where = np.flatnonzero(finite)
        held = criterion.proves_over(low[finite], high[finite], b)
        left = np.flatnonzero(~held)
        if criterion.form.corner_count <= MOST_CORNERS:
            ends = low[where[left]], high[where[left]]
            held[left], is_close = _corners_prove(criterion, *ends, b)
            left = left[is_close]
        for k in left:
            held[k] = holds_exactly(
                criterion.exact_test(Fraction(b)), low[where[k]], high[where[k]]
            )
        proved[where] = held
    for i in np.flatnonzero(proved & ~finite):
        proved[i] = holds_exactly(criterion.exact_test(Fraction(b)), low[i], high[i])
    return proved


def _corners_prove(criterion: Criterion, low: Array, high: Array, b: float) -> tuple[Mask, Mask]:
    """Whether the test with b is proved at all corners, and where not, whether a tie may hold."""
    held, is_close = np.zeros((2, len(low)), dtype=bool)
    step = max(1, CORNERS_AT_ONCE // criterion.form.corner_count)
    for start in range(0, len(low), step):
        part = slice(start, start + step)
        raised = b + CLOSE * (abs(b) + sizes_of(criterion, low[part], high[part]))
        # A place that fails by more than rounding settles it.
        near = criterion.proves_at(criterion.worst_places(low[part], high[part]), raised)
        left = start + np.flatnonzero(near)
        held[left] = criterion.proves_at(
            criterion.form.corners(low[left], high[left]), np.array(b)
        ).all(1)
        left = left[~held[left]]
        places = criterion.form.corners(low[left], high[left])
        is_close[left] = criterion.proves_at(places, raised[left - start, None]).all(1)
    return held, is_close


def sizes_of(criterion: Criterion, low: Array, high: Array) -> Array:
    """By what a bound changes at most, about, when the matrices change by their own size."""
    # Of the terms, not of their sum: where they cancel, their roundings stay.
    largest = criterion.form.term_sizes(low, high)
    # Sizes that the proofs can tell from zero.
    return np.maximum(largest, 1e-100) / criterion.smallest_weight


def holds_exactly(test: ExactTest, low: Array, high: Array) -> bool:
    """The test over a box of atoms in exact rationals; sides may be infinite.

    Along an unbounded atom, T(l + t) = T(l) + t T' with T' affine in the other atoms. The test is
    subadditive, so it holds for every t >= 0 when it holds at l and its slope form for T'.
    """
    form = test.form
    used = sorted({j for members in form.products for j in members})
    rays = [j for j in used if not (np.isfinite(low[j]) and np.isfinite(high[j]))]
    if rays:
        j = rays[0]
        anchor = low[j] if np.isfinite(low[j]) else high[j] if np.isfinite(high[j]) else 0.0
        fixed_low, fixed_high = low.copy(), high.copy()
        fixed_low[j] = fixed_high[j] = anchor
        slope = form.slope(j)
        directions = [+1] * (not np.isfinite(high[j])) + [-1] * (not np.isfinite(low[j]))
        return holds_exactly(test, fixed_low, fixed_high) and all(
            holds_exactly(
                ExactTest(slope.scaled(sign), test.at_slopes, test.at_slopes), fixed_low, fixed_high
            )
            for sign in directions
        )
    free = [j for j in used if low[j] != high[j]]
    if 2 ** len(free) > EXACT_CORNERS:
        return False
    corner = [Fraction(float(v)) if j in used else Fraction(0) for j, v in enumerate(low)]
    for choice in range(2 ** len(free)):
        for bit, j in enumerate(free):
            corner[j] = Fraction(float(high[j] if choice >> bit & 1 else low[j]))
        if not test.at_values(form.at_exact(corner)):
            return False
    return True
