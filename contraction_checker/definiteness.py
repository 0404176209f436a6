"""Definiteness of symmetric interval matrices, by elimination in whole numbers.

A symmetric matrix is positive definite exactly if all pivots of Gaussian elimination are positive
(Golub and Van Loan, *Matrix Computations*, 4.2); it is positive semidefinite if each is positive,
or zero in a zero row.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import isqrt
from typing import TypeVar

from contraction_checker.matrices import Place

Bounds = tuple[int, int]  # the least and the greatest value of an entry, in some unit
Rows = dict[int, dict[int, int]]
STEPS_OF_POWER_ITERATION = 6
GUARD = 64  # bits below the unit of the entries, in which elimination rounds
HAIR = 1 << 34  # in the finer unit
N = TypeVar("N", int, Fraction)


def is_positive(entries: Mapping[Place, Bounds], *, strict: bool) -> bool:
    """Whether all symmetric matrices within the bounds are positive semidefinite (or definite).

    Args:
        entries: Bounds of the entries on and above the diagonal; all others are zero.
        strict: Whether they have to be definite. Whole multiples of a unit are positive from 1 on.

    The matrices are ``(C + D) / 2`` with a fixed C, here ``middle``, and any D with ``|D| <= R``,
    here ``radius``. For every v > 0

        |x^T D x| <= sum_ij R_ij |x_i| |x_j| <= sum_i x_i^2 (R v)_i / v_i,

    since ``2 |x_i| |x_j| <= x_i^2 v_j / v_i + x_j^2 v_i / v_j``. So it is enough that C is positive
    after its diagonal has paid ``(R v)_i / v_i``. The best v is the Perron vector of the radius
    beside the diagonal (Rump, BIT 46, 2006, for the way of proof; Berman and Plemmons 1994 for the
    vector).
    """
    middle: Rows = {}  # twice the middles and twice the radii, as symmetric rows without zeros
    radius: Rows = {}
    for (i, j), (lo, hi) in entries.items():
        if i == j and lo < strict:
            return False
        if lo + hi:
            middle.setdefault(i, {})[j] = middle.setdefault(j, {})[i] = lo + hi
        if hi != lo:
            radius.setdefault(i, {})[j] = radius.setdefault(j, {})[i] = hi - lo
    if any(row.get(i, 0) <= 0 for i, row in middle.items()) or radius.keys() - middle.keys():
        return False
    widest = max((row[i] for i, row in middle.items()), default=0)
    v = {i: isqrt((widest << 128) // middle[i][i]) for i in radius}
    paid = _after_radius(middle, radius, v)
    if _eliminates_rounded(paid, strict=strict):
        return True
    if radius:
        for _ in range(STEPS_OF_POWER_ITERATION):
            v = _nearer_perron(v, middle, radius)
        paid = _after_radius(middle, radius, v)
        if _eliminates_rounded(paid, strict=strict):
            return True
    return _eliminates_exactly(paid, strict=strict)


def _after_radius(middle: Rows, radius: Rows, v: dict[int, int]) -> Rows:
    """The middle, whose diagonal has paid ``(R v)_i / v_i``, rounded against it."""
    less = {i: dict(row) for i, row in middle.items()}
    for i, row in radius.items():
        less[i][i] += sum(r * v[j] for j, r in row.items()) // -v[i]
    return less


def _nearer_perron(v: dict[int, int], middle: Rows, radius: Rows) -> dict[int, int]:
    """One step of power iteration, ``v + diag(C)^-1 R v``; any positive v is right."""
    u = {
        i: (sum(r * v[j] for j, r in row.items()) << GUARD) // middle[i][i]
        for i, row in radius.items()
    }
    ratio = 1 + max(u[i] // v[i] for i in v)
    return {i: v[i] * ratio + u[i] for i in v}


def _eliminates_rounded(rows: Rows, *, strict: bool) -> bool:
    """Elimination in whole numbers, 64 bits finer, that pays for its rounding.

    A floor moves an entry by less than 1, and in a step with a row of n entries beside its pivot
    those of an n by n block. A matrix E with entries from 0 to 1 has ``x^T E x <= n |x|^2``, so
    that n off the diagonal pays for it.
    """
    finer = {i: {j: a << GUARD for j, a in row.items()} for i, row in rows.items()}
    return _eliminates(finer, loss=1, strict=strict)


def _eliminates_exactly(rows: Rows, *, strict: bool) -> bool:
    """Elimination in fractions, for what would pass if it were a little more positive."""
    more = {
        i: {j: (a << GUARD) + (HAIR if i == j else 0) for j, a in row.items()}
        for i, row in rows.items()
    }
    if not _eliminates(more, loss=0, strict=strict):  # a filter: no proof rests on it
        return False
    fractions = {i: {j: Fraction(a) for j, a in row.items()} for i, row in rows.items()}
    return _eliminates(fractions, loss=0, strict=strict)


def _eliminates(rows: dict[int, dict[int, N]], *, loss: int, strict: bool) -> bool:
    """Whether all pivots are positive, or zero in a zero row; the sparsest row first.

    Whole numbers are divided with a floor, fractions exactly.
    """
    while rows:
        i = min(rows, key=lambda k: len(rows[k]))
        row = rows.pop(i)
        pivot = row.pop(i, 0)
        if pivot < 0:
            return False
        if pivot == 0 and (strict or any(row.values())):
            return False
        for j, a in row.items():
            target = rows[j]
            del target[i]
            if pivot:
                for k, b in row.items():
                    product = a * b
                    less = product // pivot if isinstance(product, int) else product / pivot
                    target[k] = target.get(k, 0) - less
            target[j] -= loss * len(row)
    return True
