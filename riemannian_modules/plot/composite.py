"""The picture of a composite: its modules with their ports, the wires between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from riemannian_modules.door import require
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import Time
from riemannian_modules.plot.blocks import Block, Wire
from riemannian_modules.plot.diagram import (
    Look,
    diagram_figure,
    draw_blocks,
    draw_frames,
    draw_wires,
    shortened,
    width_of,
)
from riemannian_modules.plot.figure_file import save_figure
from riemannian_modules.plot.layout import Layout, arranged
from riemannian_modules.plot.links import type_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FILL = {Time.STATIC: "#e8eef7", Time.CONTINUOUS: "#e2f2e4", Time.DISCRETE: "#fdf0dc"}
_FLAG = "white"


def draw_graph(graph: ModuleGraph, path: str | os.PathLike[str]) -> None:
    """Draw the composite into a PNG, SVG or PDF file by its name's ending, whole or not at all.

    Args:
        graph: The composite.
        path: The file; `.png`, `.svg` or `.pdf` decides its format.

    Raises:
        OSError: If the file cannot be written.
        UnsupportedError: As `graph_figure`.
    """
    save_figure(graph_figure(graph), path)


def graph_figure(graph: ModuleGraph) -> Figure:
    """The composite from left to right, or downwards where it is larger on a page so.

    A block is a module, with its name, its type and the ports that wires leave or reach; composites
    inside are frames. Blocks with a state are green (in continuous time) or orange (in steps),
    maps are blue, the composite's own ports are white. Wires that run back are dashed.

    Args:
        graph: The composite.

    Raises:
        UnsupportedError: If there are more modules than can be read, or if PyGraphviz is absent.
    """
    require("graph_figure", graph, ModuleGraph, "a composite")
    looks, layout = layout_of(graph)
    figure, axes = diagram_figure(layout)
    draw_frames(axes, layout)
    draw_wires(axes, layout)
    draw_blocks(axes, layout, looks)
    axes.set_axis_off()
    return figure


def layout_of(graph: ModuleGraph) -> tuple[dict[str, Look], Layout]:
    """How each block looks and where it is; the composite's ports are "in:r" and "out:y"."""
    wires = list(_wires(graph))
    looks = {f"in:{name}": Look(shortened(name), corner=8.0) for name in graph.inputs.names}
    for path, module in graph.nodes.items():
        name = path.rpartition(".")[2]
        look = Look(shortened(name), [shortened(type_name(module))], _FILL[module.signature.time])
        looks[path] = look
    looks |= {f"out:{name}": Look(shortened(name), corner=8.0) for name in graph.output_sources}
    blocks = [_block(name, look, wires) for name, look in looks.items()]
    paths = dict.fromkeys(p for b in blocks for p in _prefixes(b.frame))
    frames = {path: (width_of(shortened(path[-1]), weight="bold"), 11.0) for path in paths}
    return looks, arranged(blocks, wires, frames)


def _wires(graph: ModuleGraph) -> Iterator[Wire]:
    """The wires between leaves, for each is to be seen to end where it does."""
    for (node, port), name in graph.fed.items():
        yield Wire(f"in:{name}", "", node, port)
    for (node, port), (source, out) in graph.sources.items():
        yield Wire(source, out, node, port)
    for name, (node, port) in graph.output_sources.items():
        yield Wire(node, port, f"out:{name}", "")


def _block(name: str, look: Look, wires: list[Wire]) -> Block:
    inputs = dict.fromkeys(w.into for w in wires if w.target == name)
    outputs = dict.fromkeys(w.out for w in wires if w.source == name)
    *frame, _ = name.split(".")
    return Block(
        name,
        look.heading,
        {port: width_of(shortened(port)) for port in inputs},
        {port: width_of(shortened(port)) for port in outputs},
        tuple(frame),
    )


def _prefixes(path: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [path[: i + 1] for i in range(len(path))]
