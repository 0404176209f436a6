"""Boxes: the sets of states, inputs and parameters that a claim speaks of.

Sides may be infinite. A coordinate that a box does not name is unbounded, which makes a claim
stronger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from riemannian_modules.door import number_array, require_mapping
from riemannian_modules.errors import RegionError
from riemannian_modules.space import Array, Space

Side = tuple[float, float]


@final
@dataclass(frozen=True, slots=True)
class Box:
    """A product of intervals, by names of ports (all coordinates alike) or coordinates ``x[0]``."""

    sides: Mapping[str, Side] = field(default_factory=dict[str, Side])

    def bounds(self, coordinates: Sequence[str], spaces: Sequence[Space]) -> tuple[Array, Array]:
        """Lower and upper sides, each (len(coordinates),), of the named coordinates of some spaces.

        Raises:
            RegionError: If the box names something that is no port or coordinate of the spaces.
        """
        require_mapping("Box", self.sides, "names and pairs of numbers", RegionError)
        ports = {port.name: port.coordinates() for s in spaces for port in s.ports}
        table: dict[str, Side] = {}
        for name, side in self.sides.items():
            for coordinate in ports.get(name, [name]):
                table[coordinate] = side
        known = {c for names in ports.values() for c in names}
        unknown = sorted(set(table) - known)
        if unknown:
            raise RegionError(
                f"The region speaks of {unknown}, which are no states, inputs or parameters here; "
                f"known are: {', '.join(ports) or 'none'}."
            )
        sides = [_checked(c, table.get(c, (-math.inf, math.inf))) for c in coordinates]
        return np.array([s[0] for s in sides]), np.array([s[1] for s in sides])


def box(sides: Mapping[str, Sequence[float]] | None = None, **named: Sequence[float]) -> Box:
    """A region: ``box(q=(-1, 1), v=(0, inf))``, or with dotted names ``box({"plant.q": (-1, 1)})``.

    Raises:
        RegionError: For sides that are reversed, NaN, infinite on the wrong side, or no pair of
            numbers.
    """
    require_mapping(
        "box", {} if sides is None else sides, "names and pairs of numbers", RegionError
    )
    checked: dict[str, Side] = {}
    for name, side in {**(sides or {}), **named}.items():
        checked[name] = _checked(name, side)
    return Box(checked)


def _checked(name: str, side: Sequence[float]) -> Side:
    try:
        low, high = (number_array(name, s, RegionError).item() for s in side)
    except (TypeError, ValueError):
        raise RegionError(
            f"Region: {name!r} expects a pair (lower, upper), got {side!r}."
        ) from None
    if not low <= high or low == math.inf or high == -math.inf:
        raise RegionError(
            f"Region: {name!r} expects lower <= upper, got ({low}, {high}). The region would "
            "be empty; exchange the sides or leave the name out to mean every value."
        )
    return low, high
