"""Exact terms over one denominator, at a cost that the digits of exponents cannot drive up.

SymPy reads ``exp(3 x / 10)`` as the third power of the generator ``exp(x / 10)``. With coefficients
as doubles have them, ``k / 2^54``, such powers have degrees of 10^16. Here a generator is the
exponential of what all exponents are small whole multiples of, or each exponential by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

LARGEST_DEGREE = 32  # of the power of a generator that an exponential may be
LONGEST = 512  # bits of a coefficient up to which polynomials are factored


def factored(e: Any) -> Any:
    """Over one denominator, in factors; equal to the term wherever that is defined.

    The largest coefficient of a sum is near one: whole numbers, as SymPy has them, would be so
    large that high powers of their inverses vanish beside the digits that enclosures carry.
    """
    return with_short_powers(lambda t: _evened(in_factors(sp.together(t))), e)


def in_factors(quotient: Any) -> Any:
    """A quotient of polynomials in irreducible factors, as it is where coefficients are too long.

    Of a polynomial in several symbols SymPy seeks a prime beyond all coefficients of its factors
    (Wang 1978), which takes minutes for the thousand bits of 1e308 or 5e-324.
    """
    parts = (factor.as_base_exp()[0] for e in sp.fraction(quotient) for factor in _factors(e))
    is_long = any(_bits(part) > LONGEST for part in parts if part.is_Add and part.free_symbols)
    return quotient if is_long else sp.factor(quotient)


def _factors(e: Any) -> Any:
    return sp.Mul.make_args(e)


def _bits(e: Any) -> int:
    """The length of the longest coefficient of a polynomial; 0 where all symbols cancel."""
    polynomial: Any = e.as_poly()
    coefficients: list[Any] = polynomial.coeffs() if polynomial is not None else []
    numbers = [n for c in coefficients if c.is_Rational for n in (c.p, c.q)]
    return max((n.bit_length() for n in numbers), default=0)


def _evened(e: Any) -> Any:
    scales: list[Any] = []
    factors: list[Any] = []
    for base, exponent in (factor.as_base_exp() for factor in _factors(e)):
        largest: Any = max(map(_coefficient, base.args), default=sp.S.One)
        if base.is_Add and exponent.is_Integer and largest.is_Rational:
            scale = sp.Integer(2) ** (largest.p.bit_length() - largest.q.bit_length())
            scales.append(scale**exponent)
            factors.append(sp.Add(*(t / scale for t in base.args)) ** exponent)
        else:
            factors.append(base**exponent)
    return sp.Mul(*scales, *factors)


def _coefficient(term: Any) -> Any:
    return abs(term.as_coeff_Mul()[0])


def with_short_powers(form: Callable[[Any], Any], term: Any) -> Any:
    """What a rational operation makes of a term: one term, several in a tuple, or None."""
    table, back = _generators(term)
    result = form(term.xreplace(table))
    if result is None:
        return None
    if isinstance(result, tuple):
        return tuple(part.xreplace(back) for part in result)
    return result.xreplace(back)


def _generators(term: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Exponentials as powers of symbols, and what the symbols stand for."""
    exponents: dict[Any, dict[Any, Any]] = {}
    for p in sorted(term.atoms(sp.exp), key=sp.default_sort_key):
        parts = [part.as_coeff_Mul() for part in sp.Add.make_args(sp.expand(p.args[0]))]
        exponents[p] = {monomial: c for c, monomial in parts}
    coefficients: dict[Any, list[Any]] = {}
    for own in exponents.values():
        for monomial, c in own.items():
            coefficients.setdefault(monomial, []).append(c)
    short: dict[Any, tuple[Any, Any]] = {}
    for monomial, cs in coefficients.items():
        common = sp.gcd_list(cs)
        if common.is_Rational and max(abs(c / common) for c in cs) <= LARGEST_DEGREE:
            short[monomial] = common, sp.Dummy(positive=True)
    table: dict[Any, Any] = {}
    back = {symbol: sp.exp(common * monomial) for monomial, (common, symbol) in short.items()}
    for p, own in exponents.items():
        if own.keys() <= short.keys():
            table[p] = sp.Mul(*(short[m][1] ** (c / short[m][0]) for m, c in own.items()))
        else:
            table[p] = sp.Dummy(positive=True)
            back[table[p]] = p
    return table, back
