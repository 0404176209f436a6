"""Places for labels beside curves: over no curve, no block and no other label.

Source: Christensen, Marks and Shieber (1995), ACM Trans. Graphics 14, 203-232: candidates about the
thing labelled, the first that hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from riemannian_modules.spaces import Array

Position = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # left, bottom, right, top

AWAY = 3.0  # from a label's rim to its own curve, in points


def beside(
    curves: Sequence[Array], sizes: Sequence[Position | None], blocks: Sequence[Rectangle]
) -> list[Position | None]:
    """The middle of each curve's label; where nothing is free, the place that hides least.

    Args:
        curves: Points (m, 2) along each curve.
        sizes: Width and height of each curve's label, None where it has none.
        blocks: Rectangles to be kept free.
    """
    curves = [_evenly(curve) for curve in curves]
    taken = list(blocks)
    places: list[Position | None] = []
    for curve, size in zip(curves, sizes, strict=True):
        if size is None:
            places.append(None)
            continue
        place = _freest(_candidates(curve, size), size, curves, taken)
        places.append(place)
        taken.append(_about(place, size))
    return places


def in_corner(
    frame: Rectangle, size: Position, curves: Sequence[Array], blocks: Sequence[Rectangle]
) -> Position:
    """The middle of a frame's title: in the corner where it hides no curve and no block."""
    left, bottom, right, top = frame
    x0, x1 = left + size[0] / 2 + AWAY, right - size[0] / 2 - AWAY
    y0, y1 = bottom + size[1] / 2 + AWAY, top - size[1] / 2 - AWAY
    corners = [(x0, y1), (x1, y1), (x0, y0), (x1, y0)]
    return _freest(corners, size, [_evenly(curve) for curve in curves], blocks)


def _freest(
    candidates: Iterable[Position],
    size: Position,
    curves: Sequence[Array],
    taken: Sequence[Rectangle],
) -> Position:
    """The first of the candidates that hide least."""
    line = np.concatenate([*curves, np.zeros((0, 2))])
    rectangles = np.reshape(taken, (-1, 4))
    best, least = (0.0, 0.0), np.inf
    for place in candidates:
        hidden = _hidden(_about(place, size), line, rectangles)
        if hidden < least:
            best, least = place, hidden
        if not hidden:
            break
    return best


def _evenly(curve: Array) -> Array:
    """Points along a curve at most two points of paper from each other."""
    length = np.insert(np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum(), 0, 0.0)
    at = np.linspace(0.0, length[-1], 2 + int(length[-1] / 2))
    return np.stack([np.interp(at, length, coordinate) for coordinate in curve.T], axis=1)


def _about(place: Position, size: Position) -> Rectangle:
    (x, y), (w, h) = place, size
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def _candidates(curve: Array, size: Position) -> Iterator[Position]:
    """Beside points of the curve, from its middle outwards; at last a little further from it."""
    count = 41
    at = curve[np.linspace(0, len(curve) - 1, count).astype(int)].tolist()
    order = sorted(range(count), key=lambda i: abs(i - count // 2))
    for away in (AWAY, 3 * AWAY):
        up, right = size[1] / 2 + away, size[0] / 2 + away
        for x, y in (at[i] for i in order):
            yield from ((x, y + up), (x, y - up), (x + right, y), (x - right, y))


def _hidden(label: Rectangle, line: Array, taken: Array) -> float:
    """How much a label lies over: points of curves, and rectangles a hundredfold."""
    left, bottom, right, top = label
    x, y = line.T
    points = ((left - 1 < x) & (x < right + 1) & (bottom - 1 < y) & (y < top + 1)).sum()
    overlaps = (
        (taken[:, 0] < right) & (left < taken[:, 2]) & (taken[:, 1] < top) & (bottom < taken[:, 3])
    ).sum()
    return float(points + 100 * overlaps)
