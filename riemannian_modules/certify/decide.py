"""Verified decisions on boxes: the smallest b that is proved for each box of a batch.

Nothing here searches: given boxes and numbers b it says which are proved. Soundness rests on
interval enclosures of the atoms, convexity of the test (`criterion`), and verified definiteness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.arithmetic.threads import each_chunk
from riemannian_modules.certify.atoms import MOST_CORNERS
from riemannian_modules.certify.criterion import Criterion, ExactTest
from riemannian_modules.certify.problem import Problem
from riemannian_modules.space import Array

Places = NDArray[np.intp]

# A bound is raised by these parts of the matrices' size until it can be proved in floating point.
MARGINS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-7)
FEW = MARGINS[:4]  # rounding seldom asks for more; a corner that was missed may
EXACT_CORNERS = 512
CLOSE = 1e-6  # only what a bound raised by this part proves is worth exact rationals
CORNERS_AT_ONCE = 200_000
WIDENINGS, HALVINGS = 8, 6
CHUNK = 16_384  # boxes decided at once: large enough for threads, small enough for the cache


def box_bounds(problem: Problem, criterion: Criterion, lower: Array, upper: Array) -> Array:
    """The smallest b found that is proved on each box (batch, dim); inf where none was.

    Boxes outside of the region's constraints need none: -inf.

    Cost: ``2^atoms`` small eigenvalue problems a box, vectorised, or one interval matrix where the
    atoms are too many for corners.
    """
    result = np.full(len(lower), np.inf)
    low, high = criterion.form.decisive(*criterion.form.ranges(problem.symbols, lower, upper))
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
            held[k] = _exactly(criterion.exact_test(Fraction(b)), low[where[k]], high[where[k]])
        proved[where] = held
    for i in np.flatnonzero(proved & ~finite):
        proved[i] = _exactly(criterion.exact_test(Fraction(b)), low[i], high[i])
    return proved


def _corners_prove(criterion: Criterion, low: Array, high: Array, b: float) -> tuple[Mask, Mask]:
    """Whether the test with b is proved at all corners, and where not, whether a tie may hold."""
    held, is_close = np.zeros((2, len(low)), dtype=bool)
    step = max(1, CORNERS_AT_ONCE // criterion.form.corner_count)
    for start in range(0, len(low), step):
        part = slice(start, start + step)
        raised = b + CLOSE * (abs(b) + _sizes(criterion, low[part], high[part]))
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


def _sizes(criterion: Criterion, low: Array, high: Array) -> Array:
    """By what a bound changes at most, about, when the matrices change by their own size."""
    # Of the terms, not of their sum: where they cancel, their roundings stay.
    largest = criterion.form.term_sizes(low, high)
    # Sizes that the proofs can tell from zero.
    return np.maximum(largest, 1e-100) / criterion.smallest_weight


def _finite_bounds(criterion: Criterion, low: Array, high: Array) -> Array:
    step = max(1, CORNERS_AT_ONCE // min(criterion.form.corner_count, MOST_CORNERS))
    bounds = _corner_bounds if criterion.form.corner_count <= MOST_CORNERS else _whole_bounds
    return np.concatenate(
        [bounds(criterion, low[i : i + step], high[i : i + step]) for i in range(0, len(low), step)]
    )


def _corner_bounds(criterion: Criterion, low: Array, high: Array) -> Array:
    def proves(places: Places, b: Array) -> Mask:
        return np.asarray(
            criterion.proves_at(criterion.form.corners(low[places], high[places]), b[:, None]).all(
                1
            )
        )

    sizes, start = _sizes(criterion, low, high), criterion.corners_need(low, high)
    result = _raised(proves, start, sizes, FEW)
    most = start + FEW[-1] * (sizes + np.abs(start))
    left = np.flatnonzero(np.isinf(result) & np.isfinite(most))
    if left.size:
        # Larger margins would hide a corner that was missed: those that stand out are measured.
        b = most[left]
        places = criterion.form.corners(low[left], high[left])
        boxes, which = np.nonzero(~criterion.proves_at(places, b[:, None]))
        T = criterion.form.at(places[boxes, which])
        full = np.full(len(low), -np.inf)
        np.maximum.at(full, left[boxes], criterion.estimate(T.midpoint))
        result[left] = _raised(proves, full, sizes, MARGINS)[left]
    return result


def _whole_bounds(criterion: Criterion, low: Array, high: Array) -> Array:
    T = criterion.form.over(low, high)

    def proves(places: Places, b: Array) -> Mask:
        held = np.isfinite(b)  # what overflows is not proved
        held[held] = criterion.proves(T[places[held]], b[held])
        return held

    # The radius costs nothing to some multiple of its norm, the more of it is the weight's; where
    # in between is found by halving.
    least = criterion.estimate(T.midpoint)
    spread = np.linalg.norm(T.radius, axis=(-1, -2)) / criterion.smallest_weight
    left = np.flatnonzero(np.isfinite(least))
    for _ in range(WIDENINGS):
        left = left[~proves(left, (least + spread)[left])]
        spread[left] *= 4.0
    for _ in range(HALVINGS):
        spread *= 0.5
        left = np.flatnonzero(np.isfinite(least))
        held = proves(left, (least + spread)[left])
        least[left[~held]] += spread[left[~held]]
    return _raised(proves, least + spread, _sizes(criterion, low, high), MARGINS)


def _raised(
    proves: Callable[[Places, Array], Mask], start: Array, sizes: Array, margins: Sequence[float]
) -> Array:
    """Bounds from ``start`` upwards until they are proved; inf where none was."""
    result = np.full(len(start), np.inf)
    for margin in margins:
        left = np.flatnonzero(np.isinf(result) & np.isfinite(start))
        if not left.size:
            break
        b = start[left] + margin * (sizes[left] + np.abs(start[left]))
        left, b = left[np.isfinite(b)], b[np.isfinite(b)]
        proved = proves(left, b)
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
