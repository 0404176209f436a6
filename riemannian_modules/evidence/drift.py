"""A proved bound of how far a map moves a point.

The map is affine in each of its atoms (see `atoms`), so that the norm of its value is convex in
each of them, and largest at the corners of their ranges.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import quiet
from riemannian_modules.claims.part_norm import PartNorm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import atom_form

MOST_MOVING = 10  # atoms whose corners are all tried
MOST_VALUES = 200_000  # of the map at all corners together


@quiet
def drift_squared(norm: PartNorm, problem: Problem, center: Array) -> Fraction | None:
    """An upper bound of ``|f(c, u, p)|^2`` over the box of inputs and parameters; None if infinite.

    For step maps of ``|F(c, u, p) - c|^2``. The smaller of two bounds: at the corners of the atoms
    that range most, the others enclosed; and of the natural enclosure of the whole.
    """
    n = len(center)
    symbols = problem.symbols
    still = tuple(problem.map) if problem.is_flow else tuple(
        e - s for e, s in zip(problem.map, problem.variables, strict=True)
    )  # fmt: skip
    lower = np.concatenate([center, problem.lower[n:]])
    upper = np.concatenate([center, problem.upper[n:]])
    box = [Interval(lo[None], hi[None]) for lo, hi in zip(lower, upper, strict=True)]
    whole = [
        iv.as_interval(v).broadcast_to((1,)) for v in compile_intervals(still, (symbols,))(box)
    ]
    form = atom_form([[e] for e in still])
    low, high = (ends[0] for ends in form.ranges(symbols, lower[None], upper[None]))
    moving = [j for j in np.argsort(low - high) if high[j] - low[j] > 1e-9 * abs(low[j])]
    moving = moving[: min(MOST_MOVING, (MOST_VALUES // n).bit_length())]
    corners = np.array(list(product((False, True), repeat=len(moving))), dtype=bool)
    lows, highs = np.tile(low, (len(corners), 1)), np.tile(high, (len(corners), 1))
    for k, j in enumerate(moving):
        lows[:, j] = highs[:, j] = np.where(corners[:, k], high[j], low[j])
    T = form.over(lows, highs)
    bounds = [norm.square([T[:, i, 0] for i in range(n)]), norm.square(whole)]
    finite = [Fraction(b) for b in bounds if math.isfinite(b)]
    return min(finite) if finite else None
