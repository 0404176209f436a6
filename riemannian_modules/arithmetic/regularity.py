"""Where a map in exact terms is regular: defined, and free of jumps, which no Jacobian shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.rounding import Mask


def condition_holds(kind: str, value: Interval) -> Mask:
    """Where a domain condition is proved: its term "nonnegative", "positive", "nonzero", ...

    The kind "decided" asks that the term itself has an enclosure.
    """
    low, high = value.bounds
    return {
        "nonnegative": low >= 0,
        "positive": low > 0,
        "nonzero": (low > 0) | (high < 0),
        "decided": low <= high,  # not NaN
    }[kind]


def jumping(expressions: Iterable[sp.Expr]) -> list[Any]:
    """The distinct terms that may jump: steps, signs, and pieces not proved to agree."""
    every: dict[Any, None] = dict.fromkeys(sp.preorder_traversal(sp.Tuple(*expressions)))
    return [e for e in every if isinstance(e, (fn.sign, fn.step)) or _is_open(e)]


def borders(term: Any) -> list[Any]:
    """The terms that are zero wherever one of the `jumping` terms jumps."""
    if not isinstance(term, sp.Piecewise):
        return [term.args[0]]
    pairs: Any = term.args
    relations: Any = sp.Tuple(*(where for _, where in pairs)).atoms(
        sp.core.relational.Relational  # type: ignore[attr-defined]
    )
    return [relation.lhs - relation.rhs for relation in sorted(relations, key=str)]


def _is_open(e: Any) -> bool:
    return isinstance(e, sp.Piecewise) and not _joins(e)


def _joins(piecewise: Any) -> bool:
    """Whether two pieces agree where their condition changes.

    Decided by putting one side of the condition for the other, or by solving for one symbol.
    """
    if len(piecewise.args) != 2 or not isinstance(
        piecewise.args[0][1],
        sp.core.relational.Relational,  # type: ignore[attr-defined]
    ):
        return False
    (first, condition), (second, _) = piecewise.args
    border, gap = condition.lhs - condition.rhs, first - second
    sides: Any = {condition.lhs: condition.rhs, -condition.lhs: -condition.rhs}
    if sp.expand(gap.xreplace(sides)) == 0:
        return True
    for symbol in sorted(border.free_symbols, key=str):
        slope = border.diff(symbol)
        if slope.is_Rational and slope != 0:
            at = symbol - border / slope  # the zero of a term that is linear in this symbol
            return sp.expand(gap.subs(symbol, at)) == 0
    return False
