"""Places for the blocks of a diagram and routes for its wires, by Graphviz's layered layout.

Source: Gansner, Koutsofios, North and Vo (1993), *A Technique for Drawing Directed Graphs*, IEEE
Trans. Software Engineering 19, 214-230: layers, few crossings, and curves through free space alone.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.plot.blocks import STUB, Across, Block, Down, FlowDirection, PortRow, Wire
from riemannian_modules.plot.feedback import feedback
from riemannian_modules.plot.labels import Position, Rectangle, beside, in_corner
from riemannian_modules.spaces import Array

MOST_BLOCKS, MOST_WIRES = 100, 250  # beyond, nothing is read, and a layout takes minutes
LABEL_ROOM = 14.0, 7.0  # about the middle of a label
PAGE = 900.0, 1800.0  # the width and height that are read with ease: pages are scrolled downwards


@final
@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where all of a diagram is, in points.

    Attributes:
        page: What blocks and frames take up; wires may reach a little over it.
        is_downwards: Whether wires run from the top down; else from the left to the right.
        blocks: Each block's rectangle.
        headings: The middle of each block's heading.
        ports: The middle of each port's name, by block, "in" or "out", and port.
        frames: The rectangle of each frame, the outer ones first.
        titles: The middle of each frame's title.
        routes: The control points (3 k + 1, 2) of each wire's cubic Bezier curve.
        labels: The middle of each wire's label, None where it has none.
    """

    page: Rectangle
    is_downwards: bool
    blocks: Mapping[str, Rectangle]
    headings: Mapping[str, Position]
    ports: Mapping[tuple[str, str, str], Position]
    frames: Mapping[tuple[str, ...], Rectangle]
    titles: Mapping[tuple[str, ...], Position]
    routes: Sequence[Array]
    labels: Sequence[Position | None]

    @property
    def backward(self) -> list[bool]:
        """Of each wire, whether it runs against the direction of reading, as feedback does."""
        axis, sign = (1, -1.0) if self.is_downwards else (0, 1.0)
        return [sign * (route[-1, axis] - route[0, axis]) <= 0 for route in self.routes]

    @property
    def pages(self) -> float:
        """How many times the whole is wider or higher than a page."""
        left, bottom, right, top = self.extent
        return max((right - left) / PAGE[0], (top - bottom) / PAGE[1])

    @property
    def extent(self) -> Rectangle:
        """What blocks, frames and wires take up."""
        corners = np.reshape(self.page, (2, 2))
        labels = np.reshape([place for place in self.labels if place is not None], (-1, 2))
        spread = np.concatenate([labels - LABEL_ROOM, labels + LABEL_ROOM])
        points = np.concatenate([corners, spread, *(bezier(route) for route in self.routes)])
        (left, bottom), (right, top) = points.min(0).tolist(), points.max(0).tolist()
        return left, bottom, right, top


def arranged(
    blocks: Sequence[Block], wires: Sequence[Wire], frames: Mapping[tuple[str, ...], Position]
) -> Layout:
    """The layout from left to right, or downwards where that alone fits a page better.

    Args:
        blocks: The blocks, in the order of reading where wires leave it open.
        wires: The wires between their ports.
        frames: Width and height of the title of each frame, by its path.

    Raises:
        UnsupportedError: If there is too much to be read, or no PyGraphviz to arrange it.
    """
    if len(blocks) > MOST_BLOCKS or len(wires) > MOST_WIRES:
        raise UnsupportedError(
            f"picture: {len(blocks)} blocks and {len(wires)} wires cannot be read in one picture; "
            f"expected at most {MOST_BLOCKS} and {MOST_WIRES}. Draw a composite inside: "
            "graph.modules[NAME]."
        )
    across = _laid(Across(), blocks, wires, frames)
    if across.pages <= 1.0:
        return across
    down = _laid(Down(), blocks, wires, frames)
    return down if 1.3 * down.pages < across.pages else across


def bezier(route: Array, parts: int = 16) -> Array:
    """Points (m, 2) along a cubic Bezier curve with control points (3 k + 1, 2)."""
    t = np.linspace(0.0, 1.0, parts + 1)[:, None]
    weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
    pieces = [sum(w * p for w, p in zip(weights, route[i : i + 4], strict=True))
              for i in range(0, len(route) - 1, 3)]  # fmt: skip
    return np.concatenate(pieces)


def _laid(
    direction: FlowDirection, blocks: Sequence[Block], wires: Sequence[Wire],
    frames: Mapping[tuple[str, ...], Position],
) -> Layout:  # fmt: skip
    key = {block.name: f"b{i}" for i, block in enumerate(blocks)}
    by_name = {block.name: block for block in blocks}
    fans = Counter(end for w in wires for end in ((w.source, w.out), (w.target, "")))
    labels = max((wire.label[0] for wire in wires if wire.label), default=0.0)
    between = 0.2 + 0.04 * max(fans.values(), default=0) + labels / 72  # inches, for turns
    back = feedback([b.name for b in blocks], [(w.source, w.target) for w in wires])
    lines = [
        f"digraph {{ rankdir={direction.rankdir}; nodesep=0.1; ranksep={between};",
        "nslimit=2; mclimit=0.5; node [shape=plain]; edge [arrowhead=none];",
        *_nodes((), direction, blocks, frames, key),
    ]
    for i, wire in enumerate(wires):
        out = list(by_name[wire.source].outputs).index(wire.out)
        into = list(by_name[wire.target].inputs).index(wire.into)
        start = f"{key[wire.source]}:o{out}:{direction.leave}"
        end = f"{key[wire.target]}:i{into}:{direction.enter}"
        # What runs back is written the other way round, for Graphviz to leave our choice as it is.
        start, end = (end, start) if i in back else (start, end)
        lines.append(f"{start} -> {end} [id={i}];")
    drawn = _drawn("\n".join([*lines, "}"]))
    return _read(drawn, direction, blocks, wires, frames, back)


def _nodes(
    path: tuple[str, ...], direction: FlowDirection, blocks: Sequence[Block],
    frames: Mapping[tuple[str, ...], Position], key: Mapping[str, str],
) -> Iterable[str]:  # fmt: skip
    """The lines of what stands in a frame; those of frames inside come where they are first met."""
    seen: set[tuple[str, ...]] = set()
    for block in blocks:
        if block.frame == path:
            yield f"{key[block.name]} [label=<{_table(direction.rows(block))}>];"
        inner = block.frame[: len(path) + 1]
        if len(inner) > len(path) and inner[:-1] == path and inner not in seen:
            seen.add(inner)
            yield f"subgraph cluster_{list(frames).index(inner)} {{ margin=10; labeljust=l;"
            yield f"label=<{_table([[('', *frames[inner])]])}>;"
            yield from _nodes(inner, direction, blocks, frames, key)
            yield "}"


_PLAIN = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'


def _table(rows: Iterable[PortRow]) -> str:
    """Cells of given sizes as Graphviz writes them: it measures no text of ours."""

    def cell(port: str, width: float, height: float) -> str:
        named = f' PORT="{port}"' if port else ""
        size = f'WIDTH="{math.ceil(width)}" HEIGHT="{math.ceil(height)}"'
        return f'<TD{named} FIXEDSIZE="TRUE" {size}></TD>'

    lines = ("".join(cell(*c) for c in row if c[1] > 0) for row in rows)
    return (
        _PLAIN
        + "".join(f"<TR><TD>{_PLAIN}<TR>{x}</TR></TABLE></TD></TR>" for x in lines)
        + ("</TABLE>")
    )


def _drawn(text: str) -> dict[str, Any]:
    try:
        from pygraphviz import AGraph
    except ImportError:
        raise UnsupportedError(
            "picture: diagrams are arranged by Graphviz, which comes with PyGraphviz 2; it is not "
            "installed. Run `pip install pygraphviz`, or paste the text of graph_to_mermaid into a "
            "Markdown file."
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Graphviz remarks about its own spacing
        return json.loads(AGraph(string=text).draw(format="json", prog="dot") or "{}")


def _read(
    drawn: Mapping[str, Any], direction: FlowDirection, blocks: Sequence[Block],
    wires: Sequence[Wire], frames: Mapping[tuple[str, ...], Position], back: set[int],
) -> Layout:  # fmt: skip
    objects = {entry["name"]: entry for entry in drawn.get("objects", ())}
    edges = [entry for _, entry in sorted((int(e["id"]), e) for e in drawn.get("edges", ()))]
    boxes = {b.name: _box(b, direction, objects[f"b{i}"]) for i, b in enumerate(blocks)}
    rims, names = dict[tuple[str, str, str], Position](), dict[tuple[str, str, str], Position]()
    for block in blocks:
        for side, ports in (("in", block.inputs), ("out", block.outputs)):
            for place, (port, width) in enumerate(ports.items()):
                rim = direction.port(block, boxes[block.name], side, place)
                rims[block.name, side, port] = rim
                if width:
                    names[block.name, side, port] = direction.name(rim, side, width)
    ends = [(rims[w.source, "out", w.out], rims[w.target, "in", w.into]) for w in wires]
    gaps = _Gaps(boxes, 1 if direction.is_downwards else 0)
    routes = list[Array]()
    for i, (edge, wire, (a, b)) in enumerate(zip(edges, wires, ends, strict=True)):
        bend = gaps.crossed(wire, a, b)
        found = _points(edge["pos"])[:: -1 if i in back else 1]
        routes.append(_drawn_out(a, found if bend is None else bend, b))
    curves, obstacles = [bezier(route) for route in routes], list(boxes.values())
    places = {f: _rectangle(objects[f"cluster_{i}"]["bb"]) for i, f in enumerate(frames)}
    return Layout(
        _rectangle(drawn["bb"]),
        direction.is_downwards,
        boxes,
        {b.name: direction.heading(b, boxes[b.name]) for b in blocks},
        names,
        places,
        {f: in_corner(places[f], size, curves, obstacles) for f, size in frames.items()},
        routes,
        beside(curves, [wire.label for wire in wires], obstacles),
    )


def _box(block: Block, direction: FlowDirection, placed: Mapping[str, Any]) -> Rectangle:
    (x, y), (width, height) = _point(placed["pos"]), direction.size(block)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


class _Gaps:
    """The free strips between neighbouring layers, in which a wire needs no detour."""

    def __init__(self, boxes: Mapping[str, Rectangle], axis: int) -> None:
        self.axis, self.sign = axis, -1.0 if axis else 1.0
        middles = {n: round((b[axis] + b[axis + 2]) * self.sign / 2) for n, b in boxes.items()}
        order = {middle: i for i, middle in enumerate(sorted(set(middles.values())))}
        self.layer = {name: order[middle] for name, middle in middles.items()}
        self.near, self.far = [math.inf] * len(order), [-math.inf] * len(order)
        for name, i in self.layer.items():
            ends = boxes[name][axis] * self.sign, boxes[name][axis + 2] * self.sign
            self.near[i] = min(self.near[i], *ends)
            self.far[i] = max(self.far[i], *ends)

    def crossed(self, wire: Wire, start: Position, end: Position) -> Array | None:
        """A bend from a layer to the next one, None for any other wire.

        Graphviz's own curves swing wide where many wires leave one port; these do not cross.
        """
        i, j = self.layer[wire.source], self.layer[wire.target]
        if j != i + 1:
            return None
        first, last = self.far[i] + STUB / 2, self.near[j] - STUB / 2
        along = np.array([first, (first + last) / 2, (first + last) / 2, last]) * self.sign
        across = np.repeat([start[1 - self.axis], end[1 - self.axis]], 2)
        return np.stack([across, along] if self.axis else [along, across], axis=1)


def _drawn_out(start: Position, curve: Array, end: Position) -> Array:
    """A curve between the margins of two blocks, drawn out straight to their rims."""
    (first, last), (a, b) = (curve[0], curve[-1]), (np.array(start), np.array(end))
    before = [a, a + (first - a) / 3, a + 2 * (first - a) / 3]
    after = [last + (b - last) / 3, last + 2 * (b - last) / 3, b]
    return np.array([*before, *curve, *after])


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _point(text: str) -> Position:
    x, y = _numbers(text)
    return x, y


def _rectangle(text: str) -> Rectangle:
    left, bottom, right, top = _numbers(text)
    return left, bottom, right, top


def _points(text: str) -> Array:
    return np.array([_numbers(part) for part in text.split()])
