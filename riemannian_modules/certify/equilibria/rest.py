"""Points at rest: one that a map moves little, and a proved bound of how far it moves a point.

The map is affine in each of its atoms (see `atoms`), so that the norm of its value is convex in
each of them, and largest at the corners of their ranges.

Source: Deuflhard (2011), *Newton Methods for Nonlinear Problems* (the search, which is untrusted).
"""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_floats, compile_intervals
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import quiet
from riemannian_modules.certify.atoms import atom_form
from riemannian_modules.certify.equilibria.part_norm import PartNorm
from riemannian_modules.certify.networks.sparse_form import sparse_jacobian
from riemannian_modules.certify.problem import Problem
from riemannian_modules.space import Array

MOST_MOVING = 10  # atoms whose corners are all tried
MOST_VALUES = 200_000  # of the map at all corners together
MOST_STEPS, HALVINGS = 50, 30  # of Newton's method


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


def approximate_equilibrium(problem: Problem) -> Array:
    """A state (n,) that moves little at the middle of inputs and parameters; untrusted.

    Newton's method, its steps halved until the map moves the state less. Cost: a sparse solve each.
    """
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    n = len(problem.variables)
    lower, upper = problem.lower, problem.upper
    with np.errstate(invalid="ignore"):
        middle = np.clip(np.nan_to_num(0.5 * lower + 0.5 * upper, posinf=0, neginf=0), lower, upper)
    own = 0.0 if problem.is_flow else 1.0
    f = compile_floats(tuple(problem.map), (problem.symbols,))
    slopes = sparse_jacobian(problem.map, problem.variables)
    slope = compile_floats(tuple(slopes.values()), (problem.symbols,))
    places = tuple(np.array(list(slopes), dtype=np.intp).reshape(-1, 2).T)

    def at(x: Array) -> list[float]:
        return [*x.tolist(), *middle[n:].tolist()]

    def moved(x: Array) -> Array:
        return np.array([float(v) for v in f(at(x))]) - own * x

    def newton_step(x: Array, v: Array) -> Array:
        entries = np.array([float(e) for e in slope(at(x))])
        sparse: Any = csc_array
        J = sparse((entries, places), shape=(n, n)) - own * eye_array(n, format="csc")
        solved: Any = spsolve(J, v)
        return np.clip(x - np.reshape(solved, n), lower[:n], upper[:n]) - x

    x = middle[:n]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a singular Jacobian ends the search
        v = moved(x)
        for _ in range(MOST_STEPS):
            step = newton_step(x, v)
            trials = (x + step * 0.5**k for k in range(HALVINGS))
            better = ((y, w) for y in trials if np.abs(w := moved(y)).max() < np.abs(v).max())
            found = next(better, None)
            if found is None:
                break
            x, v = found
    return x
