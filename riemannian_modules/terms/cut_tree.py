"""The tree of cuts of a region as flat arrays: its leaves cover the region by construction."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.spaces import Array

Ids = NDArray[np.int64]

LEAF, UNCUTTABLE = -1, -2  # in the place of an axis
_BLOCK = 65_536


@final
class CutTree:
    """Boxes, cut in two again and again; 28 bytes a box, whatever the dimension.

    Box 0 is the region. The two halves of a cut stand next to each other and after their parent.
    A box's sides are not stored: they are the last cuts on the way to it.
    """

    def __init__(self, lower: Array, upper: Array, bound: float) -> None:
        self.lower, self.upper = lower, upper
        self.count = 1
        self._axis = np.full(1, LEAF, dtype=np.int16)
        self._depth = np.zeros(1, dtype=np.uint16)
        self._place = np.zeros(1)
        self._bound = np.full(1, bound)
        self._parent = np.zeros(1, dtype=np.int32)
        self._child = np.zeros(1, dtype=np.int32)  # the left half; 0 for a leaf

    @property
    def axis(self) -> NDArray[np.int16]:
        """The side that each box is cut across; LEAF or UNCUTTABLE for leaves."""
        return self._axis[: self.count]

    @property
    def place(self) -> Array:
        """Where each box is cut."""
        return self._place[: self.count]

    @property
    def bound(self) -> Array:
        """The b that was proved on each box."""
        return self._bound[: self.count]

    @property
    def child(self) -> NDArray[np.int32]:
        """Each box's left half; the right half is the next. 0 for leaves."""
        return self._child[: self.count]

    @property
    def nbytes(self) -> int:
        """Memory that is held, in bytes."""
        arrays = (self._axis, self._depth, self._place, self._bound, self._parent, self._child)
        return sum(a.nbytes for a in arrays)

    def open_boxes(self, goal: float) -> Ids:
        """Leaves that can be cut, with bounds above ``goal``, in the order of their making."""
        return np.flatnonzero((self.axis == LEAF) & (self.bound > goal))

    def share(self, boxes: Ids) -> float:
        """The part of the region that some leaves are, each cut counted as a halving."""
        return float(np.ldexp(1.0, -self._depth[boxes].astype(np.int64)).sum())

    def add(self, boxes: Ids, axes: Ids, places: Array, bounds: Array) -> None:
        """Cut leaves (k,); ``bounds`` (2 k,) are those of the left and right half of each.

        An interruption leaves the tree as it was or with all of the cuts: `repaired` sees to it.
        """
        start, count = self.count, self.count + len(bounds)
        self._reserve(count)
        children = np.arange(start, count)
        self._axis[start:count] = LEAF
        self._child[start:count] = 0
        self._bound[start:count] = bounds
        self._parent[start:count] = np.repeat(boxes, 2)
        self._depth[start:count] = np.repeat(self._depth[boxes] + 1, 2)
        self._place[boxes] = places
        self.count = count
        self._child[boxes] = children[::2]  # from here on they are cut
        self._axis[boxes] = axes

    def close(self, boxes: Ids) -> None:
        """Mark leaves that have no side to cut, which are points up to rounding."""
        self._axis[boxes] = UNCUTTABLE

    def repair(self) -> None:
        """Bring an interrupted `add` to its end, or undo it."""
        self.count = max(int(self._child[: self.count].max()) + 2, 1) if self.count > 1 else 1
        is_cut = self.child > 0
        if (self.axis[is_cut] < 0).any():
            # The halves were linked, the axes not yet: make them leaves again.
            last = np.flatnonzero(is_cut & (self.axis < 0))
            self.count = int(self.child[last].min())
            self._child[last] = 0

    def boxes(self, ids: Ids) -> tuple[Array, Array]:
        """Sides (k, dim) of boxes (k,): from each the way up to the region, last cuts first."""
        lower = np.tile(self.lower, (len(ids), 1))
        upper = np.tile(self.upper, (len(ids), 1))
        rows, node = np.arange(len(ids)), np.asarray(ids, dtype=np.int64)
        below = node > 0
        rows, node = rows[below], node[below]
        while len(node):
            parent = self._parent[node].astype(np.int64)
            axis, place = self._axis[parent], self._place[parent]
            right = node != self._child[parent]
            # Cuts further up lie outside of those below, so the tighter of two is the last.
            i, a = rows[right], axis[right]
            lower[i, a] = np.maximum(lower[i, a], place[right])
            i, a = rows[~right], axis[~right]
            upper[i, a] = np.minimum(upper[i, a], place[~right])
            below = parent > 0
            rows, node = rows[below], parent[below]
        return lower, upper

    def preorder(self) -> Ids:
        """All boxes, each followed by its left half's tree and then its right half's."""
        levels = [np.zeros(1, dtype=np.int64)]
        while len(levels[-1]):
            left = self.child[levels[-1]].astype(np.int64)
            left = left[left > 0]
            levels.append(np.stack([left, left + 1], 1).reshape(-1))
        size = np.ones(self.count, dtype=np.int64)
        for level in reversed(levels):
            left = self.child[level].astype(np.int64)
            cut, left = level[left > 0], left[left > 0]
            size[cut] += size[left] + size[left + 1]
        position = np.zeros(self.count, dtype=np.int64)
        for level in levels:
            left = self.child[level].astype(np.int64)
            cut, left = level[left > 0], left[left > 0]
            position[left] = position[cut] + 1
            position[left + 1] = position[left] + size[left]
        order = np.empty(self.count, dtype=np.int64)
        order[position] = np.arange(self.count)
        return order

    def leaves(self) -> Ids:
        """The leaves in preorder."""
        order = self.preorder()
        return order[self.child[order] == 0]

    def cuts(self) -> tuple[tuple[int, float] | None, ...]:
        """The tree in preorder: (axis, place) for a cut, None for a leaf."""
        order = self.preorder()
        is_cut = (self.child[order] > 0).tolist()
        pairs = zip(self.axis[order].tolist(), self.place[order].tolist(), is_cut, strict=True)
        return tuple((axis, place) if cut else None for axis, place, cut in pairs)

    def leaf_boxes(self) -> tuple[Array, Array]:
        """Sides of the leaves in preorder, each (leaves, dim)."""
        leaves = self.leaves()
        lower = np.empty((len(leaves), len(self.lower)))
        upper = np.empty_like(lower)
        for i in range(0, len(leaves), _BLOCK):
            part = slice(i, i + _BLOCK)
            lower[part], upper[part] = self.boxes(leaves[part])
        return lower, upper

    def cuts_lie_inside(self) -> bool:
        """Whether each cut lies strictly between the sides of its box, as in trees made here."""
        cut = np.flatnonzero(self.child > 0)
        for i in range(0, len(cut), _BLOCK):
            some = cut[i : i + _BLOCK]
            lower, upper = self.boxes(some)
            rows, axes, places = np.arange(len(some)), self.axis[some], self.place[some]
            if not ((lower[rows, axes] < places) & (places < upper[rows, axes])).all():
                return False
        return True

    def _reserve(self, count: int) -> None:
        # The last to be grown tells, so that an interrupted growth is done again.
        if count <= len(self._child):
            return
        size = max(count, len(self._child) + len(self._child) // 2, 1024)
        for name in ("_axis", "_depth", "_place", "_bound", "_parent", "_child"):
            old = getattr(self, name)
            grown = np.zeros(size, dtype=old.dtype)
            grown[: self.count] = old[: self.count]
            setattr(self, name, grown)
