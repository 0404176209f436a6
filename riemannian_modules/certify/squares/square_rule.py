"""The rule "sos" of certificates: a metric M(x) on a region without ends, by exact sums of squares.

Two statements, each an identity with positive semidefinite rational Gram matrices:

- ``T = 2 b M - Mdot - M J - J^T M >= 0`` (step maps: ``b^2 M - J^T M(F) J``) on the region;
- ``w M - margin I >= 0``, so that w(x) never vanishes and M(x) is never singular. Where w is a
  positive constant, M > 0 follows; else M is definite of one sign at every point, as the region is
  connected and M continuous, and a point at which M > 0 exactly decides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data, terms_to_data
from riemannian_modules.arithmetic.rational_definite import is_negative_definite_rational
from riemannian_modules.certify.certificate_data import cuts_from_data, refuse_unknown
from riemannian_modules.certify.generalised import (
    Rows,
    material_derivative,
    product,
    successor_metric,
    symmetric_sum,
)
from riemannian_modules.certify.norms import L2, FieldL2
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.ranges import natural_range
from riemannian_modules.certify.squares.gram_program import prove_sos
from riemannian_modules.certify.squares.metric_family import generator_sides
from riemannian_modules.certify.squares.polynomial_metric import (
    bounds_to_try,
    equilibrium_bound,
    prove_definite,
)
from riemannian_modules.certify.squares.polynomial_ring import Ring, ring_of
from riemannian_modules.certify.squares.sums_of_squares import (
    Gram,
    Side,
    SumOfSquares,
    verify_sos,
)
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array

EXACT = (0.0, 1e-12, 1e-9)  # parts given up first: where a metric is exact, none has to be
REFINEMENTS = 8  # bisections between the best bound that is proved and the next one tried
_SOS_KEYS = {"rows", "basis", "gram", "multipliers"}


def rate_matrix(problem: Problem, norm: FieldL2, b: float) -> list[list[Any]]:
    """The matrix T of expressions that has to be >= 0 for the bound b, exact."""
    M, J = norm.entries, problem.jacobian
    exact = sp.Rational(*float(b).as_integer_ratio())
    n = len(M)
    if problem.is_flow:
        load = symmetric_sum(product(M, J))
        rate = material_derivative(problem, norm)
        return [[2 * exact * M[i][j] - load[i][j] - rate[i][j] for j in range(n)] for i in range(n)]
    transposed = [list(column) for column in zip(*J, strict=True)]
    load = product(transposed, product(successor_metric(problem, norm), J))
    return [[exact**2 * M[i][j] - load[i][j] for j in range(n)] for i in range(n)]


def as_field(norm: L2 | FieldL2) -> FieldL2:
    """A constant metric as a function of the point; others as they are."""
    if isinstance(norm, FieldL2):
        return norm
    rows = norm.metric.tolist()
    return FieldL2(tuple(tuple(sp.Rational(*v.as_integer_ratio()) for v in row) for row in rows))


def prove_by_squares(
    problem: Problem, norm: L2 | FieldL2, target: float | None
) -> tuple[float, dict[str, Any]] | None:
    """A proved bound, the target or the best that is found, and its evidence; None if none is.

    The problem's map has to be defined on the whole box (``problem.is_defined``).
    """
    field = as_field(norm)
    if problem.constraints or problem.horizontal is not None or not problem.is_defined:
        return None
    positive = prove_positive(problem, field)
    if positive is None:
        return None
    if target is not None:
        rate = _prove_rate(problem, field, target)
        return None if rate is None else (target, _data(problem, rate, positive))
    before: float | None = None
    best = equilibrium_bound(problem)
    for c in (*(best + part * abs(best) for part in EXACT), *bounds_to_try(problem)):
        b = 0.5 * c if problem.is_flow else float(np.sqrt(c))
        rate = _prove_rate(problem, field, b)
        if rate is not None:
            b, rate = _refined(problem, field, before, b, rate)
            return b, _data(problem, rate, positive)
        before = b
    return None


def _refined(
    problem: Problem, field: FieldL2, failed: float | None, b: float, rate: SumOfSquares
) -> tuple[float, SumOfSquares]:
    """A bound between one that is not proved and one that is, by bisection."""
    for _ in range(REFINEMENTS if failed is not None else 0):
        assert failed is not None
        middle = 0.5 * (failed + b)
        trial = _prove_rate(problem, field, middle)
        if trial is None:
            failed = middle
        else:
            b, rate = middle, trial
    return b, rate


def _prove_rate(problem: Problem, field: FieldL2, b: float) -> SumOfSquares | None:
    return _prove(problem, rate_matrix(problem, field, b))


def _prove(problem: Problem, matrix: Rows) -> SumOfSquares | None:
    ring = ring_of((e for row in matrix for e in row), problem.expressions.state)
    sides = generator_sides(problem, ring)
    read = [[ring.read(e) for e in row] for row in matrix]
    plain = prove_sos(read, ring)
    return plain if plain is not None or not sides else prove_sos(read, ring, sides)


def prove_positive(
    problem: Problem, field: FieldL2
) -> tuple[Any, Fraction, SumOfSquares, Array] | None:
    """A weight w, a margin > 0, a proof of ``w M - margin I >= 0`` and a point where M > 0."""
    M = field.entries
    point = np.clip(np.zeros(len(problem.lower)), problem.lower, problem.upper)
    if not _is_definite_at(field, problem.symbols, point):
        return None
    ring = ring_of((e for row in M for e in row), problem.expressions.state)
    for sides in dict.fromkeys(((), generator_sides(problem, ring))):
        found = prove_definite(field, ring, sides)
        if found is not None:
            return *found, point
    return None


def _is_definite_at(field: FieldL2, symbols: Sequence[sp.Symbol], point: Array) -> bool:
    table = {
        s: sp.Rational(*float(v).as_integer_ratio())
        for s, v in zip(symbols, point.tolist(), strict=True)
    }
    values = [[sp.expand(e.xreplace(table)) for e in row] for row in field.entries]
    if not all(v.is_Rational for row in values for v in row):
        return False
    return is_negative_definite_rational(
        [[-Fraction(int(v.p), int(v.q)) for v in row] for row in values]
    )


def _data(
    problem: Problem,
    rate: SumOfSquares,
    positive: tuple[Any, Fraction, SumOfSquares, Array],
) -> dict[str, Any]:
    w, margin, squares, point = positive
    symbols = problem.symbols
    sides = list(dict.fromkeys([*rate.ranges(), *squares.ranges()]))
    data: dict[str, Any] = {
        "rule": "sos",
        "rate": rate.to_data(symbols, sides),
        "positive": {
            "weight": terms_to_data(symbols, [w]),
            "margin": str(margin),
            "point": point.tolist(),
            **squares.to_data(symbols, sides),
        },
    }
    if sides:
        data["ranges"] = [
            {
                "term": terms_to_data(symbols, [s.generator]),
                "lower": "-inf" if s.lower is None else float(s.lower),
                "upper": "inf" if s.upper is None else float(s.upper),
                "cuts": [None],
            }
            for s in sides
        ]
    return data


def squares_hold(problem: Problem, norm: L2 | FieldL2, b: float, data: Mapping[str, Any]) -> bool:
    """Whether the evidence of the rule proves the bound b, from its data alone.

    Raises:
        CertificateError: For data that is malformed.
    """
    refuse_unknown(data, {"rule", "rate", "positive", "ranges"}, "evidence")
    field = as_field(norm)
    if problem.constraints or problem.horizontal is not None or not problem.is_defined:
        return False
    if not np.isfinite(b):
        return False
    ranges = _ranges(problem, data.get("ranges", []))
    rate = _sos(problem, data.get("rate"), ranges, "evidence.rate", set())
    part = data.get("positive")
    squares = _sos(problem, part, ranges, "evidence.positive", {"weight", "margin", "point"})
    assert isinstance(part, dict)  # _sos has read it
    (w,) = _terms(problem, part.get("weight"), "evidence.positive.weight", 1)
    margin = _rational(part.get("margin"), "evidence.positive.margin")
    n = len(field.entries)
    shifted = [
        [
            w * e - (sp.Rational(margin.numerator, margin.denominator) if i == j else 0)
            for j, e in enumerate(row)
        ]
        for i, row in enumerate(field.entries)
    ]
    is_positive = (w.is_Rational and w > 0) or _holds_at_point(problem, field, part.get("point"))
    return (
        n == problem.size
        and margin > 0
        and bool(is_positive)
        and verify_sos(shifted, squares)
        and verify_sos(rate_matrix(problem, field, b), rate)
    )


def _holds_at_point(problem: Problem, field: FieldL2, data: object) -> bool:
    if not isinstance(data, list) or len(data) != len(problem.symbols):
        return False
    if not all(isinstance(v, (int, float)) and abs(v) < float("inf") for v in data):
        return False
    point = np.array(data, dtype=float)
    inside = bool((point >= problem.lower).all() and (point <= problem.upper).all())
    return inside and _is_definite_at(field, problem.symbols, point)


def _ranges(problem: Problem, data: object) -> list[Side]:
    where = "evidence.ranges"
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list.")
    sides: list[Side] = []
    for entry in data:
        part = refuse_unknown(entry, {"term", "lower", "upper", "cuts"}, where)
        (term,) = _terms(problem, part.get("term"), where, 1)
        if list(cuts_from_data(part.get("cuts"), where)) != [None]:
            raise CertificateError(f"{where}: this rule's ranges hold without cuts, [null].")
        low, high = natural_range(term, problem.symbols, problem.lower[None], problem.upper[None])
        ends = [_end(part.get("lower"), where), _end(part.get("upper"), where)]
        # NaN, where the term may be undefined, compares false.
        if (ends[0] is not None and not float(low[0]) >= ends[0]) or (
            ends[1] is not None and not float(high[0]) <= ends[1]
        ):
            raise CertificateError(f"{where}: the range of {str(term)[:60]} is not proved.")
        sides.append(Side(term, *(None if e is None else Fraction(e) for e in ends)))
    return sides


def _end(value: object, where: str) -> float | None:
    if value in ("inf", "-inf"):
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise CertificateError(f"{where}: expected numbers, got {value!r:.60}.")
    return float(value)


def _sos(
    problem: Problem, data: object, ranges: list[Side], where: str, others: set[str]
) -> SumOfSquares:
    part = refuse_unknown(data, _SOS_KEYS | others, where)
    parts: list[tuple[Side | None, Mapping[str, Any]]] = [(None, part)]
    multipliers = part.get("multipliers", [])
    if not isinstance(multipliers, list):
        raise CertificateError(f"{where}.multipliers: expected a list.")
    for entry in multipliers:
        inner = refuse_unknown(entry, {"constraint", "rows", "basis", "gram"}, where)
        parts.append((_side(problem, inner.get("constraint"), ranges, where), inner))
    bases = [_terms(problem, p.get("basis"), where, None) for _, p in parts]
    field_terms = [e for basis in bases for e in basis]
    ring = ring_of([*field_terms, *(s.generator for s, _ in parts if s)], problem.symbols)
    grams = [_gram(p, basis, ring, where) for (_, p), basis in zip(parts, bases, strict=True)]
    sides = [s for s, _ in parts[1:] if s is not None]
    return SumOfSquares(ring, grams[0], tuple(zip(sides, grams[1:], strict=True)))


def _side(problem: Problem, data: object, ranges: list[Side], where: str) -> Side:
    part = refuse_unknown(data, {"side", "range"}, f"{where}.constraint")
    if "range" in part:
        k = part["range"]
        if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < len(ranges):
            raise CertificateError(f"{where}.constraint: there is no range {k!r:.20}.")
        side = ranges[k]
    else:
        name = part.get("side")
        if name not in problem.coordinates:
            raise CertificateError(f"{where}.constraint: unknown coordinate {name!r:.60}.")
        i = problem.coordinates.index(str(name))
        ends = [
            Fraction(v) if abs(v) < float("inf") else None
            for v in (float(problem.lower[i]), float(problem.upper[i]))
        ]
        side = Side(problem.symbols[i], *ends)
    if side.lower is None and side.upper is None:
        raise CertificateError(f"{where}.constraint: {side.generator} has no finite end.")
    return side


def _gram(part: Mapping[str, Any], basis: Sequence[Any], ring: Ring, where: str) -> Gram:
    rows, entries = part.get("rows"), part.get("gram")
    if (
        not isinstance(rows, list)
        or len(rows) != len(basis)
        or not all(isinstance(i, int) and not isinstance(i, bool) for i in rows)
        or not isinstance(entries, list)
        or [len(r) if isinstance(r, list) else -1 for r in entries]
        != list(range(1, len(basis) + 1))
    ):
        raise CertificateError(f"{where}: rows, basis and gram (a lower triangle) do not fit.")
    powers: list[tuple[int, ...]] = []
    for e in basis:
        p = ring.read(e)
        if len(p) != 1 or set(p.values()) != {Fraction(1)}:
            raise CertificateError(f"{where}.basis: {str(e)[:60]} is no monomial.")
        powers.extend(p)
    lower = tuple(tuple(_rational(v, f"{where}.gram") for v in row) for row in entries)
    return Gram(tuple(rows), tuple(powers), lower)


def _rational(value: object, where: str) -> Fraction:
    try:
        return Fraction(value) if isinstance(value, str) else Fraction(int(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        raise CertificateError(f"{where}: expected a rational 'p/q', got {value!r:.60}.") from None


def _terms(problem: Problem, data: object, where: str, count: int | None) -> tuple[Any, ...]:
    terms = terms_from_data(data, problem.symbols, where, CertificateError)
    if count is not None and len(terms) != count:
        raise CertificateError(f"{where}: expected {count} term, got {len(terms)}.")
    return terms
