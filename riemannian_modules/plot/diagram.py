"""A diagram on paper: blocks, wires and frames, drawn where a layout puts them.

Source: none; text is measured by Matplotlib's own outlines, so what has room in the layout has room
in the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

from riemannian_modules.canvas import BLUE
from riemannian_modules.plot.layout import Layout, Position

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGE, SMALL = 9.0, 7.5  # sizes of text, in points
MARGIN = 10.0  # around the diagram, in points
INK, PALE = "0.2", "0.4"


@final
@dataclass(frozen=True, slots=True)
class Look:
    """How a block looks: its name, smaller lines under it, its colours, its corners."""

    name: str
    lines: Sequence[str] = ()
    fill: Any = "white"
    ink: str = "black"
    corner: float = 3.0

    @property
    def heading(self) -> Position:
        """Width and height of its text, in points."""
        widths = [width_of(self.name, LARGE, "bold"), *(width_of(x, SMALL) for x in self.lines)]
        return max(widths), LARGE * 1.3 + SMALL * 1.35 * len(self.lines)


@lru_cache(maxsize=4096)
def width_of(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """The width of a line of text, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    outline = TextPath((0, 0), text.replace("$", r"\$"), size, prop=FontProperties(weight=weight))
    return float(outline.get_extents().width) + 0.1 * size


def shortened(text: str, most: int = 24) -> str:
    """A name cut in its middle if it is long."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 + 1 :]}"


def diagram_figure(layout: Layout) -> tuple[Figure, Axes]:
    """A figure in which a point of the layout is a point on paper."""
    from matplotlib.figure import Figure

    left, bottom, right, top = layout.extent
    width, height = right - left + 2 * MARGIN, top - bottom + 2 * MARGIN
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    points_per_unit(axes, layout)
    return figure, axes


def points_per_unit(axes: Axes, layout: Layout) -> float:
    """Set the axes' limits to a layout; how much larger than it the picture is, for its text."""
    left, bottom, right, top = layout.extent
    axes.set_xlim(left - MARGIN, right + MARGIN)
    axes.set_ylim(bottom - MARGIN, top + MARGIN)
    axes.set_aspect("equal", anchor="W")
    figure: Any = axes.get_figure(root=True)
    figure.draw_without_rendering()  # where the axes are is known after that alone
    return axes.get_window_extent().width / figure.dpi * 72 / (right - left + 2 * MARGIN)


def draw_frames(axes: Axes, layout: Layout, scale: float = 1.0) -> None:
    """The frames of composites inside, each with its name; `scale` is of text."""
    from matplotlib.patches import Rectangle

    for depth, (path, (left, bottom, right, top)) in enumerate(layout.frames.items()):
        axes.add_patch(
            Rectangle((left, bottom), right - left, top - bottom, fc="0.97", ec="0.6",
                      lw=0.8 * scale, ls=(0, (4, 2)), zorder=0.1 + 0.001 * depth, gid="frame")
        )  # fmt: skip
        axes.text(
            *layout.titles[path], shortened(path[-1]), ha="center", va="center", weight="bold",
            fontsize=SMALL * scale, color=PALE, zorder=4, parse_math=False,
        )  # fmt: skip


def draw_blocks(axes: Axes, layout: Layout, looks: Mapping[str, Look], scale: float = 1.0) -> None:
    """The blocks with what is written in them."""
    from matplotlib.patches import FancyBboxPatch

    for name, (left, bottom, right, top) in layout.blocks.items():
        look = looks[name]
        style = f"round,pad=0,rounding_size={look.corner}"
        axes.add_patch(
            FancyBboxPatch((left, bottom), right - left, top - bottom, boxstyle=style,
                           fc=look.fill, ec=INK, lw=0.9 * scale, zorder=3, gid=f"block:{name}")
        )  # fmt: skip
        x, y = layout.headings[name]
        y += look.heading[1] / 2 - LARGE * 0.65
        kind: dict[str, Any] = {"ha": "center", "va": "center", "color": look.ink, "zorder": 4}
        axes.text(x, y, look.name, fontsize=LARGE * scale, weight="bold", parse_math=False, **kind)
        for i, line in enumerate(look.lines):
            lower = y - LARGE * 0.65 - SMALL * 1.35 * (i + 0.5)
            axes.text(x, lower, line, fontsize=SMALL * scale, parse_math=False, **kind)
    for (_, _, port), (x, y) in layout.ports.items():
        axes.text(x, y, shortened(port), ha="center", va="center", fontsize=SMALL * scale,
                  color=PALE, zorder=4, parse_math=False)  # fmt: skip


def draw_wires(
    axes: Axes, layout: Layout, widths: Sequence[float] | None = None, scale: float = 1.0
) -> None:
    """The wires as arrows; those that run back, as feedback does, are dashed and blue."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    for i, (route, is_back) in enumerate(zip(layout.routes, layout.backward, strict=True)):
        path = Path(route, [Path.MOVETO, *[Path.CURVE4] * (len(route) - 1)])
        width = 1.1 if widths is None else widths[i]
        axes.add_patch(
            FancyArrowPatch(
                path=path, arrowstyle="-|>", mutation_scale=(7 + 1.5 * width) * scale,
                lw=width * scale, color=BLUE if is_back else INK, capstyle="butt",
                ls=(0, (5, 1.5)) if is_back else "-", zorder=2, gid="wire",
            )
        )  # fmt: skip
