"""Boxes cut into halves, and the tree of cuts as data that names no box twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from riemannian_modules.space import Array

Cuts = tuple[tuple[int, float] | None, ...]

NO_CUTS: Cuts = (None,)


@final
class Leaf:
    """A box of the tree, cut or not; ``high`` is the bound that is proved on it."""

    __slots__ = ("cut", "high", "left", "lower", "right", "upper")

    def __init__(self, lower: Array, upper: Array) -> None:
        self.lower, self.upper = lower, upper
        self.high = np.inf
        self.cut: tuple[int, float] | None = None
        self.left: Leaf | None = None
        self.right: Leaf | None = None

    def split(self, axes: Sequence[int]) -> list[Leaf]:
        """Cut across the widest of some sides, unbounded ones first; a point gives none."""
        width = np.arctan(self.upper[axes]) - np.arctan(self.lower[axes])
        axis = int(axes[int(np.argmax(width))])
        place = _middle(float(self.lower[axis]), float(self.upper[axis]))
        if not self.lower[axis] < place < self.upper[axis]:
            return []
        self.cut = axis, place
        self.left = Leaf(self.lower.copy(), self.upper.copy())
        self.right = Leaf(self.lower.copy(), self.upper.copy())
        self.left.upper[axis] = self.right.lower[axis] = place
        return [self.left, self.right]

    def preorder(self) -> Cuts:
        """The tree below this box, a cut before its halves, the lower half first."""
        cuts: list[tuple[int, float] | None] = []
        stack: list[Leaf] = [self]
        while stack:
            leaf = stack.pop()
            cuts.append(leaf.cut)
            if leaf.left is not None and leaf.right is not None:
                stack += [leaf.right, leaf.left]
        return tuple(cuts)


def _middle(low: float, high: float) -> float:
    """Where a side is cut: in the middle, or twice as far out where it is unbounded."""
    if np.isinf(low) and np.isinf(high):
        return 0.0
    if np.isinf(high):
        return 2.0 * abs(low) + 1.0
    if np.isinf(low):
        return -2.0 * abs(high) - 1.0
    return 0.5 * low + 0.5 * high


def sides_of(leaves: Sequence[Leaf]) -> tuple[Array, Array]:
    """Lower and upper sides of boxes, each (leaves, dim)."""
    return np.stack([leaf.lower for leaf in leaves]), np.stack([leaf.upper for leaf in leaves])
