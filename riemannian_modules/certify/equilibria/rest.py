"""Points at rest: one that a map moves little, and a proved bound of how far it moves a point.

The map is affine in each of its atoms (see `atoms`), so that the norm of its value is convex in
each of them, and largest at the corners of their ranges.

Source: Powell (1970), A hybrid method for nonlinear equations (the search, which is untrusted).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_floats, compile_intervals
from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import quiet
from riemannian_modules.certify.atoms import atom_form
from riemannian_modules.certify.norms import L1, L2, LInf
from riemannian_modules.certify.problem import Problem
from riemannian_modules.space import Array

MOST_MOVING = 10  # atoms whose corners are all tried


@quiet
def drift_squared(norm: L2 | L1 | LInf, problem: Problem, center: Array) -> Fraction | None:
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
    corners = np.array(list(product((False, True), repeat=len(moving[:MOST_MOVING]))), dtype=bool)
    lows, highs = np.tile(low, (len(corners), 1)), np.tile(high, (len(corners), 1))
    for k, j in enumerate(moving[:MOST_MOVING]):
        lows[:, j] = highs[:, j] = np.where(corners[:, k], high[j], low[j])
    T = form.over(lows, highs)
    bounds = [
        _squared_bound(norm, [T[:, i, 0] for i in range(n)]),
        _squared_bound(norm, whole),
    ]
    finite = [Fraction(b) for b in bounds if math.isfinite(b)]
    return min(finite) if finite else None


def _squared_bound(norm: L2 | L1 | LInf, v: Sequence[Interval]) -> float:
    """An upper bound of the largest ``|v|^2`` in a batch of interval vectors; NaN if undecided."""
    zero = Interval.point(np.zeros(v[0].shape))
    if isinstance(norm, L2):
        total = zero
        for row, a in zip(norm.metric.tolist(), v, strict=True):
            part = zero
            for m, b in zip(row, v, strict=True):
                part = part + b * m if m else part
            total = total + a * part
        return float(total.upper.max())
    if isinstance(norm, L1):
        length = zero
        for w, a in zip(norm.weights.tolist(), v, strict=True):
            length = length + abs(a) * w
    else:
        length = zero
        for w, a in zip(norm.weights.tolist(), v, strict=True):
            length = iv.maximum(length, abs(a) / w)
    return float((length**2).upper.max())


def approximate_equilibrium(problem: Problem) -> Array:
    """A state (n,) that moves little at the middle of inputs and parameters; untrusted."""
    from scipy.optimize import root

    n = len(problem.variables)
    lower, upper = problem.lower, problem.upper
    with np.errstate(invalid="ignore"):
        middle = np.clip(np.nan_to_num(0.5 * lower + 0.5 * upper, posinf=0, neginf=0), lower, upper)
    own = 0.0 if problem.is_flow else 1.0
    f = compile_floats(tuple(problem.map), (problem.symbols,))
    J = derivatives(tuple(problem.map), problem.variables)
    slope = compile_floats(tuple(e for row in J for e in row), (problem.symbols,))

    def at(x: Array) -> list[float]:
        return [*x.tolist(), *middle[n:].tolist()]

    def residual(x: Array) -> Array:
        return np.array([float(v) for v in f(at(x))]) - own * x

    def jacobian(x: Array) -> Array:
        return np.array([float(v) for v in slope(at(x))]).reshape(n, n) - own * np.eye(n)

    with np.errstate(all="ignore"):
        found = np.asarray(root(residual, middle[:n], jac=jacobian, tol=1e-15).x, dtype=np.float64)
    return found if np.isfinite(found).all() else middle[:n]
