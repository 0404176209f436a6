"""Invariant zeros: where the system matrix ``[A - z, B; C, D]`` loses rank.

States that no output shows, and their derivatives in turn, are taken away until D is square and
invertible; what is left has the zeros as generalised eigenvalues. Orthogonal steps throughout.
Source: Emami-Naeini and Van Dooren (1982), Automatica 18, 415-430.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.space import Array

ROUNDING = 16 * np.finfo(float).eps
System = tuple[Array, Array, Array, Array]


def invariant_zeros(A: Array, B: Array, C: Array, D: Array) -> NDArray[np.complex128]:
    """The finite zeros of a system of any shape, sorted; uncontrollable poles are among them.

    Args:
        A: (n, n).
        B: (n, m).
        C: (q, n).
        D: (q, m).

    Returns:
        The zeros, by size; none where no input reaches an output. Cost: O(n^3) a step of the
        reduction, of which there are as many as the relative degree.
    """
    from scipy.linalg import eig

    system = _scaled(A, B, C, D)
    size = max((float(np.linalg.norm(part)) for part in system if part.size), default=0.0)
    tolerance = ROUNDING * max(1, *np.shape(B), *np.shape(C)) * size
    reduced = _transposed(_shown(_transposed(_shown(system, tolerance)), tolerance))
    A, B, C, D = reduced
    n, r = len(A), len(D)
    if not n:
        return np.zeros(0, np.complex128)
    # The last n rows of V span what [C, D] does not see.
    wide: Any = np.linalg.svd(np.hstack([C, D]), full_matrices=True)[2] if r else np.eye(n)
    V = wide[r:].T  # (n + r, n)
    found: Any = eig(np.hstack([A, B]) @ V, V[:n], right=False)
    values = np.asarray(found, dtype=np.complex128)
    values = values[np.isfinite(values)]
    return values[np.lexsort((values.imag, values.real, np.round(np.abs(values), 12)))]


def _scaled(A: Array, B: Array, C: Array, D: Array) -> System:
    """The same zeros in states, inputs and outputs of comparable size."""
    from scipy.linalg import matrix_balance

    n = len(A)
    balanced: Any = matrix_balance(A, permute=False, separate=True) if n else (A, (np.ones(0), 0))
    A, scale = balanced[0], balanced[1][0]
    B, C = B / scale[:, None], C * scale
    wanted = float(np.linalg.norm(A)) or 1.0
    by_input = _unit(np.linalg.norm(np.vstack([B, D]), axis=0)) / wanted
    B, D = B / by_input, D / by_input
    by_output = _unit(np.linalg.norm(np.hstack([C, D]), axis=1))[:, None] / wanted
    return A, B, C / by_output, D / by_output


def _unit(sizes: Array) -> Array:
    return np.where(sizes > 0.0, sizes, 1.0)


def _transposed(system: System) -> System:
    A, B, C, D = system
    return A.T, C.T, B.T, D.T


def _shown(system: System, tolerance: float) -> System:
    """The part of a system whose D has full row rank, with the same zeros."""
    A, B, C, D = system
    while True:
        U, rank = _rows(D, tolerance)
        C, D = U.T @ C, U.T @ D
        hidden, C, D = C[rank:], C[:rank], D[:rank]
        _, sizes, V = np.linalg.svd(hidden, full_matrices=True)
        count = int((sizes > tolerance).sum())
        if not count:
            return A, B, C, D
        # Outputs that depend on these states alone are zero only if the states and, from then on,
        # their derivatives are.
        V = np.vstack([V[count:], V[:count]]).T
        A, B, C = V.T @ A @ V, V.T @ B, C @ V
        n = len(A) - count
        C, D = np.vstack([C[:, :n], A[n:, :n]]), np.vstack([D, B[n:]])
        A, B = A[:n, :n], B[:n]


def _rows(D: Array, tolerance: float) -> tuple[Array, int]:
    """An orthogonal U whose transpose brings D to its rank many rows, and the rank."""
    if not D.size:
        return np.eye(len(D)), 0
    U, sizes, _ = np.linalg.svd(D, full_matrices=True)
    return U, int((sizes > tolerance).sum())
