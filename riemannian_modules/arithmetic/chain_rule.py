"""Derivatives of expressions that share subterms: each distinct subterm is differentiated once.

Source: the chain rule in forward mode (Griewank and Walther, *Evaluating Derivatives*, 2008,
chapter 3), with each rule written as SymPy writes it, but for pieces that differ by a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.functions import ORDERS, border, step

# The derivative of a power from those of its base and exponent; operands without one do not depend.
PowerRule = Callable[[Any, Mapping[Any, Any]], Any]


def algebraic_power(term: Any, tangents: Mapping[Any, Any]) -> Any:
    """The derivative of a power in terms that cancel against others: for proofs."""
    if isinstance(term, fn.power):
        places = enumerate(term.args, 1)
        return sp.Add(*(term.fdiff(k) * tangents[a] for k, a in places if a in tangents))
    growth = tangents.get(term.base, sp.S.Zero) * term.exp / term.base
    if term.exp in tangents:
        growth = tangents[term.exp] * sp.log(term.base) + growth
    return term * growth


def evaluated_power(term: Any, tangents: Mapping[Any, Any]) -> Any:
    """The derivative of a power with its limits at zero, where slopes are infinite: for floats."""
    base, exponent = term.args
    if not isinstance(term, fn.power) and (exponent.is_Integer or not exponent.is_Rational):
        return algebraic_power(term, tangents)
    slope, growth = fn.power_slope(base, exponent), fn.power_log(base, exponent)
    parts: list[Any] = [fn.chained(slope, tangents[base])] if base in tangents else []
    return sp.Add(*parts, *([growth * tangents[exponent]] if exponent in tangents else []))  # type: ignore[operator]


def partial_derivatives(
    expressions: Sequence[sp.Expr],
    symbols: Sequence[sp.Symbol],
    power: PowerRule = algebraic_power,
) -> list[tuple[sp.Expr, ...]]:
    """A row for each expression, a column for each symbol; zero where nothing depends.

    Powers follow a rule of their own, `algebraic_power` or `evaluated_power`.

    Cost: one rule for each distinct subterm and symbol that it depends on, however often the
    subterm stands in the expressions, where `diff` walks every occurrence.
    """
    terms = distinct_terms(expressions)
    depends = dependencies(terms)
    slopes = _Slopes(power)
    columns: list[list[Any]] = []
    for symbol in symbols:
        tangents: dict[Any, Any] = {symbol: sp.S.One}
        for term in terms:
            if term.args and symbol in depends[term]:
                tangents[term] = _tangent(term, symbol, tangents, slopes)
        columns.append([tangents.get(e, sp.S.Zero) for e in expressions])
    return [tuple(column[i] for column in columns) for i in range(len(expressions))]


def distinct_terms(expressions: Iterable[sp.Expr]) -> list[Any]:
    """The distinct subterms that derivatives pass through, operands before what is made of them."""
    order: dict[Any, None] = {}
    stack: list[Any] = list(expressions)
    while stack:
        term = stack[-1]
        waiting = () if term in order else [a for a in _operands(term) if a not in order]
        if waiting:
            stack.extend(waiting)
        else:
            order[stack.pop()] = None
    return list(order)


def dependencies(terms: Iterable[Any]) -> dict[Any, frozenset[Any]]:
    """The symbols that each of the `distinct_terms` depends on, those of conditions left out."""
    found: dict[Any, frozenset[Any]] = {}
    for term in terms:
        parts = [found[a] for a in _operands(term)]
        found[term] = frozenset[Any]().union(*parts) if parts else frozenset(term.free_symbols)
    return found


def _operands(term: Any) -> Sequence[Any]:
    """What a rule below differentiates; none for terms that are left to SymPy."""
    if isinstance(term, sp.Piecewise):
        pairs: Any = term.args
        return [value for value, _ in pairs]
    return term.args if term.is_Add or term.is_Mul or term.is_Pow or _has_slopes(term) else ()


def _has_slopes(term: Any) -> bool:
    """Whether SymPy's rule for a function is the chain rule over `fdiff`; some have their own."""
    return (
        isinstance(term, sp.Function)
        and type(term)._eval_derivative is sp.Function._eval_derivative  # type: ignore[attr-defined]
    )


class _Slopes:
    """The partial derivatives of functions by their arguments, which all symbols share."""

    def __init__(self, power: PowerRule) -> None:
        self.of = lru_cache(maxsize=None)(lambda term, place: term.fdiff(place))
        self.power = power


def _tangent(term: Any, symbol: Any, tangents: dict[Any, Any], slopes: _Slopes) -> Any:
    """One term's derivative from those of its operands; operands without one do not depend."""
    zero = sp.S.Zero
    if term.is_Add:
        return sp.Add(*(tangents[a] for a in term.args if a in tangents))
    if term.is_Mul:
        factors = term.args
        return sp.Add(*(
            sp.Mul(*factors[:i], tangents[a], *factors[i + 1 :])
            for i, a in enumerate(factors)
            if tangents.get(a, zero) != 0
        ))  # fmt: skip
    if term.is_Pow or isinstance(term, fn.power):
        return slopes.power(term, tangents)
    if isinstance(term, sp.Piecewise):
        pairs: Any = term.args
        return _switched([(tangents.get(value, zero), where) for value, where in pairs])
    if _has_slopes(term):
        return sp.Add(*(
            slopes.of(term, place) * tangents[a]
            for place, a in enumerate(term.args, 1)
            if tangents.get(a, zero) != 0
        ))  # fmt: skip
    return term.diff(symbol)


def _switched(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """The derivative of a term in pieces, from those of its pieces.

    In a piece, steps across its own border are decided. A common number is taken out, and two
    numbers are a step: one neuron's slopes by all symbols share one function then.
    """
    (first, where), (second, _) = pairs[0], pairs[-1]
    if len(pairs) != 2 or not isinstance(where, ORDERS):
        return sp.Piecewise(*pairs)
    inside = border(where)
    above, below = step(inside), step(-inside)
    first = first.xreplace({above: sp.S.One, below: sp.S.Zero})
    second = second.xreplace({above: sp.S.Zero, below: sp.S.One})
    k = (first if first != 0 else second).as_coeff_Mul()[0]
    if not k.is_Rational or first == second:
        return sp.Piecewise((first, where), (second, True))
    a, b = first / k, second / k
    if a.is_Rational and b.is_Rational:
        return k * (b + (a - b) * above)
    return k * sp.Piecewise((a, where), (b, True))
