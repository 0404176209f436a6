"""The picture of what is left open: a region's undecided boxes, the largest in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE, VERMILLION, canvas
from riemannian_modules.claims.answer import Estimated
from riemannian_modules.errors import DomainError, RegionError
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from riemannian_modules.region import Side

REACH = 5.0  # how much is shown of an unbounded side


def undecided_boxes(
    answer: Estimated, plane: Sequence[str] | None = None, axes: Axes | None = None
) -> Figure:
    """Draw the boxes on which neither a proof nor a refutation was found, seen along a plane.

    Args:
        answer: An open answer with undecided boxes, largest first.
        plane: Two coordinates; where None, those that tell the boxes apart best.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.

    Raises:
        DomainError: If the answer holds no boxes, or boxes of fewer than two coordinates.
        RegionError: For unknown coordinates.
    """
    from matplotlib.patches import Rectangle

    if not answer.undecided:
        raise DomainError(
            "undecided_boxes: the answer holds no undecided boxes; only certify without a proof "
            f"leaves any. It says: {answer.reason}"
        )
    first, second = _plane(answer.undecided, plane)
    figure, ax = canvas(axes, 5.6, 4.2)
    window = [_window(answer.undecided, name) for name in (first, second)]
    for number, box in reversed(list(enumerate(answer.undecided))):
        (x0, x1), (y0, y1) = (
            (max(a, low), min(b, high))
            for (a, b), (low, high) in zip((box[first], box[second]), window, strict=True)
        )
        patch = Rectangle((x0, y0), x1 - x0, y1 - y0, fc=BLUE, ec="0.2", lw=0.6, alpha=0.35)
        if number == 0:
            patch.set(fc="none", ec=VERMILLION, lw=2.5, alpha=1.0, zorder=3, label="largest")
        ax.add_patch(patch)
    for (low, high), set_limits in zip(window, (ax.set_xlim, ax.set_ylim), strict=True):
        margin = 0.05 * ((high - low) or 1.0)
        set_limits(low - margin, high + margin)
    ax.set(xlabel=first, ylabel=second)
    count = len(answer.undecided)
    ax.set_title(f"{count} undecided box{'es' * (count > 1)}: neither proved nor refuted",
                 loc="left", fontsize=9)  # fmt: skip
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return figure


def _plane(boxes: Sequence[Mapping[str, Side]], wanted: Sequence[str] | None) -> tuple[str, str]:
    known = list(boxes[0])
    if wanted is not None:
        unknown = [name for name in wanted if name not in known]
        if unknown or len(set(wanted)) != 2:
            raise RegionError(
                f"undecided_boxes: expected two coordinates of {', '.join(known)}, got "
                f"{list(wanted)}."
            )
        return wanted[0], wanted[1]
    if len(known) < 2:
        raise DomainError("undecided_boxes: a picture needs two coordinates, the boxes have one.")
    # The coordinates that were cut most often, in the order of the region.
    order = sorted(known, key=lambda name: -len({box[name] for box in boxes}))[:2]
    first, second = sorted(order, key=known.index)
    return first, second


def _window(boxes: Sequence[Mapping[str, Side]], name: str) -> tuple[float, float]:
    """What is shown of a coordinate: all finite sides, and a part of what is unbounded."""
    sides: Array = np.array([box[name] for box in boxes])
    finite = sides[np.isfinite(sides)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    low -= REACH * bool(np.isneginf(sides).any())
    high += REACH * bool(np.isposinf(sides).any())
    return float(low), float(high)
