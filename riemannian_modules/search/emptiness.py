"""Whether linear constraints leave nothing of a box, decided in rationals.

Source: Farkas (1902). No x has ``a_k^T x <= b_k`` for all k if weights ``y_k >= 0`` have ``sum y_k
a_k = 0`` and ``sum y_k b_k < 0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from riemannian_modules.claims.constraints import Constraints
from riemannian_modules.search.linear_forms import nullspace
from riemannian_modules.spaces import Array

USED = 1e-9  # weight above which a constraint takes part


def contradiction(constraints: Constraints, lower: Array, upper: Array) -> tuple[str, ...]:
    """Sides and linear constraints, in words, that no point fulfils together; () if none is proved.

    A linear program (untrusted) says which ones; a basic solution's weights are the only ones, up
    to a factor, with ``sum y_k a_k = 0``: they are found again and tested exactly.
    """
    from scipy.optimize import linprog

    names = constraints.coordinates
    ends = [({n: 1.0}, *side) for n, *side in zip(names, lower, upper, strict=True)]
    ends += [(c.coefficients, c.lower, c.upper) for c in constraints.rows]
    faces = [
        (table, sign, float(end))
        for table, low, high in ends
        for sign, end in ((-1, low), (1, high))
        if np.isfinite(end)
    ]
    if not constraints.rows or not faces:
        return ()
    slopes = np.array([[sign * table.get(n, 0.0) for n in names] for table, sign, _ in faces])
    cost = np.array([sign * end for _, sign, end in faces])
    balance = np.vstack([slopes.T, np.ones(len(faces))])
    right = np.append(np.zeros(len(names)), 1.0)
    found = linprog(cost, A_eq=balance, b_eq=right, bounds=(0, None), method="highs")
    if not found.success or found.fun >= 0:
        return ()
    used = np.flatnonzero(found.x > USED)
    rows = [{k: Fraction(v) for k, v in enumerate(row) if v} for row in slopes[used].T.tolist()]
    weights = nullspace(rows, len(used))
    if len(weights) != 1 or min(weights[0]) < 0:  # the free weight of the basis is 1
        return ()
    if (
        sum((y * Fraction(cost[k]) for y, k in zip(weights[0], used, strict=True)), Fraction(0))
        >= 0
    ):
        return ()
    return tuple(_in_words(*faces[k]) for k in used)


def _in_words(table: Mapping[str, float], sign: int, end: float) -> str:
    total = " + ".join(n if a == 1 else f"{a:g} {n}" for n, a in table.items() if a)
    return f"{total} {'<=' if sign > 0 else '>='} {end:g}"
