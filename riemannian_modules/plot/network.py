"""The picture of a network's proof: modules in the colour of their rates, edges by their gains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from riemannian_modules.canvas import BLUE, RATE_MAP, canvas, ink_on
from riemannian_modules.claims.answer import Proved
from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.evidence.block_checks import BlockChecks
from riemannian_modules.evidence.verify import read_evidence
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.plot.blocks import Block, Wire
from riemannian_modules.plot.diagram import (
    MARGIN,
    SMALL,
    Look,
    draw_blocks,
    draw_wires,
    points_per_unit,
    shortened,
    width_of,
)
from riemannian_modules.plot.layout import MOST_BLOCKS, MOST_WIRES, arranged
from riemannian_modules.plot.links import type_name
from riemannian_modules.search.networks.compose import NetworkBound
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

LABEL = 12.0  # the height of a gain, in points
WIDEST, THINNEST = 4.0, 0.8  # of edges, in points


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
    claim, evidence = read_evidence(proof.certificate)
    if not isinstance(evidence, BlockChecks):
        raise UnsupportedError(
            "network_graph: the proof has no bounds of parts; make it with certify_network."
        )
    names, comparison = evidence.names, evidence.comparison
    own = dict.fromkeys(names, 0.0)
    own |= {names[i]: value for (i, j), value in comparison.entries.items() if i == j}
    gains = [(names[j], names[i], v) for (i, j), v in comparison.entries.items() if i != j]
    return PartBounds(own, gains, claim.b)


def network_graph(
    graph: RiemannianModule, proof: Proved | NetworkBound, axes: Axes | None = None
) -> Figure:
    """Draw the modules that have a state and the gains between them, by which a network is proved.

    A module has the colour of the rate that is proved of it alone (brighter contracts faster), an
    edge is as wide as its gain; maps without state are part of the edges. Edges that close a loop
    are dashed. More modules than can be read as a diagram are drawn as the matrix of their gains,
    with their own rates beside it.

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
    require("network_graph", graph, RiemannianModule, "a composite")
    parts = part_bounds(proof)
    kinds = _kinds(graph, parts)
    is_flow = graph.signature.time is Time.CONTINUOUS
    own = {name: -value if is_flow else value for name, value in parts.own.items()}
    what = f"rate {-parts.bound:.4g} per unit of time" if is_flow else f"factor {parts.bound:.4g}"
    title = f"Proved by parts: {what}"
    scale = "rate [1/time]" if is_flow else "factor"
    if len(own) > MOST_BLOCKS or len(parts.gains) > MOST_WIRES:
        return _matrix(own, parts.gains, title, scale, axes)
    colours = _colours(own.values(), RATE_MAP if is_flow else f"{RATE_MAP}_r")
    looks = {name: _look(name, kinds[name], value, colours) for name, value in own.items()}
    return _diagram(looks, parts.gains, colours, (title, scale), axes)


def _matrix(
    own: Mapping[str, float], gains: Sequence[tuple[str, str, float]], title: str, scale: str,
    axes: Axes | None,
) -> Figure:  # fmt: skip
    """The gains from column to row, darker where larger, and each row's own rate beside it."""
    from matplotlib.colors import LogNorm

    place, n = {name: i for i, name in enumerate(own)}, len(own)
    rows = np.array([(place[a], place[b], gain) for a, b, gain in gains if gain > 0])
    figure, ax = canvas(axes, 7.0, 5.0)
    if len(rows):
        # A square a gain, as wide as its row: a dense matrix of thousands of parts has no room.
        shown = ax.scatter(rows[:, 0], rows[:, 1], c=rows[:, 2], s=max((280 / n) ** 2, 1.0), lw=0,
                           marker="s", cmap=f"{RATE_MAP}_r", norm=LogNorm())  # fmt: skip
        figure.colorbar(shown, ax=ax, label="gain from column to row", shrink=0.85)
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
    side = ax.inset_axes((1.02, 0.0, 0.18, 1.0), sharey=ax)
    side.plot(list(own.values()), np.arange(len(own)), ".", color=BLUE, ms=3)
    side.tick_params(labelleft=False, labelsize=SMALL)
    side.set_xlabel(f"own {scale}", fontsize=SMALL)
    ax.set(xlabel=f"part, of {n}", ylabel="part")
    ax.set_title(title, loc="left", fontsize=9)
    return figure


def _diagram(
    looks: Mapping[str, Look], edges: Sequence[tuple[str, str, float]], colours: ScalarMappable,
    words: tuple[str, str], axes: Axes | None,
) -> Figure:  # fmt: skip
    """Blocks of given looks, arrows as wide as their gains; `words` are the title and the scale."""
    title, unit = words
    gains = np.array([gain for *_, gain in edges])
    labels = [f"{gain:.3g}" for gain in gains]
    layout = arranged(
        [Block(name, look.heading, {"": 0.0}, {"": 0.0}) for name, look in looks.items()],
        [
            Wire(a, "", b, "", (width_of(label) + 4, LABEL))
            for (a, b, _), label in zip(edges, labels, strict=True)
        ],
        {},
    )
    left, bottom, right, top = layout.extent
    width, height = (right - left + 2 * MARGIN) / 72, (top - bottom + 2 * MARGIN) / 72
    figure, ax = canvas(axes, max(width + 1.0, 5.2), max(height + 0.4, 2.4))
    bar = figure.colorbar(colours, ax=ax)
    bar.set_label(f"own {unit}, proved", fontsize=SMALL + 1)
    bar.ax.tick_params(labelsize=SMALL + 1)
    ax.set_title(f"{title}; arrows: gains", loc="left", fontsize=9)
    scale = points_per_unit(ax, layout)
    draw_wires(ax, layout, widths_of(gains).tolist(), scale)
    draw_blocks(ax, layout, looks, scale)
    for place, label in zip(layout.labels, labels, strict=True):
        if place is not None:
            ax.text(*place, label, ha="center", va="center", fontsize=SMALL * scale, gid="gain")
    ax.set_axis_off()
    return figure


def _colours(values: Iterable[float], colours: str) -> ScalarMappable:
    """Colours from the slowest part to the fastest."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    finite = [value for value in values if np.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    scale = Normalize(low, high if high > low else low + 1e-9)
    return ScalarMappable(scale, colours)


def _look(name: str, kind: str, value: float, colours: ScalarMappable) -> Look:
    fill = tuple(colours.to_rgba(np.array(value))) if np.isfinite(value) else (0.88,) * 3
    lines = [*([shortened(kind)] if kind else []), f"{value:.4g}"]
    return Look(shortened(name), lines, fill, ink_on(fill))


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
