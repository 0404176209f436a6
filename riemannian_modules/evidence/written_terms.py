"""The terms of a certificate as they are written: which may stand there, where they are defined.

An algebra that reads them simplifies: ``x u / u`` is x to it, ``0 log u`` is 0. What the file says
is undefined where an operation in it is, so the conditions are taken from the written terms.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic.expression_data import (
    LARGEST_DEPTH,
    LARGEST_EXPONENT,
    is_number,
    terms_from_data,
)
from riemannian_modules.arithmetic.tracer import Guard
from riemannian_modules.errors import CertificateError

# The functions of a certificate and how many operands they take; others are spelled in these.
FUNCTIONS: Mapping[str, int] = {
    **dict.fromkeys(["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"], 1),
    **dict.fromkeys(["arcsin", "arctan", "arcsinh", "erf", "softplus", "absolute"], 1),
    **dict.fromkeys(["step", "sign"], 1),
    **dict.fromkeys(["power", "maximum", "minimum"], 2),
    "pi": 0,
}
# Atoms of these come without slopes: they jump, or are spelled with more symbols than they have.
WITHOUT_SLOPES = ("step", "sign", "piecewise", "power")
RELATIONS = ("less", "less_equal", "greater", "greater_equal")

_NAME = re.compile(r"\$\w{1,40}", re.ASCII)

Names = dict[str, int]  # what a term may mention, and how many operations deep it is


def read_bindings(data: object, names: Names, where: str) -> dict[str, Any]:
    """The bindings [name, term], each of what stands before it; they join the names.

    Raises:
        CertificateError: If a term is none, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for pair in listed(data, where):
        name, term = _two(pair, where)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in names:
            raise CertificateError(f"{where}: expected a new name such as '$0', got {name!r:.60}.")
        names[name] = depth_of(term, names, where)
        found[name] = term
    return found


def depth_of(term: object, names: Names, where: str) -> int:
    """Operations on the longest path of a term that mentions known names alone.

    Raises:
        CertificateError: If it is no term of a certificate.
    """
    if isinstance(term, str):
        if term not in names and not is_number(term):
            raise CertificateError(
                f"{where}: expected a number such as '-1/2' or a name known here, got {term!r:.60}."
            )
        return names.get(term, 0)
    operator, *rest = listed(term, where) or [None]
    if operator == "piecewise":
        rest = _branches(rest, where)
    elif operator in ("+", "*"):
        _require(len(rest) >= 2, term, where)
    elif operator == "^":
        _require(len(rest) == 2, term, where)
    else:
        _require(isinstance(operator, str) and FUNCTIONS.get(operator) == len(rest), term, where)
    depth = 1 + max((depth_of(part, names, where) for part in rest), default=0)
    if depth > LARGEST_DEPTH:
        raise CertificateError(f"{where}: a term is over {LARGEST_DEPTH} operations deep.")
    if operator in ("^", "power") and isinstance(rest[1], str) and is_number(rest[1]):
        _require(abs(Fraction(rest[1])) <= LARGEST_EXPONENT, term, where)
    return depth


def _branches(rest: Sequence[Any], where: str) -> list[Any]:
    """The four terms of ``[x, [relation, left, right]], [y, ["true"]]``."""
    _require(len(rest) == 2, rest, where)
    (x, condition), (y, otherwise) = (_two(branch, where) for branch in rest)
    condition = listed(condition, where)
    _require(len(condition) == 3 and condition[0] in RELATIONS, condition, where)
    _require(otherwise == ["true"], otherwise, where)
    return [x, y, *condition[1:]]


def _require(holds: bool, got: object, where: str) -> None:  # noqa: FBT001
    if not holds:
        raise CertificateError(
            f"{where}: expected [operator, operands...] with an operator among + * ^ piecewise, "
            f"{', '.join(FUNCTIONS)} and its operands, exponents up to {LARGEST_EXPONENT}; got "
            f"{got!s:.60}."
        )


def listed(data: object, where: str) -> list[Any]:
    """The data as a list; a text must not stand for the list of its letters.

    Raises:
        CertificateError: If it is none, or not a pair where one is expected.
    """
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list, got {data!s:.60}.")
    return data


def _two(data: object, where: str) -> list[Any]:
    pair = listed(data, where)
    if len(pair) != 2:
        raise CertificateError(f"{where}: expected a pair, got {data!s:.60}.")
    return pair


def symbol_counts(term: Any, bindings: Mapping[str, Any]) -> Counter[str]:
    """How often a term mentions each symbol, written out, and each of `WITHOUT_SLOPES`."""
    known: dict[str, Counter[str]] = {}

    def of(part: Any) -> Counter[str]:
        if isinstance(part, str):
            if part not in known:
                found = of(bindings[part]) if part in bindings else Counter([part])
                known[part] = Counter() if is_number(part) else found
            return known[part]
        operator, *rest = part
        rest = _branches(rest, "") if operator == "piecewise" else rest
        own = [operator] if operator in WITHOUT_SLOPES else []
        return sum((of(r) for r in rest), Counter(own))

    return of(term)


def conditions(
    terms: Sequence[Any], bindings: Sequence[Sequence[Any]], symbols: Sequence[sp.Symbol]
) -> tuple[Guard, ...]:
    """What has to hold for terms that passed `depth_of` to be defined, operation by operation."""
    table: dict[str, Any] = dict(bindings)  # type: ignore[arg-type]
    seen: set[str] = set()
    asked: list[tuple[str, Any]] = []
    waiting = list(terms)
    while waiting:
        term = waiting.pop()
        if isinstance(term, str):
            if term in table and term not in seen:
                seen.add(term)
                waiting.append(table[term])
            continue
        asked += _asked(term)
        operator, *rest = term
        waiting += _branches(rest, "") if operator == "piecewise" else rest
    if not asked:
        return ()
    let = [[name, term] for name, term in bindings]
    block = {"let": let, "terms": [operand for _, operand in asked]}
    read = terms_from_data(block, symbols, "certificate", CertificateError)
    guards = (Guard(kind, e) for (kind, _), e in zip(asked, read, strict=True))
    return tuple(dict.fromkeys(g for g in guards if not _holds(g)))


def _asked(term: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """What one operation asks of its operands, as a kind of guard and a written term."""
    operator, *rest = term
    if operator == "log":
        yield "positive", rest[0]
    elif operator in ("tan", "arcsin"):
        yield "decided", list(term)
    elif operator == "^" and isinstance(rest[1], str) and is_number(rest[1]):
        exponent = Fraction(rest[1])
        if exponent.denominator > 1:
            yield ("nonnegative" if exponent > 0 else "positive"), rest[0]
        elif exponent < 0:
            yield "nonzero", rest[0]
    elif operator in ("^", "power"):
        yield "nonnegative", rest[0]
        yield "decided", ["power", *rest]


def _holds(guard: Guard) -> bool:
    """Whether a condition on a number is seen to hold."""
    e = guard.expression
    if not e.is_Rational:
        return False
    return {"positive": e > 0, "nonnegative": e >= 0, "nonzero": e != 0, "decided": True}[
        guard.kind
    ]
