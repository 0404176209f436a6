"""Parts of a certificate written as plain data and read back: numbers, norms, regions, trees.

Numbers are written so that they read back as the same binary numbers; infinite sides are "inf".
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import (
    PLAIN,
    TermWriter,
    is_number,
    terms_from_data,
)
from riemannian_modules.certify.constraints import Constraints
from riemannian_modules.certify.norms import L1, L2, FactorL2, FieldL2, LInf, Norm
from riemannian_modules.certify.region_point import is_point_of, point_of
from riemannian_modules.errors import CertificateError
from riemannian_modules.region import Ball, Linear
from riemannian_modules.space import Array

Cuts = Sequence[tuple[int, float] | None]


def number_to_data(value: float) -> float | str:
    """A finite float as itself, an infinite one as "inf" or "-inf"."""
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def number_from_data(value: object, where: str) -> float:
    """The float that `number_to_data` wrote."""
    if value in ("inf", "-inf"):
        return math.inf if value == "inf" else -math.inf
    # Whole numbers that are no doubles would be rounded, and the claim with them.
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
        and float(value) == value
    ):
        return float(value)
    raise CertificateError(f"{where}: expected a number, 'inf' or '-inf', got {value!r:.60}.")


def fraction_to_data(value: Fraction) -> float | str:
    """A fraction as the double that it is, or as "p/q"."""
    try:
        return float(value) if Fraction(float(value)) == value else str(value)
    except OverflowError:
        return str(value)


def fraction_from_data(value: object, where: str) -> Fraction:
    """The fraction that `fraction_to_data` wrote."""
    if isinstance(value, str) and is_number(value):
        return Fraction(value)
    return Fraction(finite_from_data(value, where))


def finite_from_data(value: object, where: str) -> float:
    """A finite float."""
    number = number_from_data(value, where)
    if not math.isfinite(number):
        raise CertificateError(f"{where}: expected a finite number, got {value!r}.")
    return number


def bound_from_data(claim: Mapping[str, Any]) -> float:
    """The bound of a claim; a factor is not negative."""
    b = finite_from_data(claim.get("bound"), "claim.bound")
    if claim["kind"] != "flow" and b < 0:
        raise CertificateError(f"claim.bound: a factor is not negative, got {b}.")
    return b


def array_from_data(data: object, shape: tuple[int, ...], where: str) -> Array:
    """A finite array of a known shape."""
    rows = data if isinstance(data, list) else []
    if len(rows) != shape[0]:
        raise CertificateError(f"{where}: expected finite numbers of shape {shape}.")
    if len(shape) > 1:
        return np.stack([array_from_data(row, shape[1:], where) for row in rows])
    array = np.array([number_from_data(value, where) for value in rows])
    if not np.isfinite(array).all():
        raise CertificateError(f"{where}: expected finite numbers, got {rows!r:.60}.")
    return array


def refuse_unknown(part: object, known: set[str], where: str) -> Mapping[str, Any]:
    """The part as a mapping without unknown keys: what is not proved must not be shown as if."""
    if not isinstance(part, dict):
        raise CertificateError(
            f"{where}: expected a mapping with some of the keys {sorted(known)}."
        )
    unknown = sorted(set(part) - known)
    if unknown:
        raise CertificateError(f"{where}: unknown keys {unknown}; known are {sorted(known)}.")
    return part


def region_to_data(
    names: Sequence[str], lower: Array, upper: Array, constraints: Constraints
) -> dict[str, Any]:
    """Sides [name, lower, upper] of every coordinate, and the constraints."""
    data: dict[str, Any] = {
        "sides": [
            [n, number_to_data(lo), number_to_data(hi)]
            for n, lo, hi in zip(names, lower, upper, strict=True)
        ]
    }
    if constraints.rows:
        data["linear"] = [
            [
                [[n, c] for n, c in row.coefficients.items()],
                number_to_data(row.lower),
                number_to_data(row.upper),
            ]
            for row in constraints.rows
        ]
    if constraints.balls:
        data["balls"] = [
            {"names": list(b.names), "center": b.center.tolist(), "radius": b.radius}
            | ({} if b.metric is None else {"metric": b.metric.tolist()})
            for b in constraints.balls
        ]
    point = point_of(constraints, lower, upper) if constraints else None
    if point is not None:
        data["point"] = [fraction_to_data(x) for x in point]
    return data


def region_from_data(data: object, names: Sequence[str]) -> tuple[Array, Array, Constraints]:
    """Lower and upper sides (dim,) of a region, and its constraints.

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
    if "point" in region or constraints:
        _require_point(region, lower, upper, constraints)
    return lower, upper, constraints


def _is_plain(name: str) -> bool:
    """Whether a name is read and printed as one: no number, no binding, no line of its own."""
    is_name = name[:1] not in ("", "$", "~") and not is_number(name)
    return is_name and name.isprintable() and "  " not in name and len(name) <= 200


def _require_point(
    region: Mapping[str, Any], lower: Array, upper: Array, constraints: Constraints
) -> None:
    """Refuse a region of which no point is known: all would hold in it, and say nothing."""
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


def norm_to_data(norm: Norm, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
    """A norm as data; metrics that change with the point in terms of ``symbols``."""
    if isinstance(norm, L2):
        return {"type": "l2", "metric": norm.metric.tolist()}
    if isinstance(norm, (FieldL2, FactorL2)):
        key = "metric_terms" if isinstance(norm, FieldL2) else "factor_terms"
        writer = TermWriter((symbols,), prefix="$n", spelled=PLAIN)
        written = writer.write([*(e for row in norm.entries for e in row), *norm.rates.values()])
        count = len(norm.entries) ** 2
        data = {"type": "l2", "let": writer.bindings, key: written[:count]}
        rates = {"names": [s.name for s in norm.rates], "terms": written[count:]}
        return data | ({"rates": rates} if norm.rates else {})
    return {"type": "l1" if isinstance(norm, L1) else "linf", "weights": norm.weights.tolist()}


def norm_from_data(data: object, size: int, where: str, symbols: Sequence[sp.Symbol] = ()) -> Norm:
    """The norm that `norm_to_data` wrote; its definiteness is for the caller to prove."""
    kind = data.get("type") if isinstance(data, dict) else None
    if isinstance(data, dict) and kind == "l2" and "metric" in data:
        refuse_unknown(data, {"type", "metric"}, where)
        return L2(array_from_data(data["metric"], (size, size), f"{where}.metric"))
    if isinstance(data, dict) and kind == "l2":
        return _field_from_data(data, size, where, symbols)
    if isinstance(data, dict) and kind in ("l1", "linf"):
        refuse_unknown(data, {"type", "weights"}, where)
        weights = array_from_data(data.get("weights"), (size,), f"{where}.weights")
        if not (weights > 0).all():
            raise CertificateError(f"{where}: weights must be positive, got {weights.min()}.")
        return L1(weights) if kind == "l1" else LInf(weights)
    raise CertificateError(
        f"{where}: expected a norm of type 'l2', 'l1' or 'linf', got {data!r:.60}."
    )


def _field_from_data(
    data: dict[str, Any], size: int, where: str, symbols: Sequence[sp.Symbol]
) -> FieldL2 | FactorL2:
    key = "metric_terms" if "metric_terms" in data else "factor_terms"
    refuse_unknown(data, {"type", "let", key, "rates"}, where)

    def read(terms: object, part: str) -> tuple[Any, ...]:
        block = {"let": data.get("let"), "terms": terms}
        return terms_from_data(block, symbols, f"{where}/{part}", CertificateError)

    flat = read(data.get(key), key)
    if len(flat) != size * size:
        raise CertificateError(f"{where}.{key}: expected {size * size} terms, got {len(flat)}.")
    entries = tuple(tuple(flat[i * size : (i + 1) * size]) for i in range(size))
    if key == "metric_terms" and any(
        entries[i][j] != entries[j][i] for i in range(size) for j in range(i)
    ):
        raise CertificateError(f"{where}.metric_terms: expected a symmetric matrix.")
    rates: dict[Any, Any] = {}
    if data.get("rates") is not None:
        part = refuse_unknown(data["rates"], {"names", "terms"}, f"{where}.rates")
        terms = read(part.get("terms"), "rates")
        by_name, names = {s.name: s for s in symbols}, part.get("names")
        if (
            not isinstance(names, list)
            or len(names) != len(terms)
            or not set(names) <= set(by_name)
        ):
            raise CertificateError(f"{where}.rates: expected one term for each input named.")
        rates = {by_name[n]: t for n, t in zip(names, terms, strict=True)}
        if len(rates) < len(names):
            raise CertificateError(f"{where}.rates: an input comes twice.")
    return FieldL2(entries, rates) if key == "metric_terms" else FactorL2(entries, rates)


def cuts_to_data(cuts: Cuts) -> list[list[Any] | None]:
    """A tree of cuts in preorder: [axis, place] for a cut, None for a leaf."""
    return [list(cut) if cut is not None else None for cut in cuts]


def cuts_from_data(data: object, where: str) -> list[tuple[int, float] | None]:
    """The tree that `cuts_to_data` wrote."""
    if not isinstance(data, list) or not data:
        raise CertificateError(f"{where}: expected a list with at least one entry.")
    cuts: list[tuple[int, float] | None] = []
    for entry in data:
        if entry is None:
            cuts.append(None)
        elif isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int:
            cuts.append((entry[0], number_from_data(entry[1], where)))
        else:
            raise CertificateError(f"{where}: expected null or [side, place], got {entry!r:.60}.")
    return cuts
