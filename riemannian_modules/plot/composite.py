"""The picture of a composite: its modules in layers, its wires between them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import Time
from riemannian_modules.plot.figure_file import save_figure
from riemannian_modules.plot.layers import layered, rows_of
from riemannian_modules.plot.links import Link, links_of, type_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_graph(graph: ModuleGraph, path: str | os.PathLike[str]) -> None:
    """Draw the composite into a PNG, SVG or PDF file by its name's ending, whole or not at all.

    Args:
        graph: The composite.
        path: The file; `.png`, `.svg` or `.pdf` decides its format.

    Raises:
        OSError: If the file cannot be written.
    """
    figure = graph_figure(graph)
    save_figure(figure, path)


def graph_figure(graph: ModuleGraph) -> Figure:
    """The composite in layers from left to right; a panel for it and for each composite inside.

    Nodes bear their name and type, wires the names of their ports; a wire that closes a loop runs
    back in an arc, dashed.

    Args:
        graph: The composite.
    """
    from matplotlib.figure import Figure

    panels = list(_panels("", graph))
    layers = [places_of(part) for _, part in panels]
    widest = max(max(column for column, _ in places.values()) for places in layers) + 1
    heights = [max(1.6, 1.0 * rows_of(places) + 0.7) for places in layers]
    figure = Figure(figsize=(max(6.0, 2.1 * widest), sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (name, part), places in zip(axes, panels, layers, strict=True):
        _draw_panel(axis, part, places)
        axis.set_title(name or "system", loc="left", fontsize=10, color="0.35")
    return figure


def _panels(name: str, graph: ModuleGraph) -> Any:
    yield name, graph
    for inner, module in graph.modules.items():
        if isinstance(module, ModuleGraph):
            yield from _panels(f"{name}.{inner}" if name else inner, module)


def places_of(graph: ModuleGraph) -> dict[str, tuple[float, float]]:
    """A place (column, row) for each node and for each port at the border ("in:r", "out:y")."""
    outputs = [f"out:{name}" for name in graph.output_sources]
    names = [f"in:{name}" for name in graph.inputs.names] + list(graph.modules) + outputs
    return layered(names, [_link_ends(link) for link in links_of(graph)], outputs)


def _link_ends(link: Link) -> tuple[str, str]:
    return link.source or f"in:{link.out}", link.target or f"out:{link.into}"


_ROW_HEIGHT = 0.45  # of a row, in widths of a column
_FILL = {Time.STATIC: "#e8eef7", Time.CONTINUOUS: "#e6f4e6", Time.DISCRETE: "#fdf0dc"}


def _draw_panel(axis: Axes, graph: ModuleGraph, places: Mapping[str, tuple[float, float]]) -> None:
    for link in links_of(graph):
        _draw_link(axis, link, places)
    for name, (column, row) in places.items():
        module = graph.modules.get(name)
        text = name.split(":", 1)[1] if module is None else f"{name}\n{type_name(module)}"
        style = (
            {"boxstyle": "rarrow,pad=0.25", "fc": "white"}
            if module is None
            else {"boxstyle": "round,pad=0.45", "fc": _FILL[module.signature.time]}
        )
        axis.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=8,
            bbox={**style, "ec": "0.3"},
            zorder=3,
        )
    columns, rows = zip(*places.values(), strict=True)
    axis.set_xlim(min(columns) - 0.6, max(columns) + 0.6)
    axis.set_ylim(min(rows) - 0.9, max(rows) + 0.9)
    axis.set_aspect(_ROW_HEIGHT)
    axis.set_axis_off()


def _half_width(link: Link, b: tuple[float, float], a: tuple[float, float]) -> float:
    """Points from a node's middle to its rim, for the head of a wire to be seen."""
    letters = max(len(link.target or link.into), 11 if link.target else 0)
    is_level = abs(b[1] - a[1]) * _ROW_HEIGHT < 0.4 * abs(b[0] - a[0])
    return 6 + 2.5 * letters if is_level else 20.0


def _draw_link(axis: Axes, link: Link, places: Mapping[str, tuple[float, float]]) -> None:
    a, b = (places[end] for end in _link_ends(link))
    is_back = b[0] <= a[0]
    # An arc leaves room for what lies between: a loop back, or a wire over several layers.
    bend = 0.35 if is_back else (0.0 if b[0] - a[0] <= 1 else -0.2)
    axis.annotate(
        "", xy=b, xytext=a, zorder=1,
        arrowprops={
            "arrowstyle": "-|>", "color": "0.35", "shrinkA": 12, "shrinkB": _half_width(link, b, a),
            "linestyle": "--" if is_back else "-",
            "connectionstyle": f"arc3,rad={-bend if is_back else bend}",
        },
    )  # fmt: skip
    if link.source and link.target:
        # The middle of a quadratic arc lies half of its bend beside the chord, on paper.
        sign = -bend if is_back else bend
        x = (a[0] + b[0]) / 2 + sign * (b[1] - a[1]) / 2 * _ROW_HEIGHT
        y = (a[1] + b[1]) / 2 - sign * (b[0] - a[0]) / 2 / _ROW_HEIGHT
        axis.text(
            x, y + 0.08, link.label, ha="center", va="bottom", fontsize=6.5, color="0.3", zorder=4
        )
