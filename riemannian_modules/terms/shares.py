"""Quotients by a sum of exponentials, as in softmax, written in shares that sum to one.

With ``p_i = c_i exp(a_i) / sum_j c_j exp(a_j)`` a quotient is a polynomial of shares; multiplied by
``sum_j p_j = 1`` to one degree, what cancels is gone: ``p_i - p_i^2`` becomes ``sum_(j != i) p_i
p_j``. A share is enclosed well as ``1 / sum_j (c_j / c_i) exp(a_j - a_i)``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import Any

import sympy as sp
from sympy.ntheory.multinomial import multinomial_coefficients

MOST = 16  # shares
Polynomial = dict[tuple[tuple[Any, int], ...], Any]


def in_shares(e: Any, multiplied_out: Callable[[Any], Polynomial]) -> Any:
    """An expression with its quotients by sums of exponentials written in shares, equal exactly."""
    for total in sorted({p.base for p in e.atoms(sp.Pow) if p.exp.is_negative}, key=str):
        terms = _exponentials(total)
        if terms is not None:
            e = _divided(e, total, terms, multiplied_out)
    return e


def _exponentials(total: Any) -> list[tuple[Any, Any]] | None:
    """The pairs (c, a) of a sum of terms ``c exp(a)``, c > 0; None where it is no such sum."""
    found: list[tuple[Any, Any]] = []
    for term in sp.Add.make_args(total):
        c, rest = term.as_coeff_Mul()
        factors: Any = [] if rest == 1 else sp.Mul.make_args(rest)
        if not (c.is_Rational and c > 0 and all(isinstance(f, sp.exp) for f in factors)):
            return None
        found.append((c, sp.Add(*(f.args[0] for f in factors))))
    moving = sum(bool(a.free_symbols) for _, a in found)
    return found if moving >= 2 and len(found) <= MOST else None


def _divided(
    e: Any,
    total: Any,
    terms: Sequence[tuple[Any, Any]],
    multiplied_out: Callable[[Any], Polynomial],
) -> Any:
    """The expression with its quotients by one sum in shares; itself where one is no polynomial."""
    kept: list[Any] = []
    parts: list[tuple[Any, tuple[int, ...]]] = []  # a factor of shares with these exponents
    for monomial, coefficient in multiplied_out(e).items():
        powers = dict(monomial)
        degree = -powers.pop(total, 0)
        if degree <= 0:
            kept.append(coefficient * sp.Mul(*(b**k for b, k in monomial)))
            continue
        exponent = sp.expand(sp.Add(*(k * b.args[0] for b, k in powers.items() if _is_exp(b))))
        shares = _shares_of(exponent, degree, terms)
        if shares is None:
            return e
        rest = sp.Mul(*(b**k for b, k in powers.items() if not _is_exp(b)))
        scale = sp.Mul(*(c**-k for (c, _), k in zip(terms, shares, strict=True)))
        parts.append((coefficient * scale * rest, shares))
    if not parts:
        return e
    each = [1 / sp.Add(*(d / c * sp.exp(b - a) for d, b in terms)) for c, a in terms]
    summed = _of_one_degree(parts)
    return sp.Add(*kept, *(c * sp.Mul(*map(pow, each, shares)) for shares, c in summed.items()))


def _is_exp(base: Any) -> bool:
    return isinstance(base, sp.exp)


def _shares_of(
    exponent: Any, degree: int, terms: Sequence[tuple[Any, Any]]
) -> tuple[int, ...] | None:
    """How often each share is a factor of ``exp(exponent) / total^degree``; None if it is none."""
    for choice in combinations_with_replacement(range(len(terms)), degree):
        if sp.expand(exponent - sp.Add(*(terms[i][1] for i in choice))) == 0:
            return tuple(choice.count(i) for i in range(len(terms)))
    return None


def _of_one_degree(parts: Sequence[tuple[Any, tuple[int, ...]]]) -> dict[tuple[int, ...], Any]:
    """The coefficient of each product of shares, all multiplied by their sum to one degree."""
    degree = max(sum(shares) for _, shares in parts)
    found: defaultdict[tuple[int, ...], Any] = defaultdict(lambda: sp.S.Zero)
    for coefficient, shares in parts:
        power: Any = multinomial_coefficients(len(shares), degree - sum(shares))
        for more, ways in power.items():
            found[tuple(map(int.__add__, shares, more))] += ways * coefficient
    return {shares: sp.expand(c) for shares, c in found.items()}
