"""Solves with a lower triangular matrix, which the array API leaves out.

Source: recursive blocking, Elmroth, Gustavson, Jonsson and Kagstrom (2004), SIAM Review 46, 3-45.
"""

from __future__ import annotations

from riemannian_modules.metrics.array import Array, namespace_of

_LEAF = 48  # below this, one library call costs less than two halves


def solve_lower(lower: Array, right: Array) -> Array:
    """Solve ``lower x = right`` by halves, in O(n^2 k).

    Args:
        lower: Lower triangular with nonzero diagonal, shape (n, n); what lies above is not read
            except within leaf blocks on the diagonal, where it must be zero.
        right: Shape (n, k).
    Returns:
        x, shape (n, k).
    """
    xp, size = namespace_of(lower, right), lower.shape[0]
    if size <= _LEAF:
        return xp.linalg.solve(lower, right)
    half = size // 2
    top = solve_lower(lower[:half, :half], right[:half, :])
    bottom = solve_lower(lower[half:, half:], right[half:, :] - lower[half:, :half] @ top)
    return xp.concat([top, bottom], axis=0)


def solve_lower_adjoint(lower: Array, right: Array) -> Array:
    """Solve ``lower^T x = right``; shapes and cost as in ``solve_lower``."""
    xp, size = namespace_of(lower, right), lower.shape[0]
    if size <= _LEAF:
        return xp.linalg.solve(lower.T, right)
    half = size // 2
    bottom = solve_lower_adjoint(lower[half:, half:], right[half:, :])
    top = solve_lower_adjoint(lower[:half, :half], right[:half, :] - lower[half:, :half].T @ bottom)
    return xp.concat([top, bottom], axis=0)
