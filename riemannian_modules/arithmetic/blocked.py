"""Dense products and factorisations in blocks that BLAS leaves to one thread.

OpenBLAS wakes its threads for a product of 2^18 multiplications and a factorisation of order 100.
Where the cores do other work, its threads then wait for each other: a factorisation of order 250
takes a hundred times longer than on one thread.

Source: Golub and Van Loan (2013), Matrix Computations, section 4.2.6 (recursive block Cholesky).
"""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.rounding import Array

ALONE, TOGETHER = 2**18, 2**26  # multiplications from which a product is cut, and no longer cut
BLOCK = 96  # order up to which a factorisation is not cut


def blocked_product(P: Array, Q: Array) -> Array:
    """``P Q`` in bands of rows; products so large that threads pay anyway are left whole."""
    rows, work = len(P), P.size * Q.shape[1]
    if not ALONE < work <= TOGETHER:
        return P @ Q
    band = max(ALONE * rows // work, 1)
    out = np.empty((rows, Q.shape[1]))
    for first in range(0, rows, band):
        np.matmul(P[first : first + band], Q, out=out[first : first + band])
    return out


def cholesky(matrix: Array) -> Array | None:
    """The lower factor of a symmetric matrix, None if it is not definite in floating point."""
    n, k = len(matrix), len(matrix) // 2
    if n > BLOCK:
        first = cholesky(matrix[:k, :k])
        if first is None:
            return None
        below = blocked_product(matrix[k:, :k], inverse_of_lower(first).T)
        second = cholesky(matrix[k:, k:] - blocked_product(below, below.T))
        return None if second is None else _lower(first, below, second)
    if n == 0:
        return matrix
    L, status = lapack().dpotrf(matrix, lower=1)
    # What is NaN makes all pivots NaN that follow.
    return L if status == 0 and isfinite(L[-1, -1]) else None


def inverse_of_lower(L: Array) -> Array:
    """The inverse of a lower triangular matrix without zeros on its diagonal."""
    k = len(L) // 2
    if len(L) <= BLOCK:
        return np.asarray(lapack().dtrtri(L, lower=1)[0], dtype=np.float64)
    first, second = inverse_of_lower(L[:k, :k]), inverse_of_lower(L[k:, k:])
    return _lower(first, -blocked_product(second, blocked_product(L[k:, :k], first)), second)


def _lower(first: Array, below: Array, second: Array) -> Array:
    return np.block([[first, np.zeros(below.T.shape)], [below, second]])


@cache
def lapack() -> Any:
    """LAPACK itself: on small orders, SciPy's own functions spend most of their time on checks."""
    from scipy.linalg import lapack  # its functions are typed nowhere

    return lapack
