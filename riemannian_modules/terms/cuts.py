"""Cuts of a box into boxes, in preorder: (axis, place) for a cut, None for a leaf.

The boxes of a tree cover the whole by construction, so that a proof on each of its leaves is one on
the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from riemannian_modules.claims.plain_data import number_from_data
from riemannian_modules.errors import CertificateError
from riemannian_modules.spaces import Array

Cuts = tuple[tuple[int, float] | None, ...]
NO_CUTS: Cuts = (None,)


def leaves_of(
    cuts: Sequence[tuple[int, float] | None], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """The boxes (leaves, dim) that a tree of cuts makes of a box (dim,).

    Raises:
        ValueError: If the tree is incomplete, has left-over entries, or cuts outside a box.
    """
    lows: list[Array] = []
    highs: list[Array] = []
    stack = [(lower, upper)]
    for cut in cuts:
        if not stack:
            raise ValueError("The tree of cuts goes on after its last leaf.")
        low, high = stack.pop()
        if cut is None:
            lows.append(low)
            highs.append(high)
            continue
        axis, place = cut
        if not (0 <= axis < len(low) and low[axis] <= place <= high[axis]):
            raise ValueError(f"A cut at {place} across side {axis} lies outside of its box.")
        left, right = high.copy(), low.copy()
        left[axis] = right[axis] = place
        stack += [(right, high), (low, left)]
    if stack:
        raise ValueError("The tree of cuts ends before its last leaf.")
    return np.stack(lows), np.stack(highs)


def proving_boxes(cuts: Cuts, lower: Array, upper: Array, where: str) -> tuple[Array, Array]:
    """The leaves of a tree that a file gives; raises CertificateError where it is no tree."""
    try:
        return leaves_of(cuts, lower, upper)
    except ValueError as fault:
        raise CertificateError(f"{where}: {fault}") from None


def middles(lower: Array, upper: Array) -> Array:
    """Where sides are cut: in the middle, or twice as far out where they are unbounded."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(
            np.isinf(lower) & np.isinf(upper), 0.0,
            np.where(np.isinf(upper), 2 * np.abs(lower) + 1,
                     np.where(np.isinf(lower), -2 * np.abs(upper) - 1, 0.5 * lower + 0.5 * upper)),
        )  # fmt: skip


def cuts_to_data(cuts: Cuts) -> list[list[Any] | None]:
    """A tree of cuts as data."""
    return [list(cut) if cut is not None else None for cut in cuts]


def cuts_from_data(data: object, where: str) -> Cuts:
    """The tree that `cuts_to_data` wrote.

    Raises:
        CertificateError: If the data is malformed.
    """
    if not isinstance(data, list) or not data:
        raise CertificateError(f"{where}: expected a list with at least one entry.")
    if data == [None]:
        return NO_CUTS
    cuts: list[tuple[int, float] | None] = []
    for entry in data:
        if entry is None:
            cuts.append(None)
        elif isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int:
            cuts.append((entry[0], number_from_data(entry[1], where)))
        else:
            raise CertificateError(f"{where}: expected null or [side, place], got {entry!r:.60}.")
    return tuple(cuts)
