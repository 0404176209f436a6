"""The best bounds of blocks that are found, by cutting the region where they are loose.

Alike blocks over alike boxes are bounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.blocks import Block, BlockBound, Blocks
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cut_tree import CutTree
from riemannian_modules.terms.cuts import NO_CUTS, Cuts, middles
from riemannian_modules.terms.ranges import inner_points

MOST_LEAVES = 512
TIGHT = 1e-8


@final
class BlockBounds:
    """The bounds of a system's blocks, each found once for all alike."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._known: dict[Any, BlockBound] = {}

    def best(self, to: int, source: int, M_to: Array, M_from: Array) -> BlockBound:
        """The best bound found of a block, and the cuts that prove it."""
        block = self.blocks.block(to, source, M_to, M_from)
        if block is None:
            return BlockBound(0.0, NO_CUTS)
        key, axes = block.key()
        if key not in self._known:
            found = _best(block)
            local = {axis: k for k, axis in enumerate(axes)}
            self._known[key] = BlockBound(found.bound, _renamed(found.cuts, local))
        found = self._known[key]
        return BlockBound(found.bound, _renamed(found.cuts, dict(enumerate(axes))))


@final
class AlikeNodes:
    """What is found of nodes' own linear maps over their atoms' ranges, once for all alike."""

    def __init__(self, blocks: Blocks, find: Callable[[Problem], Array]) -> None:
        self.blocks, self.find = blocks, find
        self._known: dict[Any, Array] = {}

    def found(self, node: int) -> Array:
        """What ``find`` gives for a node (k, k); the identity where nothing is known of it."""
        size = len(self.blocks.groups[node])
        block = self.blocks.block(node, node, np.eye(size), np.eye(size))
        if block is None:
            return np.eye(size)
        key = tuple(block.key()[0])
        if key not in self._known:
            problem = block.problem
            ends = [self.blocks.ranges.tight(a) for a in block.form.atoms]
            low, high = problem.lower.copy(), problem.upper.copy()
            if ends:
                low[size:], high[size:] = zip(*((e.lower, e.upper) for e in ends), strict=True)
            is_known = not (np.isnan(low).any() or np.isnan(high).any())
            self._known[key] = (
                self.find(replace(problem, lower=low, upper=high)) if is_known else np.eye(size)
            )
        return self._known[key]


def _renamed(cuts: Cuts, axes: dict[int, int]) -> Cuts:
    return tuple(None if c is None else (axes[c[0]], c[1]) for c in cuts)


def _best(block: Block) -> BlockBound:
    """Cut the region, where the bound is larger than at the points reached, until it is tight.

    Only sides that the atoms read are cut.
    """
    problem, ranges = block.system.problem, block.system.ranges
    used = {s for a in block.form.atoms for s in a.free_symbols}
    axes = np.array(sorted(ranges.place[s] for s in used), dtype=np.intp)
    first = float(_bounds(block, problem.lower[None], problem.upper[None])[0])
    tree, reached = CutTree(problem.lower, problem.upper, first), -np.inf
    while len(axes):
        leaves = np.flatnonzero(tree.child == 0)
        lower, upper = tree.boxes(leaves)
        points = inner_points(lower, upper)
        values = _bounds(block, points, points)
        reached = max(reached, float(values[np.isfinite(values)].max(initial=-np.inf)))
        goal = reached + TIGHT * max(abs(reached), 1e-12)
        wide = tree.bound[leaves] > goal
        if not wide.any() or len(leaves) + int(wide.sum()) > MOST_LEAVES:
            break
        lower, upper = lower[wide], upper[wide]
        # The widest side, unbounded ones first.
        width = np.arctan(upper[:, axes]) - np.arctan(lower[:, axes])
        axis, rows = axes[width.argmax(1)], np.arange(len(lower))
        place = middles(lower[rows, axis], upper[rows, axis])
        inside = (lower[rows, axis] < place) & (place < upper[rows, axis])
        if not inside.any():
            break
        lower, upper, axis, place = lower[inside], upper[inside], axis[inside], place[inside]
        low, high = np.repeat(lower, 2, axis=0), np.repeat(upper, 2, axis=0)
        rows = np.arange(len(place))
        high[2 * rows, axis] = low[2 * rows + 1, axis] = place
        tree.add(leaves[wide][inside], axis, place, _bounds(block, low, high))
    worst = float(tree.bound[tree.child == 0].max())
    return BlockBound(worst, tree.cuts()) if worst < first else BlockBound(first, NO_CUTS)


def _bounds(block: Block, lower: Array, upper: Array) -> Array:
    """A proved bound on each box (batch, dim); inf where none was."""
    low, high = block.atoms(lower, upper)
    if block.is_scalar:
        return block.scalar_bounds(low, high)
    return box_bounds(block.problem, block.criterion, low, high)
