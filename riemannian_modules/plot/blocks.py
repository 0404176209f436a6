"""Blocks with ports, for wires that run to the right or downwards: sizes, cells, places.

Source: none; in the manner of block diagrams, inputs stand where wires come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from riemannian_modules.plot.labels import Position, Rectangle

PortRow = Sequence[tuple[str, float, float]]  # of cells: the port ("" for none), width, height

STUB, GAP = 9.0, 6.0  # what a block keeps free of other wires, at its ports and at its sides
PORT_ROW = 13.0  # the height of a port's name


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle with ports; lengths in points. A port without a name has the width 0.

    Attributes:
        name: Its name, unlike all others'.
        heading: Width and height of what stands in its middle.
        inputs: The widths of the input ports' names.
        outputs: The widths of the output ports' names.
        frame: The frames that it stands in, outermost first.
    """

    name: str
    heading: Position
    inputs: Mapping[str, float] = field(default_factory=dict[str, float])
    outputs: Mapping[str, float] = field(default_factory=dict[str, float])
    frame: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Wire:
    """A wire from a block's output port to a block's input port, with room for a label or none."""

    source: str
    out: str
    target: str
    into: str
    label: Position | None = None


class Across:
    """Wires from left to right: a block's ports stand in rows under its heading."""

    rankdir, leave, enter, is_downwards = "LR", "e", "w", False

    def size(self, block: Block) -> Position:
        """Width and height of a block."""
        left, right = (_widest(side) for side in (block.inputs, block.outputs))
        width = max(block.heading[0] + 12, left + right + 18)
        return _even(width), block.heading[1] + 10 + PORT_ROW * self._rows(block)

    def rows(self, block: Block) -> list[PortRow]:
        """What Graphviz is told of a block: rows of cells, its free margin among them."""
        width, height = self.size(block)
        half, below = width / 2 + STUB, self._rows(block)
        if not below:
            # A little under the middle, so that Graphviz leads what runs back under the block.
            cells = [("i0", half, height - 4), ("o0", half, height - 4)]
            return [[("", 2 * half, GAP + 4)], cells, [("", 2 * half, GAP)]]
        top = GAP + height - PORT_ROW * below
        ports = [[(f"i{i}", half, PORT_ROW), (f"o{i}", half, PORT_ROW)] for i in range(below)]
        return [[("", 2 * half, top)], *ports, [("", 2 * half, GAP)]]

    def heading(self, block: Block, box: Rectangle) -> Position:
        """The middle of the heading."""
        low = box[1] + PORT_ROW * self._rows(block)
        return (box[0] + box[2]) / 2, (low + box[3]) / 2

    def port(self, block: Block, box: Rectangle, side: str, place: int) -> Position:
        """Where the wires of a port meet the rim."""
        below = self._rows(block)
        y = box[1] + PORT_ROW * (below - place - 0.5) if below else (box[1] + box[3]) / 2 - 2
        return (box[0] if side == "in" else box[2]), y

    def name(self, rim: Position, side: str, width: float) -> Position:
        """The middle of a port's name."""
        return rim[0] + (width / 2 + 4) * (1 if side == "in" else -1), rim[1]

    def _rows(self, block: Block) -> int:
        named = any(block.inputs.values()) or any(block.outputs.values())
        return max(len(block.inputs), len(block.outputs)) if named else 0


class Down:
    """Wires from the top down: input ports stand over a block's heading, output ports under it."""

    rankdir, leave, enter, is_downwards = "TB", "s", "n", True

    def size(self, block: Block) -> Position:
        """Width and height of a block."""
        sides = (block.inputs, block.outputs)
        width = max(block.heading[0] + 12, *(self._cell(side) * len(side) for side in sides))
        return _even(width), block.heading[1] + 10 + sum(map(self._row, sides))

    def rows(self, block: Block) -> list[PortRow]:
        """What Graphviz is told of a block: rows of cells, its free margin among them."""
        width, height = self.size(block)
        above, under = self._row(block.inputs), self._row(block.outputs)
        whole = width + 2 * GAP
        return [
            self._ports("i", block.inputs, whole, STUB + above),
            [("", whole, height - above - under)],
            self._ports("o", block.outputs, whole, STUB + under),
        ]

    def heading(self, block: Block, box: Rectangle) -> Position:
        """The middle of the heading."""
        low, high = box[1] + self._row(block.outputs), box[3] - self._row(block.inputs)
        return (box[0] + box[2]) / 2, (low + high) / 2

    def port(self, block: Block, box: Rectangle, side: str, place: int) -> Position:
        """Where the wires of a port meet the rim."""
        names = block.inputs if side == "in" else block.outputs
        x = (box[0] + box[2]) / 2 + self._cell(names) * (place - (len(names) - 1) / 2)
        return x, (box[3] if side == "in" else box[1])

    def name(self, rim: Position, side: str, width: float) -> Position:
        """The middle of a port's name."""
        del width
        return rim[0], rim[1] + (PORT_ROW / 2 + 1) * (-1 if side == "in" else 1)

    def _cell(self, names: Mapping[str, float]) -> float:
        return _even(_widest(names) + 10)

    def _row(self, names: Mapping[str, float]) -> float:
        return PORT_ROW if any(names.values()) else 0.0

    def _ports(
        self, letter: str, names: Mapping[str, float], whole: float, height: float
    ) -> PortRow:
        cell = self._cell(names)
        rest = (whole - cell * len(names)) / 2
        ports = [(f"{letter}{i}", cell, height) for i in range(len(names))]
        return [("", rest, height), *ports, ("", rest, height)] if names else [("", whole, height)]


FlowDirection = Across | Down


def _widest(names: Mapping[str, float]) -> float:
    return max(names.values(), default=0.0)


def _even(length: float) -> float:
    """The next even number: Graphviz's cells have whole points, and so have their halves."""
    return 2.0 * math.ceil(length / 2)
