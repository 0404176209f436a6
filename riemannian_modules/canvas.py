"""Where a picture is drawn and in which colours: dark on light, safe for colour-blind readers.

Sources: Okabe and Ito, *Color Universal Design* (2008), for the lines; Nunez, Anderton and Renslow,
PLoS ONE 13 (2018), for the map cividis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9",
)  # fmt: skip
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))  # for lines that lie on each other
RATE_MAP = "cividis"
UNKNOWN = "0.88"  # what is not proved


def canvas(axes: Axes | None, width: float, height: float) -> tuple[Any, Axes]:
    """The figure and axes to draw on: those given, or new ones of a size in inches."""
    if axes is not None:
        return axes.get_figure(root=True), axes
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def ink_on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever is read better on a colour (r, g, b, ...)."""
    r, g, b = colour[:3]
    # Relative luminance as ITU-R BT.601 weighs it.
    return "black" if 0.299 * r + 0.587 * g + 0.114 * b > 0.5 else "white"


def legend_above(axes: Axes, letters: int = 60) -> None:
    """A legend over the axes rather than among the data, in columns of some letters in all."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        columns = max(1, min(len(labels), letters // (max(map(len, labels)) + 8)))
        axes.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=8,
            ncols=columns, borderaxespad=0.2, columnspacing=1.2, handlelength=2.4,
        )  # fmt: skip
