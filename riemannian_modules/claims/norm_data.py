"""A norm read back from the data that it wrote; that it is one is for the caller to prove."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data
from riemannian_modules.claims.norms import (
    L1,
    L2,
    BlockNorm,
    FactorL2,
    FieldL2,
    FieldNorm,
    LInf,
    Norm,
    SparseL2,
)
from riemannian_modules.claims.plain_data import (
    array_from_data,
    finite_from_data,
    refuse_unknown,
)
from riemannian_modules.claims.weights import Weights, plain_weights
from riemannian_modules.errors import CertificateError

Part = Mapping[str, Any]


def norm_from_data(data: object, size: int, where: str, symbols: Sequence[sp.Symbol] = ()) -> Norm:
    """The norm of ``size`` coordinates that ``Norm.to_data`` wrote.

    Raises:
        CertificateError: For data that is malformed.
    """
    for (kind, key), read in _READERS.items():
        if isinstance(data, dict) and data.get("type") == kind and key in data:
            return read(data, size, where, symbols)
    raise CertificateError(
        f"{where}: expected a norm of type 'l2', 'l1', 'linf' or 'blocks', got {data!r:.60}."
    )


def _metric(data: Part, size: int, where: str, _symbols: Sequence[sp.Symbol]) -> L2 | SparseL2:
    refuse_unknown(data, {"type", "metric"}, where)
    if isinstance(data["metric"], dict):
        return _sparse(data["metric"], size, f"{where}.metric")
    return L2(array_from_data(data["metric"], (size, size), f"{where}.metric"))


def _sparse(data: object, size: int, where: str) -> SparseL2:
    rows = refuse_unknown(data, {"entries"}, where).get("entries")
    if not isinstance(rows, list):
        raise CertificateError(f"{where}: expected a list of entries.")
    entries: dict[tuple[int, int], Fraction] = {}
    for row in rows:
        if not (
            isinstance(row, list)
            and len(row) == 3
            and all(type(i) is int and 0 <= i < size for i in row[:2])
            and (row[0], row[1]) not in entries
        ):
            raise CertificateError(
                f"{where}: expected [i, j, value] below {size}, each place once, got {row!r:.60}."
            )
        entries[row[0], row[1]] = Fraction(finite_from_data(row[2], where))
    if any(entries.get((j, i)) != value for (i, j), value in entries.items()):
        raise CertificateError(f"{where}: expected a symmetric matrix.")
    return SparseL2(size, entries)


def _weighted(data: Part, size: int, where: str, _symbols: Sequence[sp.Symbol]) -> L1 | LInf:
    refuse_unknown(data, {"type", "weights"}, where)
    weights = array_from_data(data["weights"], (size,), f"{where}.weights")
    if not (weights > 0).all():
        raise CertificateError(f"{where}: weights must be positive, got {weights.min()}.")
    return L1(weights) if data["type"] == "l1" else LInf(weights)


def _blocks(data: Part, size: int, where: str, _symbols: Sequence[sp.Symbol]) -> BlockNorm:
    refuse_unknown(data, {"type", "combine", "groups", "metrics", "weights", "exponents"}, where)
    if data.get("combine") not in ("linf", "l1"):
        raise CertificateError(f"{where}: expected blocks that are combined 'linf' or 'l1'.")
    groups = _groups(data.get("groups"), size, f"{where}.groups")
    rows = data.get("metrics")
    if not isinstance(rows, list) or len(rows) != len(groups):
        raise CertificateError(f"{where}.metrics: expected one metric a group.")
    metrics = [
        array_from_data(M, (len(g), len(g)), f"{where}.metrics")
        for M, g in zip(rows, groups, strict=True)
    ]
    return BlockNorm(data["combine"], groups, metrics, _weights(data, len(groups), where))


def _groups(data: object, size: int, where: str) -> tuple[tuple[int, ...], ...]:
    rows = data if isinstance(data, list) else []
    flat = [i for row in rows if isinstance(row, list) for i in row]
    if (
        not all(isinstance(row, list) and row for row in rows)
        or not all(type(i) is int for i in flat)
        or sorted(flat) != list(range(size))
    ):
        raise CertificateError(f"{where}: expected every state once, none group empty.")
    return tuple(tuple(row) for row in rows)


def _weights(data: Part, count: int, where: str) -> Weights:
    values = array_from_data(data.get("weights"), (count,), f"{where}.weights")
    if not (values > 0).all():
        raise CertificateError(f"{where}.weights: expected positive numbers.")
    if "exponents" not in data:
        return plain_weights(values)
    exponents = data["exponents"]
    if (
        not isinstance(exponents, list)
        or len(exponents) != count
        or not all(type(e) is int and abs(e) <= 2**20 for e in exponents)
    ):
        raise CertificateError(f"{where}.exponents: expected one whole number a group.")
    return Weights(values, np.array(exponents, dtype=np.int64))


def _field(kind: Callable[..., FieldNorm]) -> Callable[..., FieldNorm]:
    def read(data: Part, size: int, where: str, symbols: Sequence[sp.Symbol]) -> FieldNorm:
        key = "metric_terms" if kind is FieldL2 else "factor_terms"
        refuse_unknown(data, {"type", "let", key, "rates"}, where)

        def terms(given: object, part: str) -> tuple[Any, ...]:
            block = {"let": data.get("let"), "terms": given}
            return terms_from_data(block, symbols, f"{where}/{part}", CertificateError)

        flat = terms(data[key], key)
        if len(flat) != size * size:
            raise CertificateError(f"{where}.{key}: expected {size * size} terms, got {len(flat)}.")
        entries = tuple(tuple(flat[i * size : (i + 1) * size]) for i in range(size))
        if kind is FieldL2 and any(
            entries[i][j] != entries[j][i] for i in range(size) for j in range(i)
        ):
            raise CertificateError(f"{where}.{key}: expected a symmetric matrix.")
        return kind(entries, _rates(data.get("rates"), symbols, where, terms))

    return read


def _rates(
    data: object, symbols: Sequence[sp.Symbol], where: str, read: Callable[..., tuple[Any, ...]]
) -> dict[Any, Any]:
    if data is None:
        return {}
    part = refuse_unknown(data, {"names", "terms"}, f"{where}.rates")
    terms = read(part.get("terms"), "rates")
    by_name, names = {s.name: s for s in symbols}, part.get("names")
    if not isinstance(names, list) or len(names) != len(terms) or not set(names) <= set(by_name):
        raise CertificateError(f"{where}.rates: expected one term for each input named.")
    rates = {by_name[n]: t for n, t in zip(names, terms, strict=True)}
    if len(rates) < len(names):
        raise CertificateError(f"{where}.rates: an input comes twice.")
    return rates


_READERS: Mapping[tuple[str, str], Callable[..., Norm]] = {
    ("l2", "metric"): _metric,
    ("l2", "metric_terms"): _field(FieldL2),
    ("l2", "factor_terms"): _field(FactorL2),
    ("l1", "weights"): _weighted,
    ("linf", "weights"): _weighted,
    ("blocks", "groups"): _blocks,
}
