"""Solves with a lower triangular matrix, which the array API leaves out.

NumPy's arrays are solved with by LAPACK, those of other libraries by halves.
Source: recursive blocking, Elmroth, Gustavson, Jonsson and Kagstrom (2004), SIAM Review 46, 3-45.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_numpy_array

from riemannian_modules.metrics.array import AnyArray, namespace_of

_LEAF = 48  # below this, one library call costs less than two halves


def solve_lower(lower: AnyArray, right: AnyArray) -> AnyArray:
    """Solve ``lower x = right`` by halves, in O(n^2 k).

    Args:
        lower: Lower triangular with nonzero diagonal, shape (n, n); what lies above is not read
            except within leaf blocks on the diagonal, where it must be zero.
        right: Shape (n, k).

    Returns:
        x, shape (n, k).
    """
    if is_numpy_array(lower):
        return _by_lapack(lower, right, 1)
    xp, size = namespace_of(lower, right), lower.shape[0]
    if size <= _LEAF:
        return xp.linalg.solve(lower, right)
    half = size // 2
    top = solve_lower(lower[:half, :half], right[:half, :])
    bottom = solve_lower(lower[half:, half:], right[half:, :] - lower[half:, :half] @ top)
    return xp.concat([top, bottom], axis=0)


def solve_lower_adjoint(lower: AnyArray, right: AnyArray) -> AnyArray:
    """Solve ``lower^T x = right``; shapes and cost as in ``solve_lower``."""
    if is_numpy_array(lower):
        return _by_lapack(lower, right, 0)
    xp, size = namespace_of(lower, right), lower.shape[0]
    if size <= _LEAF:
        return xp.linalg.solve(lower.T, right)
    half = size // 2
    bottom = solve_lower_adjoint(lower[half:, half:], right[half:, :])
    top = solve_lower_adjoint(lower[:half, :half], right[:half, :] - lower[half:, :half].T @ bottom)
    return xp.concat([top, bottom], axis=0)


def _by_lapack(lower: AnyArray, right: AnyArray, trans: int) -> AnyArray:
    from scipy.linalg import get_lapack_funcs

    if not right.size:
        return np.zeros_like(right)
    library: Any = get_lapack_funcs(("trtrs",), (lower, right))
    # The transpose of rows that lie together is what LAPACK reads without a copy.
    x, status = library[0](lower.T, right, lower=0, trans=trans)
    if status:
        raise np.linalg.LinAlgError("a triangular matrix is singular")
    return x
