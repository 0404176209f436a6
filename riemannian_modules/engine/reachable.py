"""The part of the states that inputs reach, or that outputs show, by orthogonal steps.

The staircase: directions that inputs move at once, those that these move in turn, and so on. Which
are none is a matter of tolerance: the least size that counted and the largest that did not are
told.
Source: Van Dooren (1981), IEEE Transactions on Automatic Control 26, 111-129.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.shown import Facts, Shown
from riemannian_modules.space import Array

ROUNDING = 16 * np.finfo(float).eps


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rank(Shown):
    """How many dimensions of the state inputs reach (or outputs show), and how clearly.

    Attributes:
        what: "reached by the inputs" or "seen in the outputs".
        rank: The number of dimensions.
        size: The number of states.
        kept: The smallest relative size that counted as more than zero; 1 where none is small.
        dropped: The largest relative size that counted as zero; 0 where none was dropped.
    """

    what: str
    rank: int
    size: int
    kept: float
    dropped: float

    @property
    def is_full(self) -> bool:
        """Whether it is all dimensions."""
        return self.rank == self.size

    @override
    def facts(self) -> Facts:
        rows = [("least that counts", f"{self.kept:.2g}")]
        if not self.is_full:
            rows.append(("largest that does not", f"{self.dropped:.2g}"))
        return Facts(f"Rank: {self.rank} of {self.size} dimensions are {self.what}", tuple(rows))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Staircase:
    """Coordinates whose first ``rank`` are the reachable part.

    Attributes:
        basis: T (n, n), new coordinates in its columns; the inverse is `inverse`.
        inverse: (n, n).
        rank: How many are reachable.
        kept: The smallest relative size that counted.
        dropped: The largest that did not.
    """

    basis: Array
    inverse: Array
    rank: int
    kept: float
    dropped: float


def staircase(A: Array, B: Array) -> Staircase:
    """The reachable part of ``dx = A x + B u``; of ``(A^T, C^T)`` it is the observable part.

    Args:
        A: (n, n).
        B: (n, m).

    Returns:
        Coordinates in which A is block triangular. States are balanced first, so that their units
        do not matter. Cost: O(n^3) where the first steps reach most.
    """
    from scipy.linalg import matrix_balance

    n = len(A)
    if not n:
        return Staircase(np.eye(0), np.eye(0), 0, 1.0, 0.0)
    balanced: Any = matrix_balance(A, permute=False, separate=True)
    scale = balanced[1][0]
    Q, F, G = np.eye(n), balanced[0], B / scale[:, None]
    size = np.linalg.norm(G, axis=0)
    G = G / np.where(size > 0, size, 1.0)
    whole = float(np.linalg.norm(F)) or 1.0
    rank, kept, dropped = 0, 1.0, 0.0
    block, unit = G, 1.0
    while rank < n and block.size:
        U, sizes, _ = np.linalg.svd(block, full_matrices=True)
        relative = sizes / unit
        count = int((relative > ROUNDING * n).sum())
        dropped = max(dropped, float(relative[count:].max(initial=0.0)))
        if not count:
            break
        kept = min(kept, float(relative[count - 1]))
        turn = np.eye(n)
        turn[rank:, rank:] = U
        F, Q = turn.T @ F @ turn, Q @ turn
        start, rank = rank, rank + count
        block, unit = F[rank:, start:rank], whole
    return Staircase(scale[:, None] * Q, Q.T / scale, rank, kept, dropped)


def minimal_matrices(A: Array, B: Array, C: Array) -> tuple[Array, Array, Array]:
    """A, B, C without what no input reaches or no output shows; C (s - A)^-1 B stays the same."""
    first = staircase(A, B)
    T, r = first.basis[:, : first.rank], first.rank
    A, B, C = (first.inverse @ A @ T)[:r], (first.inverse @ B)[:r], C @ T
    second = staircase(A.T, C.T)
    T, r = second.basis[:, : second.rank], second.rank
    return (second.inverse @ A.T @ T)[:r].T, (B.T @ T).T, (second.inverse @ C.T)[:r].T
