"""Verified decisions on boxes: the smallest b that is proved for each box of a batch.

Nothing here searches: given boxes and numbers b it says which are proved. Soundness rests on
interval enclosures of the atoms, convexity of the test (`criterion`), and verified definiteness.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.certify.atoms import MOST_CORNERS, AtomForm, corners
from riemannian_modules.certify.criterion import Criterion, ExactTest
from riemannian_modules.certify.problem import Problem
from riemannian_modules.space import Array

# A bound is raised by these parts of the matrices' size until it can be proved in floating point.
MARGINS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-7)
EXACT_CORNERS = 512


def box_bounds(problem: Problem, criterion: Criterion, lower: Array, upper: Array) -> Array:
    """The smallest b found that is proved on each box (batch, dim); inf where none was.

    Boxes outside of the region's constraints need none: -inf.

    Cost: ``2^atoms`` small eigenvalue problems a box, vectorised, or one interval matrix where the
    atoms are too many for corners.
    """
    result = np.full(len(lower), np.inf)
    low, high = criterion.form.ranges(problem.symbols, lower, upper)
    defined = problem.defined_boxes(lower, upper) & ~np.isnan(low).any(1)
    outside = problem.constraints.outside(lower, upper)
    result[outside] = -np.inf
    defined &= ~outside
    finite = defined & np.isfinite(low).all(1) & np.isfinite(high).all(1)
    if finite.any():
        result[finite] = _finite_bounds(criterion, low[finite], high[finite])
    for i in np.flatnonzero(defined & ~finite):
        result[i] = _unbounded_bound(criterion, low[i], high[i])
    return result


def boxes_prove(
    problem: Problem, criterion: Criterion, lower: Array, upper: Array, b: float
) -> Mask:
    """Whether the test with b is proved on each box, exact ties included where corners are few."""
    defined = problem.defined_boxes(lower, upper)
    low, high = criterion.form.ranges(problem.symbols, lower, upper)
    proved = _ranges_prove(criterion, defined, low, high, b)
    return np.asarray(proved | problem.constraints.outside(lower, upper))


def _ranges_prove(criterion: Criterion, defined: Mask, low: Array, high: Array, b: float) -> Mask:
    """Whether the test with b is proved over each box of atoms (batch, atoms)."""
    proved: Mask = np.asarray(defined & ~np.isnan(low).any(1))
    finite = proved & np.isfinite(low).all(1) & np.isfinite(high).all(1)
    if finite.any():
        T = _matrices(criterion.form, low[finite], high[finite])
        held: Mask = np.asarray(criterion.proves(T, np.full(T.shape[:2], b)).all(1))
        where = np.flatnonzero(finite)
        for k in np.flatnonzero(~held):
            held[k] = _exactly(criterion.exact_test(Fraction(b)), low[where[k]], high[where[k]])
        proved[where] = held
    for i in np.flatnonzero(proved & ~finite):
        proved[i] = _exactly(criterion.exact_test(Fraction(b)), low[i], high[i])
    return proved


def _matrices(form: AtomForm, low: Array, high: Array) -> Interval:
    """T at the corners of the atoms' boxes, or over the whole boxes where corners are too many."""
    if form.corner_count <= MOST_CORNERS:
        return form.at(corners(low, high))
    return form.over(low, high)[:, None]


def _finite_bounds(criterion: Criterion, low: Array, high: Array) -> Array:
    step = max(1, 200_000 // min(criterion.form.corner_count, MOST_CORNERS))
    return np.concatenate(
        [
            _chunk_bounds(criterion, low[i : i + step], high[i : i + step])
            for i in range(0, len(low), step)
        ]
    )


def _chunk_bounds(criterion: Criterion, low: Array, high: Array) -> Array:
    T = _matrices(criterion.form, low, high)
    middle = T.midpoint
    size = np.maximum(np.abs(middle).max(axis=(1, 2, 3)), 1e-300)
    start = criterion.estimate(middle).max(1)
    if criterion.form.corner_count > MOST_CORNERS:
        start = start + np.linalg.norm(T.radius[:, 0], axis=(-1, -2)) / criterion.smallest_weight
    result = np.full(len(low), np.inf)
    for margin in MARGINS:
        left = np.flatnonzero(np.isinf(result) & np.isfinite(start))
        if not left.size:
            break
        b = start[left] + margin * (size[left] / criterion.smallest_weight + np.abs(start[left]))
        proved = criterion.proves(
            T[left], np.broadcast_to(b[:, None], (len(left), T.shape[1]))
        ).all(1)
        result[left[proved]] = b[proved]
    return result


def _unbounded_bound(criterion: Criterion, low: Array, high: Array) -> float:
    """The smallest b for a box with unbounded atoms: from their finite ends, then exactly."""
    ends = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    others = np.where(np.isfinite(high), high, ends)
    start = float(_finite_bounds(criterion, ends[None], others[None])[0])
    return (
        start
        if np.isfinite(start) and _exactly(criterion.exact_test(Fraction(start)), low, high)
        else np.inf
    )


def _exactly(test: ExactTest, low: Array, high: Array) -> bool:
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
        return _exactly(test, fixed_low, fixed_high) and all(
            _exactly(
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
