"""Positive definiteness of many small interval matrices at once: one loop over entries, batch last.

A batch of symmetric interval matrices is held as a `Triangle`: lower bounds of the diagonal, and
below it centres and radii, row by row, each entry an array over the batch. Every operation is then
one pass over contiguous numbers. All passes are IEEE additions, products, quotients and square
roots in a fixed order, so that the same matrices give the same bits however the batch is cut.

*Diagonal.* A larger diagonal only raises ``x^T A x``, so that its lower bounds alone matter.

*Radius.* For ``|D| <= R``, R symmetric with a zero diagonal, and any ``v > 0``: ``|x^T D x| <=
|x|^T R |x| <= sum_i x_i^2 (R v)_i / v_i``, as the matrix ``diag((R v)_i / v_i) - R`` has
nonpositive off-diagonal entries and maps ``v > 0`` to 0, so is positive semidefinite (Perron).

*Cholesky* (Demmel 1989; Rump 2006). If the floating-point Cholesky factorisation of ``B`` (order n,
in any order of summation) runs to its end, then ``L L^T = B + E`` with ``|E_ij| <= g sqrt(B_ii
B_jj)``, ``g = gamma_{n+1} / (1 - gamma_{n+1})``, so ``x^T B x >= -n g sum_i B_ii x_i^2``. If the
diagonal of ``B`` lies below that of ``A`` by more than ``n g A_ii`` plus a radius' share, all ``A +
D`` are positive definite. ``n g <= n (n + 1) u (1 + 4 n u) < n (n + 3) u`` with ``u = 2^-53``;
twice that is subtracted, and the rest, at least ``4 u A_ii``, covers the two subtractions that
lower the diagonal, each off by at most ``u A_ii`` (where a share is larger than ``A_ii`` the pivot
is negative, rounded or not). Diagonals within ``2^-500 .. 2^500`` keep underflow, at most ``(n +
max sqrt(B_ii)) 2^-1074`` an entry, a factor ``2^200`` below that margin; others are refused.

*Sign corners* (Hertz 1992; Rohn 1994). ``x^T A x`` over ``|A - C| <= R`` is smallest at ``C - R o s
s^T``, ``s = sign(x)``: a finite, exact test. A float corner is off by at most ``u (|C| + R)`` an
entry, which is a radius again, with one share for all corners.

Source: Rump (2006), Verification of positive definiteness, BIT 46, 433-452.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.rounding import (
    NORMAL,
    ULP,
    Array,
    Mask,
    quiet,
    sum_down,
    sum_up,
)

CORNER_ORDER = 10  # 2^9 Cholesky factorisations at most
COMPILED_BATCH, COMPILED_ORDER = 4096, 32  # from how many matrices, and up to which order
_SMALLEST, _LARGEST = 2.0**-500, 2.0**500
_BLOCKED = 16  # order up to which rows are eliminated one by one, without the upper triangle
_CACHE = 147_456  # numbers of a factorisation that stay in the cache


@final
@dataclass(frozen=True, slots=True, eq=False)
class Triangle:
    """Symmetric interval matrices of order n over a batch.

    Attributes:
        diagonal: Lower bounds of the diagonal, (n, batch).
        centres: For each row i, the entries left of the diagonal, (i, batch).
        radii: Their radii in the same form, not negative; None where all are zero.
    """

    diagonal: Array
    centres: Sequence[Array]
    radii: Sequence[Array] | None

    def taken(self, places: NDArray[np.intp]) -> Triangle:
        """Some of the batch."""
        radii = None if self.radii is None else [row[:, places] for row in self.radii]
        return Triangle(self.diagonal[:, places], [row[:, places] for row in self.centres], radii)


@quiet
def lower_triangle(lower: Array, upper: Array) -> Triangle:
    """The symmetric part of matrices with bounds (n, n, batch); one array twice is thin."""
    n = len(lower)
    diagonal = lower[np.arange(n), np.arange(n)]
    rows = [_row_bounds(lower, upper, i) for i in range(n)]
    if lower is upper and all(low is high for low, high in rows):
        return Triangle(diagonal, [low for low, _ in rows], None)
    balls = [enclosing_balls(low, high) for low, high in rows]
    return Triangle(diagonal, [c for c, _ in balls], [r for _, r in balls])


def _row_bounds(lower: Array, upper: Array, i: int) -> tuple[Array, Array]:
    # Left of the diagonal; the mean with the mirrored entries where these differ.
    low, high, low_above, high_above = lower[i, :i], upper[i, :i], lower[:i, i], upper[:i, i]
    if lower is upper:
        high, high_above = low, low_above
    differ = low != low_above if high is low else (low != low_above) | (high != high_above)
    if not differ.any():
        return low, high
    # Halving is exact but for underflow, below 2^-1022.
    mean_low = sum_down(0.5 * sum_down(low + low_above) - NORMAL)
    mean_high = sum_up(0.5 * sum_up(high + high_above) + NORMAL)
    return np.where(differ, mean_low, low), np.where(differ, mean_high, high)


def enclosing_balls(lower: Array, upper: Array) -> tuple[Array, Array]:
    """Centres and radii that contain intervals; not finite where these are not."""
    # Any centre would do: the radius is measured from the number that comes out. A difference of
    # doubles is off by at most u of it, and exact where it is subnormal.
    centre = lower + upper
    centre *= 0.5
    radius = upper - centre
    np.maximum(radius, centre - lower, out=radius)
    radius *= 1.0 + 2.0 * ULP
    return centre, radius


def compiled_loops(batch: int, order: int) -> Any:
    """The same decisions as compiled loops where these pay and Numba is installed, else None."""
    if batch < COMPILED_BATCH or not 0 < order <= COMPILED_ORDER:
        return None
    try:
        from riemannian_modules.arithmetic import compiled
    except ImportError:
        return None
    return compiled


def chunk_length(order: int) -> int:
    """How many matrices of an order to decide at once, so that they stay in the cache."""
    return max(16, _CACHE // max(order, 1) ** 2)


@quiet
def centres_factorise(A: Triangle) -> Mask:
    """Whether the centres alone seem definite, without margin: where not, nothing is proved."""
    return _factorises(A.diagonal, A.centres)


@quiet
def are_positive_definite(A: Triangle) -> Mask:
    """Whether all members of each interval matrix are proved positive definite, (batch,).

    Cholesky with the radius' share; where the centre alone passes, n <= 10, sign corners.
    Cost: about n^3 / 3 passes over the batch, ``2^(n-1)`` times that where corners are needed.
    """
    inside = np.asarray(((A.diagonal >= _SMALLEST) & (A.diagonal <= _LARGEST)).all(axis=0))
    proved = _factorises(_lowered(A), A.centres) & inside
    if A.radii is None or len(A.diagonal) > CORNER_ORDER or proved.all():
        return proved
    left = np.flatnonzero(~proved & inside)
    # Where the centre itself fails, every sound test must fail.
    rest = A.taken(left)
    left = left[centres_factorise(rest)]
    if left.size:
        proved[left] = _corners_prove(A.taken(left))
    return proved


def _lowered(A: Triangle) -> Array:
    """The diagonal less the radius' share and the margin of the factorisation."""
    n = len(A.diagonal)
    lowered = A.diagonal - n * (n + 3) * ULP * A.diagonal
    if A.radii is not None:
        lowered -= _shares(A.radii, _perron_vector(A))
    return lowered


def _perron_vector(A: Triangle) -> Array:
    # One step of the power method on the radius scaled by the diagonal, so that it is measured
    # against the margin that it eats. Any positive vector gives a valid bound; the floor keeps rows
    # of zeros positive.
    scale = 1.0 / np.sqrt(np.maximum(A.diagonal, _SMALLEST))
    image = scale * _times(A.radii or (), scale)
    image += 0.05 * image.max(axis=0) + _SMALLEST
    image *= scale
    return image


def _shares(R: Sequence[Array], v: Array) -> Array:
    # (R v)_i / v_i, rounded up: n products and sums of nonnegative numbers and a quotient lose less
    # than (n + 2) u of it, and n times the smallest number by underflow, for which 2^-1022 stands.
    n = len(v)
    product = _times(R, v)
    product += n * NORMAL
    product /= v
    product *= 1.0 + (n + 4) * ULP
    product += NORMAL
    return product


def _times(R: Sequence[Array], v: Array) -> Array:
    # The product of the symmetric matrix with rows R below a zero diagonal, and v.
    result = np.zeros_like(v)
    for i in range(1, len(v)):
        result[i] += (R[i] * v[:i]).sum(axis=0)
        result[:i] += R[i] * v[i]
    return result


def _factorises(diagonal: Array, centres: Sequence[Array]) -> Mask:
    # Outer-product Cholesky on the lower triangle of (n, n, batch). An entry that is NaN or
    # infinite leaves NaN or -inf on the pivot of its row, which fails.
    n = len(diagonal)
    A = np.zeros((n, n, diagonal.shape[1]))
    for i in range(n):
        A[i, :i] = centres[i]
        A[i, i] = diagonal[i]
    proved = np.ones(diagonal.shape[1], dtype=bool)
    for j in range(n):
        proved &= A[j, j] > 0
        column = A[j + 1 :, j]
        column /= np.sqrt(A[j, j])
        if n > _BLOCKED:
            A[j + 1 :, j + 1 :] -= column[:, None] * column[None, :]
            continue
        for i in range(n - j - 1):
            A[j + 1 + i, j + 1 : j + 2 + i] -= column[i] * column[: i + 1]
    return proved


def _corners_prove(A: Triangle) -> Mask:
    # Signs of x and -x give the same corner.
    n, radii = len(A.diagonal), A.radii or ()
    scale = 1.0 / np.sqrt(A.diagonal)
    rounding = [ULP * (np.abs(c) + r) for c, r in zip(A.centres, radii, strict=True)]
    lowered = A.diagonal - n * (n + 3) * ULP * A.diagonal - _shares(rounding, scale)
    proved = np.ones(A.diagonal.shape[1], dtype=bool)
    for code in range(2 ** (n - 1)):
        signs = np.where((code >> np.arange(n)) & 1, -1.0, 1.0)
        left = np.flatnonzero(proved)
        if not left.size:
            break
        corner = [
            c[:, left] - (signs[i] * signs[:i, None]) * r[:, left]
            for i, (c, r) in enumerate(zip(A.centres, radii, strict=True))
        ]
        proved[left] = _factorises(lowered[:, left], corner)
    return proved
