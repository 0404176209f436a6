"""The last digits of a bound, by bisection with an exact test.

In floating point a bound is proved up to some 1e-15 of the matrix's size only. Where the true one
is far smaller than the matrix (a rate of 2^-40 beside entries of 1), the difference shows.
"""

from __future__ import annotations

import time
from fractions import Fraction
from math import floor, frexp

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.spaces import Array

MOST_BOXES, MOST_MOVING, LARGEST_SIZE = 16, 6, 12
ACCURACY = 1e-10  # of the bound
MOST_STEPS = 120


def tighten_exactly(
    problem: Problem,
    criterion: Criterion,
    bound: float,
    lower: Array | None = None,
    upper: Array | None = None,
    deadline: float = np.inf,
) -> float:
    """The smallest b, up to 1e-10 of it, that is proved on boxes; at most ``bound``.

    Ties count as proved, and of the numbers that are as good the one with the fewest bits is tried:
    a rate that is exactly 2^-40 is found so. Large matrices, many boxes and boxes where many atoms
    move keep the bound that they have.

    Args:
        problem: The problem.
        criterion: The test.
        bound: A b that is proved on the boxes.
        lower: Lower sides (boxes, dim); the region itself when None.
        upper: Upper sides, likewise.
        deadline: By `time.monotonic`, when to keep the best b so far.

    Cost: one exact test a box for a bound that is tight already; up to some 80 for others.
    """
    low = problem.lower[None] if lower is None else lower
    high = problem.upper[None] if upper is None else upper
    if not np.isfinite(bound) or not _is_small(problem, criterion, low, high):
        return bound

    def holds(b: float) -> bool:
        return bool(boxes_prove(problem, criterion, low, high, b).all())

    # Steps down from the bound, ever longer, until one fails; then between it and the last.
    step = max(ACCURACY * abs(bound), 1e-300)
    best, failed = bound, bound - step
    for _ in range(MOST_STEPS):
        if time.monotonic() > deadline or not holds(failed):
            break
        best, step = failed, 4.0 * step
        failed = best - step
    else:
        return best
    for _ in range(MOST_STEPS):
        middle = 0.5 * best + 0.5 * failed
        if (
            best - failed <= ACCURACY * abs(best)
            or not failed < middle < best
            or time.monotonic() > deadline
        ):
            break
        best, failed = (middle, failed) if holds(middle) else (best, middle)
    plain = fewest_bits(failed, best)
    return plain if plain < best and holds(plain) else best


def fewest_bits(low: float, high: float) -> float:
    """The number with the fewest binary digits in ``low < x <= high``."""
    bottom, top = Fraction(low), Fraction(high)
    step = Fraction(2) ** (max(frexp(low)[1], frexp(high)[1]) + 1)
    while True:
        candidate = floor(top / step) * step
        if candidate > bottom:
            return float(candidate)
        step /= 2


def _is_small(problem: Problem, criterion: Criterion, lower: Array, upper: Array) -> bool:
    if len(lower) > MOST_BOXES or max(criterion.form.shape, default=0) > LARGEST_SIZE:
        return False
    low, high = criterion.form.ranges(problem.symbols, lower, upper)
    return bool(((low != high).sum(1) <= MOST_MOVING).all())
