"""Invariant zeros: where the system matrix ``[A - z, B; C, D]`` loses rank.

States that no output shows, and their derivatives in turn, are taken away until D is square and
invertible; what is left has the zeros as generalised eigenvalues. Orthogonal steps throughout.
Source: Emami-Naeini and Van Dooren (1982), Automatica 18, 415-430.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.balance import balanced
from riemannian_modules.spaces import Array

ROUNDING = 16 * np.finfo(float).eps
SystemMatrices = tuple[Array, Array, Array, Array]


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
    a, b, c, d = _transposed(_shown(_transposed(_shown(system, tolerance)), tolerance))
    n, r = len(a), len(d)
    if not n:
        return np.zeros(0, np.complex128)
    # The last n rows of V span what [C, D] does not see.
    whole: Any = np.linalg.svd(np.hstack([c, d]), full_matrices=True)[2] if r else np.eye(n)
    unseen = whole[r:].T  # (n + r, n)
    found: Any = eig(np.hstack([a, b]) @ unseen, unseen[:n], right=False)
    values = np.asarray(found, dtype=np.complex128)
    values = values[np.isfinite(values)]
    return values[np.lexsort((values.imag, values.real, np.round(np.abs(values), 12)))]


def _scaled(A: Array, B: Array, C: Array, D: Array) -> SystemMatrices:
    """The same zeros in states, inputs and outputs of comparable size."""
    a, scale = balanced(A)
    b, c = B / scale[:, None], C * scale
    wanted = float(np.linalg.norm(a)) or 1.0
    by_input = _unit(np.linalg.norm(np.vstack([b, D]), axis=0)) / wanted
    b, d = b / by_input, D / by_input
    by_output = _unit(np.linalg.norm(np.hstack([c, d]), axis=1))[:, None] / wanted
    return a, b, c / by_output, d / by_output


def _unit(sizes: Any) -> Array:
    return np.where(sizes > 0.0, sizes, 1.0)


def _transposed(system: SystemMatrices) -> SystemMatrices:
    a, b, c, d = system
    return a.T, c.T, b.T, d.T


def _shown(system: SystemMatrices, tolerance: float) -> SystemMatrices:
    """The part of a system whose D has full row rank, with the same zeros."""
    a, b, c, d = system
    while True:
        rows, rank = _rows(d, tolerance)
        c, d = rows.T @ c, rows.T @ d
        hidden, c, d = c[rank:], c[:rank], d[:rank]
        _, sizes, turn = np.linalg.svd(hidden, full_matrices=True)
        count = int((sizes > tolerance).sum())
        if not count:
            return a, b, c, d
        # Outputs that depend on these states alone are zero only if the states and, from then on,
        # their derivatives are.
        turn = np.vstack([turn[count:], turn[:count]]).T
        a, b, c = turn.T @ a @ turn, turn.T @ b, c @ turn
        n = len(a) - count
        c, d = np.vstack([c[:, :n], a[n:, :n]]), np.vstack([d, b[n:]])
        a, b = a[:n, :n], b[:n]


def _rows(D: Array, tolerance: float) -> tuple[Array, int]:
    """An orthogonal U whose transpose brings D to its rank many rows, and the rank."""
    if not D.size:
        return np.eye(len(D)), 0
    U, sizes, _ = np.linalg.svd(D, full_matrices=True)
    return U, int((sizes > tolerance).sum())
