"""The Cholesky factor of a matrix that ought to be positive definite.

Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, chapter 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_numpy_array

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of, rounding_unit


def cholesky_factor(where: str, matrix: AnyArray) -> AnyArray:
    """Lower L with ``L L^T = matrix``, in O(n^3 / 3).

    Args:
        where: What the matrix is; the error says so.
        matrix: Symmetric, shape (n, n); only symmetric parts are meaningful.

    Raises:
        MetricError: If it is singular or indefinite to working precision; the message names the
            smallest eigenvalue with its eigenvector.
    """
    xp = namespace_of(matrix)
    try:
        lower = _by_lapack(matrix) if is_numpy_array(matrix) else xp.linalg.cholesky(matrix)
    except (ValueError, RuntimeError) as error:  # NumPy's LinAlgError is the one, torch's the other
        raise _refusal(where, matrix) from error
    # Rounding moves the square of pivot i by up to about n eps M_ii (theorem 10.3): a pivot below
    # that is no evidence of definiteness. The test is invariant under scaling of coordinates.
    pivots, diagonal = xp.linalg.diagonal(lower), xp.linalg.diagonal(matrix)
    noise = matrix.shape[0] * rounding_unit(matrix) * diagonal
    if not bool(xp.all(pivots * pivots > noise)):
        raise _refusal(where, matrix)
    return lower


def _by_lapack(matrix: AnyArray) -> AnyArray:
    """What `numpy.linalg.cholesky` gives, in half its time: it copies twice."""
    from scipy.linalg import get_lapack_funcs

    if not matrix.size:
        return matrix
    library: Any = get_lapack_funcs(("potrf",), (matrix,))
    upper, status = library[0](matrix.T, lower=0, clean=1)
    if status:
        raise np.linalg.LinAlgError("a pivot is not positive")
    return upper.T


def _refusal(where: str, matrix: AnyArray) -> MetricError:
    xp = namespace_of(matrix)
    if not bool(xp.all(xp.isfinite(matrix))):
        return MetricError(f"{where}: expected a positive definite matrix, got NaN or overflow.")
    values, vectors = xp.linalg.eigh(matrix)
    shown = ", ".join(f"{float(entry):.3g}" for entry in vectors[:6, 0])
    rest = ", ..." if matrix.shape[0] > 6 else ""
    return MetricError(
        f"{where}: expected a positive definite matrix, got smallest eigenvalue "
        f"{float(values[0]):.6g} (largest {float(values[-1]):.6g}) with eigenvector "
        f"[{shown}{rest}]. Add damping mu R, or drop the directions that the data do not see."
    )
