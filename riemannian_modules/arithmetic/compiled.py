"""The decisions of `triangles` compiled: one loop over boxes, free of temporaries and of the GIL.

Each function does the operations of its NumPy form in the same order, one IEEE operation each
(``fastmath`` off, so that nothing is reordered or contracted): the same proof, and the same bits.
Imported where it is used alone, for Numba takes half a second to import. What is compiled is kept
on disk beside this file or in the user's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np

from riemannian_modules.arithmetic.rounding import MAX, NORMAL, ULP, Array, Mask

F = TypeVar("F", bound=Callable[..., object])
_SMALLEST, _LARGEST = 2.0**-500, 2.0**500
LANES = 64  # boxes side by side: a few tens of kilobytes, and long enough for vector registers


def _compiled(function: F) -> F:
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]


@_compiled
def _factorises(A: Array, n: int) -> bool:
    # Outer-product Cholesky on the lower triangle, which is overwritten; NaN fails.
    for j in range(n):
        if not A[j, j] > 0.0:
            return False
        root = np.sqrt(A[j, j])
        for i in range(j + 1, n):
            A[i, j] /= root
        for i in range(j + 1, n):
            for k in range(j + 1, i + 1):
                A[i, k] -= A[i, j] * A[k, j]
    return True


@_compiled
def _times(R: Array, v: Array, result: Array, n: int) -> None:
    # R symmetric with zero diagonal, its lower triangle given.
    for i in range(n):
        result[i] = 0.0
    for i in range(1, n):
        total = R[i, 0] * v[0]
        for j in range(1, i):
            total += R[i, j] * v[j]
        result[i] += total
        for j in range(i):
            result[j] += R[i, j] * v[i]


@_compiled
def _subtract_shares(R: Array, v: Array, work: Array, lowered: Array, n: int) -> None:
    _times(R, v, work, n)
    for i in range(n):
        lowered[i] -= ((work[i] + n * NORMAL) / v[i]) * (1.0 + (n + 4) * ULP) + NORMAL


@_compiled
def _filled(A: Array, diagonal: Array, C: Array, n: int) -> None:
    for i in range(n):
        A[i, i] = diagonal[i]
        for j in range(i):
            A[i, j] = C[i, j]


@_compiled
def _lanes_factorise(A: Array, alive: Mask) -> None:
    # As `_factorises` for the matrices A (n, n, LANES) side by side; where one fails, so from then
    # on are its numbers.
    n = len(A)
    for j in range(n):
        for l in range(LANES):
            alive[l] &= A[j, j, l] > 0.0
            A[j, j, l] = np.sqrt(A[j, j, l])
        for i in range(j + 1, n):
            for l in range(LANES):
                A[i, j, l] /= A[j, j, l]
        for i in range(j + 1, n):
            for k in range(j + 1, i + 1):
                for l in range(LANES):
                    A[i, k, l] -= A[i, j, l] * A[k, j, l]


@_compiled
def _lanes_times(R: Array, v: Array, result: Array) -> None:
    # R (n, n, LANES) symmetric with zero diagonals, lower triangles given; v, result (n, LANES).
    n = len(v)
    for l in range(LANES):
        result[0, l] = 0.0
    for i in range(1, n):
        for l in range(LANES):
            result[i, l] = R[i, 0, l] * v[0, l]
        for j in range(1, i):
            for l in range(LANES):
                result[i, l] += R[i, j, l] * v[j, l]
    for i in range(1, n):
        for j in range(i):
            for l in range(LANES):
                result[j, l] += R[i, j, l] * v[i, l]


@_compiled
def _lanes_lowered(d: Array, R: Array, work: Array, A: Array) -> None:
    # The lowered diagonals, into those of A; work (3, n, LANES) ends with the scales in front.
    n = len(d)
    scale, vector, product = work[0], work[1], work[2]
    for i in range(n):
        for l in range(LANES):
            scale[i, l] = 1.0 / np.sqrt(max(d[i, l], _SMALLEST))
    _lanes_times(R, scale, vector)
    largest = product[0]
    for l in range(LANES):
        largest[l] = 0.0
    for i in range(n):
        for l in range(LANES):
            vector[i, l] *= scale[i, l]
            largest[l] = max(largest[l], vector[i, l])
    for i in range(n):
        for l in range(LANES):
            vector[i, l] = (vector[i, l] + (0.05 * largest[l] + _SMALLEST)) * scale[i, l]
    _lanes_times(R, vector, product)
    for i in range(n):
        for l in range(LANES):
            share = ((product[i, l] + n * NORMAL) / vector[i, l]) * (1.0 + (n + 4) * ULP) + NORMAL
            A[i, i, l] = (d[i, l] - n * (n + 3) * ULP * d[i, l]) - share


@_compiled
def _lanes_decide(
    d: Array, C: Array, R: Array, A: Array, work: Array, alive: Mask, corners: int
) -> None:
    # d (n, LANES), C, R, A (n, n, LANES), work (3, n, LANES).
    n = len(d)
    _lanes_lowered(d, R, work, A)
    for l in range(LANES):
        alive[l] = True
    for i in range(n):
        for l in range(LANES):
            alive[l] &= (d[i, l] >= _SMALLEST) & (d[i, l] <= _LARGEST)
        for j in range(i):
            for l in range(LANES):
                A[i, j, l] = C[i, j, l]
    _lanes_factorise(A, alive)
    if n > corners:
        return
    for l in range(LANES):
        if not alive[l] and _is_inside(d[:, l]):
            alive[l] = _corners_decide(d[:, l].copy(), C[:, :, l].copy(), R[:, :, l].copy())


@_compiled
def _is_inside(d: Array) -> bool:
    inside = True
    for i in range(len(d)):
        inside &= _SMALLEST <= d[i] <= _LARGEST
    return inside


@_compiled
def _corners_decide(d: Array, C: Array, R: Array) -> bool:
    # Where the centre itself fails, every sound test must fail.
    n = len(d)
    A, work = np.zeros((n, n)), np.empty((4, n))
    _filled(A, d, C, n)
    if not _factorises(A, n):
        return False
    for i in range(n):
        work[0, i] = 1.0 / np.sqrt(d[i])
    return _corners_prove(d, C, R, A, work)


@_compiled
def _corners_prove(d: Array, C: Array, R: Array, A: Array, work: Array) -> bool:
    n = len(d)
    scale, lowered = work[0], work[2]
    for i in range(n):
        lowered[i] = d[i] - n * (n + 3) * ULP * d[i]
        for j in range(i):
            A[i, j] = ULP * (abs(C[i, j]) + R[i, j])
    _subtract_shares(A, scale, work[3], lowered, n)
    for code in range(2 ** (n - 1)):
        for i in range(n):
            A[i, i] = lowered[i]
            for j in range(i):
                opposite = ((code >> i) ^ (code >> j)) & 1
                A[i, j] = C[i, j] + R[i, j] if opposite else C[i, j] - R[i, j]
        if not _factorises(A, n):
            return False
    return True


@_compiled
def bounds_prove(lower: Array, upper: Array, proved: Mask, corners: int) -> None:
    """`is_positive_definite` on bounds (batch, n, n), into ``proved``."""
    batch, n = lower.shape[0], lower.shape[1]
    d, work = np.empty((n, LANES)), np.empty((3, n, LANES))
    C, R, A = np.zeros((n, n, LANES)), np.zeros((n, n, LANES)), np.zeros((n, n, LANES))
    alive = np.zeros(LANES, dtype=np.bool_)
    for start in range(0, batch, LANES):
        for l in range(LANES):
            box = min(start + l, batch - 1)
            for i in range(n):
                d[i, l] = lower[box, i, i]
                for j in range(i):
                    low, high = lower[box, i, j], upper[box, i, j]
                    if low != lower[box, j, i] or high != upper[box, j, i]:
                        low, high = _mean_bounds(low + lower[box, j, i], high + upper[box, j, i])
                    C[i, j, l] = (low + high) * 0.5
                    R[i, j, l] = max(high - C[i, j, l], C[i, j, l] - low) * (1.0 + 2.0 * ULP)
        _lanes_decide(d, C, R, A, work, alive, corners)
        for l in range(min(LANES, batch - start)):
            proved[start + l] = alive[l]


@_compiled
def _mean_bounds(low: float, high: float) -> tuple[float, float]:
    # Sums rounded outward, halved, as `triangles` does.
    low = 0.5 * (min(low, MAX) - abs(min(low, MAX)) * ULP)
    high = 0.5 * (max(high, -MAX) + abs(max(high, -MAX)) * ULP)
    low, high = low - NORMAL, high + NORMAL
    return low - abs(low) * ULP, high + abs(high) * ULP


@_compiled
def affine_prove(
    lower: Array, upper: Array, values: Array, sizes: Array, n: int, proved: Mask, corners: int
) -> None:
    """`AffineMatrix.are_positive_definite` on ends (K, batch), into ``proved``."""
    K, entries = values.shape
    d, work = np.empty((n, LANES)), np.empty((3, n, LANES))
    C, R, A = np.zeros((n, n, LANES)), np.zeros((n, n, LANES)), np.zeros((n, n, LANES))
    centre, radius = np.empty((entries, LANES)), np.empty((entries, LANES))
    middle, size, alive = np.empty(LANES), np.empty(LANES), np.zeros(LANES, dtype=np.bool_)
    batch = lower.shape[1]
    for start in range(0, batch, LANES):
        centre[:] = 0.0
        radius[:] = 0.0
        for k in range(K):
            for l in range(LANES):
                box = min(start + l, batch - 1)
                low, high = lower[k, box], upper[k, box]
                middle[l] = (low + high) * 0.5
                size[l] = max(high - middle[l], middle[l] - low) * (1.0 + 2.0 * ULP)
                size[l] = (size[l] + (K + 4) * ULP * abs(middle[l])) + NORMAL
            for p in range(entries):
                value, weight = values[k, p], sizes[k, p]
                if weight != 0.0:
                    for l in range(LANES):
                        centre[p, l] += value * middle[l]
                        radius[p, l] += weight * size[l]
        p = 0
        for i in range(n):
            for j in range(i + 1):
                for l in range(LANES):
                    C[i, j, l] = centre[p, l]
                    R[i, j, l] = radius[p, l] * (1.0 + (2 * K + 8) * ULP) + 4 * K * NORMAL
                p += 1
            for l in range(LANES):
                d[i, l] = (C[i, i, l] - R[i, i, l]) * (1.0 - 2.0 * ULP)
        _lanes_decide(d, C, R, A, work, alive, corners)
        for l in range(min(LANES, batch - start)):
            proved[start + l] = alive[l]
