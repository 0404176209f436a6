"""Pictures of composites: as Mermaid text, and drawn in layers with matplotlib."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spec.write import connections, shown_by
from riemannian_modules.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, slots=True)
class Link:
    """A wire between two nodes of a picture, or between a node and the composite's border."""

    source: str
    out: str
    target: str
    into: str

    @property
    def label(self) -> str:
        """The ports' names, once where they agree."""
        ports = [p for p in (self.out, self.into) if p]
        return " → ".join(dict.fromkeys(ports))


def type_name(module: RiemannianModule) -> str:
    """What a module is called in a picture."""
    if isinstance(module, ModuleGraph):
        return "composite"
    return module.name if isinstance(module, ExpressionModule) else type(module).__name__


def links_of(graph: ModuleGraph) -> list[Link]:
    """The wires between the modules as wired; the composite's own border is named ""."""
    connect, inputs = connections(graph)
    links = [Link(*a.split(".", 1), *b.split(".", 1)) for a, b in connect]
    links += [Link("", name, *target.split(".", 1)) for name, ts in inputs.items() for target in ts]
    for name, address in graph.output_sources.items():
        node, port = shown_by(graph, address).split(".", 1)
        links.append(Link(node, port, "", name))
    return links


def graph_to_mermaid(graph: ModuleGraph) -> str:
    """The composite as a Mermaid flowchart; composites inside are subgraphs, states are rounded.

    Ports of the composite stand at its border as flags. Paste it into a Markdown file or
    mermaid.live.
    """
    lines = ["flowchart LR"]
    _mermaid_nodes(graph, "", lines, "    ")
    names = {name for link in links_of(graph) for name in (link.source, link.target)}
    if "" in names:
        lines += [f'    in_{_key(n)}>"{_quoted(n)}"]' for n in graph.inputs.names]
        lines += [f'    out_{_key(n)}>"{_quoted(n)}"]' for n in graph.output_sources]
    _mermaid_links(graph, "", lines)
    return "\n".join(lines) + "\n"


def _mermaid_nodes(graph: ModuleGraph, prefix: str, lines: list[str], indent: str) -> None:
    for name, module in graph.modules.items():
        key, title = _key(prefix + name), f"{_quoted(name)}<br/><i>{_quoted(type_name(module))}</i>"
        if isinstance(module, ModuleGraph):
            lines.append(f'{indent}subgraph {key}["{_quoted(name)}"]')
            _mermaid_nodes(module, f"{prefix}{name}.", lines, indent + "    ")
            lines.append(f"{indent}end")
        elif module.signature.time is Time.STATIC:
            lines.append(f'{indent}{key}["{title}"]')
        else:
            lines.append(f'{indent}{key}(["{title}"])')


def _mermaid_links(graph: ModuleGraph, prefix: str, lines: list[str]) -> None:
    # Wires are drawn between leaves, so that each is seen to end where it does.
    for (node, port), (source, out) in graph.sources.items():
        label = Link(source, out, node, port).label
        lines.append(f'    {_key(prefix + source)} -- "{_quoted(label)}" --> {_key(prefix + node)}')
    for (node, port), name in graph.fed.items():
        lines.append(f'    in_{_key(name)} -- "{_quoted(port)}" --> {_key(node)}')
    for name, (node, port) in graph.output_sources.items():
        lines.append(f'    {_key(node)} -- "{_quoted(port)}" --> out_{_key(name)}')


def _key(name: str) -> str:
    """A Mermaid identifier; one that is not letters and digits is spelt by its code points."""
    text = re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m.group()):x}_", name)
    return f"n_{text}"


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def draw_graph(graph: ModuleGraph, path: str | os.PathLike[str]) -> None:
    """Draw the composite into a PNG, SVG or PDF file by its name's ending, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    figure = graph_figure(graph)
    save_figure(figure, path)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix.removeprefix(".") or "png", dpi=150)
    write_whole(path, content.getvalue())


def graph_figure(graph: ModuleGraph) -> Figure:
    """The composite in layers from left to right; a panel for it and for each composite inside.

    Nodes bear their name and type, wires the names of their ports; a wire that closes a loop runs
    back in an arc, dashed.
    """
    from matplotlib.figure import Figure

    panels = list(_panels("", graph))
    layers = [_layers(part) for _, part in panels]
    widest = max(max(column for column, _ in places.values()) for places in layers) + 1
    heights = [max(1.6, 1.0 * _rows(places) + 0.7) for places in layers]
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


def _rows(places: Mapping[str, tuple[float, float]]) -> int:
    columns = [column for column, _ in places.values()]
    return max(columns.count(column) for column in set(columns))


def _layers(graph: ModuleGraph) -> dict[str, tuple[float, float]]:
    """A place (column, row) for each node and for each port at the border ("in:r", "out:y")."""
    import networkx as nx

    flow = nx.DiGraph()
    flow.add_nodes_from(_ends(graph))
    order = {name: i for i, name in enumerate(_ends(graph))}
    ends = [_link_ends(link) for link in links_of(graph)]
    # Wires in the order in which the modules were named come first, so that they run forwards.
    for a, b in sorted(ends, key=lambda e: order[e[0]] >= order[e[1]]):
        # Wires that would close a loop do not order the layers; they are drawn backwards.
        if a != b and not (flow.has_node(b) and nx.has_path(flow, b, a)):
            flow.add_edge(a, b)
    outputs = [name for name in _ends(graph) if name not in graph.modules and name[0] == "o"]
    columns = [list(names) for names in nx.topological_generations(flow)]
    # The composite's outputs stand together at its right border.
    last = [[n for n in names if n not in outputs] for names in columns]
    columns = [names for names in last if names] + ([outputs] if outputs else [])
    places: dict[str, tuple[float, float]] = {}
    for column, names in enumerate(columns):
        # Nodes stand at the height of those that feed them, which leaves few crossings.
        heights = {n: [places[p][1] for p in flow.predecessors(n) if p in places] for n in names}
        ordered = sorted(names, key=lambda n: -sum(heights[n]) / max(len(heights[n]), 1))
        shift = (len(names) - 1) / 2
        for row, name in enumerate(ordered):
            places[name] = (float(column), shift - row)
    return places


def _ends(graph: ModuleGraph) -> list[str]:
    inputs = [f"in:{name}" for name in graph.inputs.names]
    return inputs + list(graph.modules) + [f"out:{name}" for name in graph.output_sources]


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
