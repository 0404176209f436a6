"""Eigenvalues in floating point of matrices of any size: untrusted.

NumPy raises where a matrix holds inf or NaN, or where LAPACK overflows inside. Here matrices that
are very large or small are scaled first, and the eigenvalues of what is not finite are NaN, of
which no comparison holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.arithmetic.rounding import quiet
from riemannian_modules.spaces import Array

LARGEST, SMALLEST = 1e150, 1e-150  # of entries whose squares are numbers


@quiet
def symmetric_eigenvalues(S: Array) -> Array:
    """Eigenvalues (..., n), ascending, of symmetric matrices (..., n, n)."""
    scaled, factor = _scaled(S)
    return np.asarray(np.linalg.eigvalsh(scaled) * factor, dtype=np.float64)


@quiet
def symmetric_eigenpairs(S: Array) -> tuple[Array, Array]:
    """Eigenvalues (..., n), ascending, and unit eigenvectors (..., n, n) in columns."""
    scaled, factor = _scaled(S)
    values, vectors = np.linalg.eigh(scaled)
    return np.asarray(values * factor, dtype=np.float64), vectors


@quiet
def eigenpairs(J: Array) -> tuple[Any, Any]:
    """Eigenvalues (..., n) and unit eigenvectors (..., n, n) in columns, complex or real."""
    scaled, factor = _scaled(J)
    values, vectors = np.linalg.eig(scaled)
    return values * factor, vectors


@quiet
def eigenvalues(J: Array) -> Any:
    """Eigenvalues (..., n) of square matrices, complex or real."""
    scaled, factor = _scaled(J)
    return np.linalg.eigvals(scaled) * factor


@quiet
def _scaled(A: Array) -> tuple[Array, Array]:
    """Matrices of a size that LAPACK can take, and the factors (..., 1) by which that is less.

    Powers of two; NaN beside a zero matrix where A is not finite; 1 where nothing has to be done.
    """
    size = np.abs(A).max((-1, -2), initial=0.0)
    if not ((size > LARGEST) | ((size > 0) & (size < SMALLEST)) | np.isnan(size)).any():
        return A, np.ones((*size.shape, 1))
    finite = np.isfinite(size)
    exponent = np.where(finite & (size > 0), np.frexp(np.where(finite, size, 1.0))[1] - 1, 0)
    scaled = np.ldexp(np.where(finite[..., None, None], A, 0.0), -exponent[..., None, None])
    return scaled, np.where(finite, np.ldexp(1.0, exponent), np.nan)[..., None]
