"""The smallest b that is found and proved for each box of a batch.

Every number is proved as it is found, by what `decide` proves them by; how it is found is another
matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.evidence.decide import CORNERS_AT_ONCE, holds_exactly, sizes_of
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import MOST_CORNERS

Places = NDArray[np.intp]

# A bound is raised by these parts of the matrices' size until it can be proved in floating point.
MARGINS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-7)
FEW = MARGINS[:4]  # rounding seldom asks for more; a corner that was missed may
WIDENINGS, HALVINGS = 8, 6


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

    sizes, start = sizes_of(criterion, low, high), criterion.corners_need(low, high)
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
    return _raised(proves, least + spread, sizes_of(criterion, low, high), MARGINS)


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
        if np.isfinite(start) and holds_exactly(criterion.exact_test(Fraction(start)), low, high)
        else np.inf
    )
