"""The part of the states that inputs reach, or that outputs show, by orthogonal steps.

The staircase: directions that inputs move at once, those that these move in turn, and so on. Which
are none is a matter of tolerance: the least size that counted and the largest that did not are
told.
Source: Van Dooren (1981), IEEE Transactions on Automatic Control 26, 111-129.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.balance import state_scales
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array

TOLERANCE = 1e-11  # relative: the size that counts as none, above what rounding leaves


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


def staircase(A: Array, B: Array, C: Array, tolerance: float = TOLERANCE) -> Staircase:
    """The reachable part of ``dx = A x + B u``; of A^T, C^T, B^T it is the observable part.

    Args:
        A: (n, n).
        B: (n, m).
        C: (q, n), which tells the states' sizes alone.
        tolerance: The relative size that counts as none.

    Returns:
        Coordinates in which A is block triangular. States are balanced first, so that their units
        do not matter. Cost: O(n^3) where the first steps reach most.
    """
    n = len(A)
    if not n:
        return Staircase(np.eye(0), np.eye(0), 0, 1.0, 0.0)
    scale = state_scales(A, B, C)
    moved = A * scale / scale[:, None]
    turned = np.eye(n)
    block = B / scale[:, None]
    size = np.linalg.norm(block, axis=0)
    block = block / np.where(size > 0, size, 1.0)
    whole = float(np.linalg.norm(moved)) or 1.0
    rank, kept, dropped, unit = 0, 1.0, 0.0, 1.0
    while rank < n and block.size:
        U, sizes, _ = np.linalg.svd(block, full_matrices=True)
        relative = sizes / unit
        count = int((relative > tolerance).sum())
        dropped = max(dropped, float(relative[count:].max(initial=0.0)))
        if not count:
            break
        kept = min(kept, float(relative[count - 1]))
        turn = np.eye(n)
        turn[rank:, rank:] = U
        moved, turned = turn.T @ moved @ turn, turned @ turn
        start, rank = rank, rank + count
        block, unit = moved[rank:, start:rank], whole
    return Staircase(scale[:, None] * turned, turned.T / scale, rank, kept, dropped)


def minimal_matrices(A: Array, B: Array, C: Array, tolerance: float) -> tuple[Array, Array, Array]:
    """A, B, C without what no input reaches or no output shows; C (s - A)^-1 B stays the same."""
    a, b, c = _reached(A, B, C, tolerance)
    a, c, b = _reached(a.T, c.T, b.T, tolerance)
    return a.T, b.T, c.T


def _reached(A: Array, B: Array, C: Array, tolerance: float) -> tuple[Array, Array, Array]:
    found = staircase(A, B, C, tolerance)
    r = found.rank
    basis, inverse = found.basis[:, :r], found.inverse[:r]
    return inverse @ A @ basis, inverse @ B, C @ basis
