"""Regions: the convex sets of states, inputs and parameters that a claim speaks of.

A box, whose sides may be infinite, and what linear constraints and balls leave of it. A coordinate
that a region does not name is unbounded, which makes a claim stronger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import did_you_mean, is_quantity, number_array, require_mapping
from riemannian_modules.errors import RegionError, SignatureError
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array, Port, Space
from riemannian_modules.units import in_unit

Side = tuple[float, float]


@final
@dataclass(frozen=True, slots=True, repr=False)
class Linear(Shown):
    """``lower <= sum of coefficient * coordinate <= upper``; a side may be infinite."""

    coefficients: Mapping[str, float]
    lower: float
    upper: float


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ball(Shown):
    """``|z - center|_M <= radius`` for some coordinates z (k,); M is (k, k), Euclidean if None."""

    names: tuple[str, ...]
    center: Array
    radius: float
    metric: Array | None = None


@final
@dataclass(frozen=True, slots=True, repr=False)
class Box(Shown):
    """Intervals by names of ports (all coordinates alike) or coordinates ``x[0]``, cut further.

    Attributes:
        sides: The intervals.
        constraints: Linear constraints and balls; the region is what they leave of the box.
    """

    sides: Mapping[str, Side] = field(default_factory=dict[str, Side])
    constraints: tuple[Linear | Ball, ...] = ()

    def linear(
        self, coefficients: Mapping[str, float], lower: float = -math.inf, upper: float = math.inf
    ) -> Box:
        """This region where also ``lower <= sum of coefficient * coordinate <= upper``.

        Raises:
            RegionError: For coefficients that are no finite numbers, or reversed sides.
        """
        require_mapping("linear", coefficients, "names and numbers", RegionError)
        table = {
            name: number_array(name, c, RegionError).item() for name, c in coefficients.items()
        }
        if not table or not all(math.isfinite(c) for c in table.values()):
            raise RegionError(
                f"linear: expected finite coefficients by coordinate, got {dict(coefficients)}."
            )
        low, high = _checked("linear", (lower, upper))
        return Box(self.sides, (*self.constraints, Linear(table, low, high)))

    def bounds(self, coordinates: Sequence[str], spaces: Sequence[Space]) -> tuple[Array, Array]:
        """Lower and upper sides, each (len(coordinates),), of the named coordinates of some spaces.

        Raises:
            RegionError: If the box names something that is no port or coordinate of the spaces.
        """
        require_mapping("Box", self.sides, "names and pairs of numbers", RegionError)
        if not self.sides:  # coordinates of parameters may be many, and take long to name
            free = np.full(len(coordinates), np.inf)
            return -free, free
        ports = {port.name: port.coordinates() for s in spaces for port in s.ports}
        table: dict[str, Side] = {}
        for name, side in self.sides.items():
            for coordinate in ports.get(name, [name]):
                table[coordinate] = side
        known = {c for names in ports.values() for c in names}
        unknown = sorted(set(table) - known)
        if unknown:
            hint = did_you_mean(unknown, list(known))
            raise RegionError(
                f"The region speaks of {unknown}, which are no states, inputs or parameters "
                f"here{hint}; known are: {', '.join(ports) or 'none'}."
            )
        sides = [_checked(c, table.get(c, (-math.inf, math.inf))) for c in coordinates]
        return np.array([s[0] for s in sides]), np.array([s[1] for s in sides])

    def constraints_on(
        self, coordinates: Sequence[str], spaces: Sequence[Space]
    ) -> tuple[Linear | Ball, ...]:
        """The constraints with names of ports spelled out as coordinates.

        Raises:
            RegionError: If a constraint names something that is none of ``coordinates``.
        """
        ports = {port.name: port.coordinates() for s in spaces for port in s.ports}
        spelled: list[Linear | Ball] = []
        for c in self.constraints:
            names = tuple(c.coefficients) if isinstance(c, Linear) else c.names
            every = [(ports.get(name, [name]), k) for k, name in enumerate(names)]
            unknown = sorted({n for group, _ in every for n in group} - set(coordinates))
            if unknown:
                raise RegionError(
                    f"The region's constraints speak of {unknown}, which are no states, inputs or "
                    f"uncertain parameters here; known are: {', '.join(coordinates) or 'none'}."
                )
            if isinstance(c, Linear):
                table = {n: c.coefficients[names[k]] for group, k in every for n in group}
                spelled.append(Linear(table, c.lower, c.upper))
            elif all(len(group) == 1 for group, _ in every):
                spelled.append(Ball(tuple(g[0] for g, _ in every), c.center, c.radius, c.metric))
            elif c.metric is None:
                flat = [(n, float(c.center[k])) for group, k in every for n in group]
                spelled.append(
                    Ball(tuple(n for n, _ in flat), np.array([v for _, v in flat]), c.radius)
                )
            else:
                raise RegionError(
                    "ball: with a metric, name each coordinate, such as 'x[0]', not whole ports."
                )
        return tuple(spelled)

    @override
    def facts(self) -> Facts:
        sides = [f"{name} in [{a:.6g}, {b:.6g}]" for name, (a, b) in self.sides.items()]
        cut_by = (
            f", cut by {counted(len(self.constraints), 'constraint')}" if self.constraints else ""
        )
        return Facts(
            f"Box, a region of {counted(len(sides), 'side')}{cut_by}", (("", listed(sides)),)
            if sides else (("", "everywhere"),),
        )  # fmt: skip


def box(
    sides: Mapping[str, Sequence[ArrayLike]] | None = None,
    *spaces: Space,
    **named: Sequence[ArrayLike],
) -> Box:
    """A region: ``box(q=(-1, 1), v=(0, inf))``, or with dotted names ``box({"plant.q": (-1, 1)})``.

    Sides may be quantities of pint's where the spaces are given whose ports tell the units:
    ``box({"q": (-5 * ureg.mm, 5 * ureg.mm)}, flow.signature.state)``.

    Args:
        sides: By port (for all of its coordinates) or coordinate, the lower and the upper side, in
            its unit: numbers that hold for all its entries, or arrays of its shape, as in
            ``box(x=([-1, -2], [1, 2]))``; infinite ones are allowed.
        spaces: Where quantities find the units of their names.
        named: Further sides, by keyword.

    Raises:
        RegionError: For sides that are reversed, NaN, infinite on the wrong side, or no pair of
            numbers or of arrays of one shape; for quantities of another dimension, or whose name
            is in no space.
    """
    require_mapping(
        "box", {} if sides is None else sides, "names and pairs of numbers", RegionError
    )
    checked: dict[str, Side] = {}
    for name, side in {**(sides or {}), **named}.items():
        checked |= _spelled_out(name, _in_plain_numbers(name, side, spaces))
    return Box(checked)


def _in_plain_numbers(name: str, side: Any, spaces: Sequence[Space]) -> Any:
    """A side whose ends have no units, those of quantities being turned into the port's."""
    ends = [side] if is_quantity(side) else side
    if not (isinstance(ends, (list, tuple)) and any(is_quantity(end) for end in ends)):
        return side
    unit = next((s.unit_of(name) for s in spaces if name in s.names or name in s.coordinates), None)
    if unit is None:
        raise RegionError(
            f"Region: {name!r} has a unit, but no space tells the unit of that name. Give the "
            "spaces, as in box({...}, flow.signature.state), or plain numbers."
        )
    try:
        plain = [in_unit(f"Region: {name!r}", end, unit) for end in ends]
    except SignatureError as fault:
        raise RegionError(str(fault)) from None
    return plain[0] if is_quantity(side) else plain


def _spelled_out(name: str, side: Sequence[ArrayLike]) -> dict[str, Side]:
    """The intervals of a port: one for all its entries, or each entry's own."""
    if isinstance(side, str) or not isinstance(side, Sequence | np.ndarray) or len(side) != 2:
        return {name: _checked(name, side)}
    ends = [number_array(name, end, RegionError) for end in side]
    try:
        low, high = np.broadcast_arrays(*ends)
    except ValueError:
        raise RegionError(
            f"Region: {name!r} expects lower and upper sides of one shape, got {ends[0].shape} and "
            f"{ends[1].shape}."
        ) from None
    spelled = Port(name, low.shape).coordinates()
    pairs = zip(low.ravel().tolist(), high.ravel().tolist(), strict=True)
    return {c: _checked(c, pair) for c, pair in zip(spelled, pairs, strict=True)}


def ball(center: Mapping[str, float], radius: float, metric: ArrayLike | None = None) -> Box:
    """The points within ``radius`` of ``center``, by coordinates: ``ball({"q": 0, "v": 0}, 1.5)``.

    Args:
        center: Coordinates (k,) and their values; what is not named is unbounded.
        radius: In the units of the coordinates, or of the metric's norm.
        metric: Symmetric positive definite (k, k); Euclidean when None.

    Raises:
        RegionError: For a radius that is not positive, or a matrix that is no metric.
    """
    require_mapping("ball", center, "coordinates and numbers", RegionError)
    names = tuple(center)
    c = np.array([number_array(n, v, RegionError).item() for n, v in center.items()])
    r = number_array("ball: radius", radius, RegionError).item()
    if not names or not (r > 0 and math.isfinite(r) and np.isfinite(c).all()):
        raise RegionError(
            f"ball: expected a finite center and a positive radius, got {center} and {radius}."
        )
    M = None if metric is None else _ball_metric(metric, len(names))
    # Half-widths sqrt((M^-1)_ii) r, with room for the rounding of the inverse: the box only has to
    # hold the ball, which alone says what the region is.
    spread = np.ones(len(c)) if M is None else np.sqrt(np.diagonal(np.linalg.inv(M))) * (1 + 1e-9)
    half = r * spread * (1 + 1e-12)
    size = np.abs(c) + half
    sides = {
        n: (float(v - h - 1e-15 * s), float(v + h + 1e-15 * s))
        for n, v, h, s in zip(names, c, half, size, strict=True)
    }
    return Box(sides, (Ball(names, c, r, M),))


def simplex(names: Sequence[str], total: float = 1.0) -> Box:
    """The points with coordinates of at least 0 that sum to ``total``: shares, probabilities.

    Args:
        names: The coordinates, by name.
        total: What they sum to, positive.

    Raises:
        RegionError: If ``total`` is not positive, or no coordinates are named.
    """
    named = list(names)
    t = number_array("simplex: total", total, RegionError).item()
    if not named or isinstance(names, str) or not (t > 0 and math.isfinite(t)):
        raise RegionError(
            'simplex: expected a list of coordinates such as ["x[0]", "x[1]"] and a positive '
            f"total, got {names!r} and {total!r}."
        )
    return box(dict.fromkeys(named, (0.0, t))).linear(dict.fromkeys(named, 1.0), t, t)


def _ball_metric(metric: ArrayLike, size: int) -> Array:
    M = number_array("ball: metric", metric, RegionError)
    is_metric = M.shape == (size, size) and np.isfinite(M).all() and np.array_equal(M, M.T)
    # A condition number of up to 1e7 keeps the rounding of the inverse below the room for it.
    if not is_metric or not np.linalg.eigvalsh(M)[0] > 1e-7 * np.abs(M).max():
        raise RegionError(
            f"ball: expected a symmetric positive definite metric ({size}, {size}) with a "
            "condition number below 1e7."
        )
    return M


def _checked(name: str, side: Iterable[ArrayLike]) -> Side:
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
