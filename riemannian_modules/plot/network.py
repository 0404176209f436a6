"""The picture of a network's proof: modules in the colour of their rates, edges by their gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.certify.answer import Proved
from riemannian_modules.certify.networks.compose import NetworkBound
from riemannian_modules.certify.networks.network_table import comparison_of
from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.plot.canvas import RATE_MAP, canvas, ink_on
from riemannian_modules.plot.layers import Places, layered, rows_of
from riemannian_modules.plot.links import type_name
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LABELS = 60
WIDEST, THINNEST = 5.0, 0.8  # of edges, in points
ROW_HEIGHT = 0.5  # of a row, in widths of a column


@final
@dataclass(frozen=True, slots=True, eq=False)
class PartBounds:
    """What is proved of a network's parts: numbers that a picture shows.

    Attributes:
        own: Each part's own log-norm or factor.
        gains: Rows (from, to, gain) between different parts.
        bound: The network's log-norm or factor.
    """

    own: Mapping[str, float]
    gains: Sequence[tuple[str, str, float]]
    bound: float


def part_bounds(proof: Proved | NetworkBound) -> PartBounds:
    """The numbers of a proof by parts, from `certify_network` or `network_bound`.

    Raises:
        UnsupportedError: For a proof by another rule.
    """
    if isinstance(proof, NetworkBound):
        own = dict(zip(proof.nodes, np.diagonal(proof.matrix).tolist(), strict=True))
        return PartBounds(own, [row for row in proof.table() if row[0] != row[1]], proof.bound)
    data = proof.certificate.data
    if data["evidence"]["rule"] != "network":
        raise UnsupportedError(
            "network_graph: the proof has no bounds of parts; make it with certify_network."
        )
    names, comparison, _ = comparison_of(data)
    own = dict.fromkeys(names, 0.0)
    own |= {names[i]: value for (i, j), value in comparison.entries.items() if i == j}
    gains = [(names[j], names[i], v) for (i, j), v in comparison.entries.items() if i != j]
    return PartBounds(own, gains, float(data["claim"]["bound"]))


def network_graph(
    graph: RiemannianModule, proof: Proved | NetworkBound, axes: Axes | None = None
) -> Figure:
    """Draw the modules that have a state and the gains between them, by which a network is proved.

    A module has the colour of the rate that is proved of it alone (brighter contracts faster), an
    edge is as wide as its gain; maps without state are part of the edges. Edges that close a loop
    are dashed.

    Args:
        graph: The composite.
        proof: Its proof by parts, from `certify_network`, or its bound, from `network_bound`.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.

    Raises:
        SignatureError: If the proof speaks of modules that the composite has not.
        UnsupportedError: For a proof by another rule.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    require("network_graph", graph, RiemannianModule, "a composite")
    parts = part_bounds(proof)
    kinds = _kinds(graph, parts)
    is_flow = graph.signature.time is Time.CONTINUOUS
    own = {name: -value if is_flow else value for name, value in parts.own.items()}
    edges = parts.gains
    places = layered(list(own), [(a, b) for a, b, _ in edges])
    columns = max((column for column, _ in places.values()), default=0.0) + 1
    size = min(max(5.0, 2.2 * columns), 16.0), min(max(2.8, 1.1 * rows_of(places) + 1.2), 12.0)
    figure, ax = canvas(axes, *size)
    values = np.array(list(own.values()))
    finite = values[np.isfinite(values)]
    span = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    scale = Normalize(span[0], span[1] if span[1] > span[0] else span[0] + 1e-9)
    colours = ScalarMappable(scale, RATE_MAP if is_flow else f"{RATE_MAP}_r")
    _draw_edges(ax, edges, places)
    _draw_nodes(ax, own, kinds, places, colours)
    figure.colorbar(colours, ax=ax, label=f"own {'rate [1/time]' if is_flow else 'factor'}, proved")
    what = f"rate {-parts.bound:.4g} per unit of time" if is_flow else f"factor {parts.bound:.4g}"
    ax.set_title(f"Proved by parts: {what}", loc="left", fontsize=9)
    rows = [row for _, row in places.values()]
    rows += [_middle(places[a], places[b])[1] for a, b, _ in edges]
    ax.set_xlim(-0.6, columns - 0.4)
    ax.set_ylim(min(rows, default=0.0) - 0.8, max(rows, default=0.0) + 0.8)
    ax.set_aspect(ROW_HEIGHT)
    ax.set_axis_off()
    return figure


def _kinds(graph: RiemannianModule, parts: PartBounds) -> dict[str, str]:
    """What kind of module each part is; nothing for the coordinates of one module."""
    if not isinstance(graph, ModuleGraph):
        return dict.fromkeys(parts.own, "")
    unknown = sorted(set(parts.own) - set(graph.nodes))
    if unknown:
        raise SignatureError(
            f"network_graph: the composite has no modules {unknown}; known are: "
            f"{', '.join(graph.nodes)}."
        )
    return {name: type_name(graph.nodes[name]) for name in parts.own}


def widths_of(gains: Array) -> Array:
    """Widths of edges in points: linear in the gain, the largest gain widest."""
    largest = float(gains[np.isfinite(gains)].max(initial=0.0))
    part = np.minimum(gains / largest, 1.0) if largest > 0 else np.zeros_like(gains)
    return THINNEST + (WIDEST - THINNEST) * part


def _draw_edges(ax: Axes, edges: Sequence[tuple[str, str, float]], places: Places) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyArrowPatch

    gains = np.array([gain for *_, gain in edges])
    widths = widths_of(gains)
    for (source, target, gain), width in zip(edges, widths.tolist(), strict=True):
        a, b = places[source], places[target]
        is_back = b[0] <= a[0]
        bend = _bend(a, b)
        arrow = FancyArrowPatch(
            a, b, arrowstyle="-|>", mutation_scale=8 + 2 * width, lw=width, color="0.35",
            linestyle="--" if is_back else "-", connectionstyle=f"arc3,rad={-bend}",
            shrinkA=26, shrinkB=26, zorder=1,
        )  # fmt: skip
        ax.add_patch(arrow)
        if len(edges) <= MOST_LABELS:
            ax.text(*_middle(a, b), f"{gain:.3g}", ha="center", va="center", fontsize=7, zorder=4,
                    bbox={"fc": "white", "ec": "none", "pad": 0.8})  # fmt: skip
    if edges:
        shown = np.unique([gains.min(), gains.max()])
        lines = [
            Line2D([], [], color="0.35", lw=w, label=f"gain {g:.3g}")
            for g, w in zip(shown, np.interp(shown, np.sort(gains), np.sort(widths)), strict=True)
        ]
        ax.legend(handles=lines, frameon=False, fontsize=7, loc="lower right", ncols=len(lines))


def _bend(a: tuple[float, float], b: tuple[float, float]) -> float:
    """How far an arc leaves its chord: room for what lies between, less for long arcs."""
    span = max(abs(b[0] - a[0]), 1.0)
    return min(0.3, 0.7 / span) if b[0] <= a[0] else (0.0 if span <= 1 else -0.4 / span)


def _middle(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """The middle of an arc, which lies half of its bend beside the chord, on paper."""
    half = _bend(a, b) / 2
    x = (a[0] + b[0]) / 2 - half * (b[1] - a[1]) * ROW_HEIGHT
    return x, (a[1] + b[1]) / 2 + half * (b[0] - a[0]) / ROW_HEIGHT


def _draw_nodes(
    ax: Axes, own: Mapping[str, float], kinds: Mapping[str, str], places: Places, colours: Any
) -> None:
    for name, value in own.items():
        column, row = places[name]
        fill = colours.to_rgba(value) if np.isfinite(value) else (0.88, 0.88, 0.88, 1.0)
        if len(own) > MOST_LABELS:
            ax.plot([column], [row], "o", color=fill, mec="0.3", ms=8, zorder=3)
            continue
        text = "\n".join([name, *([kinds[name]] if kinds[name] else []), f"{value:.4g}"])
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink_on(fill),
                zorder=3, bbox={"boxstyle": "round,pad=0.45", "fc": fill, "ec": "0.3"})  # fmt: skip
