"""A region as plain data: its sides, its constraints, and a point of it.

Numbers are written so that they read back as the same binary numbers; infinite sides are "inf".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.expression_data import is_number
from riemannian_modules.claims.constraints import Constraints, Point, is_point_of
from riemannian_modules.claims.plain_data import (
    array_from_data,
    finite_from_data,
    fraction_from_data,
    fraction_to_data,
    number_from_data,
    number_to_data,
    refuse_unknown,
)
from riemannian_modules.errors import CertificateError
from riemannian_modules.region import Ball, Linear
from riemannian_modules.spaces import Array


def region_to_data(
    names: Sequence[str],
    lower: Array,
    upper: Array,
    constraints: Constraints | None = None,
    point: Point | None = None,
) -> dict[str, Any]:
    """Sides [name, lower, upper] of every coordinate, the constraints, and a point within them."""
    data: dict[str, Any] = {
        "sides": [
            [n, number_to_data(lo), number_to_data(hi)]
            for n, lo, hi in zip(names, lower, upper, strict=True)
        ]
    }
    if constraints is not None and constraints.rows:
        data["linear"] = [
            [
                [[n, c] for n, c in row.coefficients.items()],
                number_to_data(row.lower),
                number_to_data(row.upper),
            ]
            for row in constraints.rows
        ]
    if constraints is not None and constraints.balls:
        data["balls"] = [
            {"names": list(b.names), "center": b.center.tolist(), "radius": b.radius}
            | ({} if b.metric is None else {"metric": b.metric.tolist()})
            for b in constraints.balls
        ]
    if point is not None:
        data["point"] = [fraction_to_data(x) for x in point]
    return data


def region_from_data(
    data: object, names: Sequence[str]
) -> tuple[Array, Array, Constraints, Point | None]:
    """Lower and upper sides (dim,) of a region, its constraints, and a point within them.

    Raises:
        CertificateError: If the sides are not those of ``names`` in order, or hold no numbers.
    """
    region = refuse_unknown(data, {"sides", "linear", "balls", "point"}, "region")
    rows = region.get("sides")
    rows = rows if isinstance(rows, list) else []
    got = [row[0] if isinstance(row, list) and len(row) == 3 else None for row in rows]
    if not all(isinstance(name, str) and _is_plain(name) for name in got):
        raise CertificateError(
            f"region.sides: expected names that can be printed, got {got!r:.60}."
        )
    if got != list(names):
        raise CertificateError(
            f"region.sides: expected one row [name, lower, upper] for each of {list(names)}."
        )
    lower = np.array([number_from_data(row[1], f"region.{row[0]}") for row in rows])
    upper = np.array([number_from_data(row[2], f"region.{row[0]}") for row in rows])
    if not ((lower <= upper) & (lower < np.inf) & (upper > -np.inf)).all():
        raise CertificateError(
            "region: a lower side exceeds its upper side, or both are infinite: it would be empty."
        )
    members: list[Linear | Ball] = [_linear(row, names) for row in _list(region, "linear")]
    members += [_ball(entry, names) for entry in _list(region, "balls")]
    constraints = Constraints(tuple(names), tuple(members))
    point = None
    if "point" in region or constraints:
        point = _point(region, lower, upper, constraints)
    return lower, upper, constraints, point


def _is_plain(name: str) -> bool:
    """Whether a name is read and printed as one: no number, no binding, no line of its own."""
    is_name = name[:1] not in ("", "$", "~") and not is_number(name)
    return is_name and name.isprintable() and "  " not in name and len(name) <= 200


def _point(
    region: Mapping[str, Any], lower: Array, upper: Array, constraints: Constraints
) -> Point:
    """The written point, proved to be one: of a region without any, all holds and says nothing."""
    where = "region.point"
    if "point" not in region:
        raise CertificateError(
            f"{where}: missing, so that the region's constraints may leave nothing of it. Make the "
            "certificate again with `certify`."
        )
    point = tuple(fraction_from_data(x, where) for x in _list(region, "point"))
    if len(point) != len(lower) or not is_point_of(constraints, lower, upper, point):
        raise CertificateError(
            f"{where}: expected a point of the region, one number for each side."
        )
    return point


def _list(region: Mapping[str, Any], key: str) -> list[Any]:
    rows = region.get(key, [])
    if not isinstance(rows, list):
        raise CertificateError(f"region.{key}: expected a list.")
    return rows


def _linear(row: object, names: Sequence[str]) -> Linear:
    where = "region.linear"
    if not (isinstance(row, list) and len(row) == 3 and isinstance(row[0], list) and row[0]):
        raise CertificateError(f"{where}: expected [[[name, coefficient], ...], lower, upper].")
    table: dict[str, float] = {}
    for pair in row[0]:
        if not (isinstance(pair, list) and len(pair) == 2 and pair[0] in names) or pair[0] in table:
            raise CertificateError(f"{where}: expected each known name once, got {pair!r:.60}.")
        table[pair[0]] = finite_from_data(pair[1], where)
    low, high = (number_from_data(v, where) for v in row[1:])
    if not low <= high or low == math.inf or high == -math.inf:
        raise CertificateError(f"{where}: the lower side {low} exceeds the upper one, {high}.")
    return Linear(table, low, high)


def _ball(entry: object, names: Sequence[str]) -> Ball:
    where = "region.balls"
    part = refuse_unknown(entry, {"names", "center", "radius", "metric"}, where)
    own = part.get("names")
    if (
        not isinstance(own, list)
        or not own
        or not set(own) <= set(names)
        or len(set(own)) < len(own)
    ):
        raise CertificateError(f"{where}: expected known names, each once, got {own!r:.60}.")
    radius = finite_from_data(part.get("radius"), f"{where}.radius")
    if not radius > 0:
        raise CertificateError(f"{where}.radius: expected a positive number, got {radius}.")
    k = len(own)
    metric = (
        array_from_data(part["metric"], (k, k), f"{where}.metric") if "metric" in part else None
    )
    if metric is not None and not np.array_equal(metric, metric.T):
        raise CertificateError(f"{where}.metric: expected a symmetric matrix.")
    return Ball(
        tuple(own), array_from_data(part.get("center"), (k,), f"{where}.center"), radius, metric
    )
