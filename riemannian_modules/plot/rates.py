"""The picture of the proved rate over a region, in slices of two coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.bound import LogNormBound
from riemannian_modules.canvas import RATE_MAP, UNKNOWN, canvas
from riemannian_modules.plot.rate_slice import RateSlice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rate_slices(shown: RateSlice, axes: Axes | None = None) -> Figure:
    """Draw a slice: each box in the colour of the rate that is proved on it.

    Brighter contracts faster. Where nothing is proved a box is grey and hatched; where distances
    may grow by the bound, it is hatched.

    Args:
        shown: Boxes and their bounds, from `proved_slice`.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    figure, ax = canvas(axes, 5.6, 4.2)
    is_flow = shown.kind is LogNormBound
    rates = shown.rates
    corners = _corners(shown)
    known = np.isfinite(rates)
    colours = RATE_MAP if is_flow else f"{RATE_MAP}_r"
    filled = PolyCollection(corners[known], array=rates[known], cmap=colours, edgecolors="face")
    ax.add_collection(filled)
    marks = []
    for which, colour, meaning in (
        (~known, UNKNOWN, "nothing proved"),
        (known & (shown.bounds >= (0 if is_flow else 1)), "none", "distances may grow"),
    ):
        if which.any():
            marks.append(Patch(fc=colour, hatch="///", ec="0.45", lw=0, label=meaning))
            ax.add_collection(
                PolyCollection(
                    corners[which], facecolors=colour, hatch="///", edgecolors="0.45", linewidths=0
                )
            )
    if known.any():
        unit = "rate [1/time]" if is_flow else "factor"
        figure.colorbar(filled, ax=ax, label=f"proved {unit}")
    ax.set(xlabel=shown.plane[0], ylabel=shown.plane[1])
    ax.set_xlim(shown.lower[:, 0].min(), shown.upper[:, 0].max())
    ax.set_ylim(shown.lower[:, 1].min(), shown.upper[:, 1].max())
    ax.set_title(_title(shown), loc="left", fontsize=9)
    if marks:
        ax.legend(handles=marks, loc="upper left", bbox_to_anchor=(0.0, -0.14), frameon=False,
                  fontsize=8, ncols=2, borderaxespad=0.0)  # fmt: skip
    return figure


def _corners(shown: RateSlice) -> Any:
    """The four corners of each box, (boxes, 4, 2)."""
    (x0, y0), (x1, y1) = shown.lower.T, shown.upper.T
    return np.stack([np.stack(p, -1) for p in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], 1)


def _title(shown: RateSlice) -> str:
    fixed = [f"{n} = {a:g}" for n, (a, b) in shown.others.items() if a == b]
    free = [n for n, (a, b) in shown.others.items() if a != b]
    parts = [f"at {', '.join(fixed)}"] if fixed else []
    parts += (
        [f"for every value of {', '.join(free[:4])}{' ...' if len(free) > 4 else ''}"]
        if free
        else []
    )
    said = "; ".join(parts)
    return f"Proved on each of {len(shown.bounds)} boxes, not sampled" + (
        f"\n{said}" if said else ""
    )
