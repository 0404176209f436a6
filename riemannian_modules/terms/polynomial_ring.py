"""Polynomials with exact rational coefficients over generators: symbols, and terms that are no sum.

A subterm that is no polynomial (tanh(x), 1/(1 + p^2)) is a generator of its own, as in
`riemannian_modules.terms.atoms.polynomial`, which multiplies out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import sympy as sp

from riemannian_modules.terms.deadline import require_time
from riemannian_modules.terms.multiplying_out import polynomial

Powers = tuple[int, ...]
Poly = dict[Powers, Fraction]


@final
@dataclass(frozen=True, eq=False)
class Ring:
    """All polynomials in some generators; a polynomial is a dict from exponents to coefficients."""

    generators: tuple[sp.Expr, ...]

    @cached_property
    def _place(self) -> dict[Any, int]:
        return {g: k for k, g in enumerate(self.generators)}

    @property
    def one(self) -> Powers:
        """The exponents of the monomial 1."""
        return (0,) * len(self.generators)

    def read(self, e: Any) -> Poly:
        """An expression multiplied out. Raises KeyError for a generator that is not of the ring."""
        result: Poly = {}
        for monomial, c in polynomial(e).items():
            powers = [0] * len(self.generators)
            for base, exponent in monomial:
                g, k = _generator(base, exponent)
                powers[self._place[g]] += k
            key = tuple(powers)
            result[key] = result.get(key, Fraction(0)) + Fraction(int(c.p), int(c.q))
        return {m: c for m, c in result.items() if c}

    def monomial(self, powers: Powers) -> sp.Expr:
        """The expression of a monomial."""
        return sp.Mul(*(g**k for g, k in zip(self.generators, powers, strict=True) if k))

    def expression(self, p: Poly) -> sp.Expr:
        """The expression of a polynomial."""
        terms = (sp.Rational(c.numerator, c.denominator) * self.monomial(m) for m, c in p.items())
        return sp.Add(*terms)


def ring_of(terms: Iterable[Any], first: Sequence[sp.Symbol] = ()) -> Ring:
    """The smallest ring that holds some expressions, symbols ``first`` at the front."""
    found: dict[Any, None] = dict.fromkeys(first)
    for e in terms:
        for monomial in polynomial(e):
            for base, exponent in monomial:
                found.setdefault(_generator(base, exponent)[0])
    return Ring(tuple(found))


def _generator(base: Any, exponent: int) -> tuple[Any, int]:
    return (base, exponent) if exponent > 0 else (1 / base, -exponent)


def plus(a: Poly, b: Poly, factor: Fraction | int = 1) -> Poly:
    """``a + factor b``."""
    total = dict(a)
    for m, c in b.items():
        total[m] = total.get(m, Fraction(0)) + factor * c
    return {m: c for m, c in total.items() if c}


def times(a: Poly, b: Poly) -> Poly:
    """``a b``. Raises OutOfTime when the request's time is over."""
    require_time()
    total: Poly = {}
    for m, c in a.items():
        for n, d in b.items():
            key = tuple(map(int.__add__, m, n))
            total[key] = total.get(key, Fraction(0)) + c * d
    return {m: c for m, c in total.items() if c}


def power_product(factors: Sequence[Poly], powers: Sequence[int], one: Powers) -> Poly:
    """The product of polynomials to some powers; ``one`` is the monomial 1 of their ring."""
    total: Poly = {one: Fraction(1)}
    for factor, power in zip(factors, powers, strict=True):
        for _ in range(power):
            total = times(total, factor)
    return total


def substituted(p: Poly, first: Sequence[Poly]) -> Poly:
    """A polynomial with others put in for the first generators."""
    n, total = len(first), dict[Powers, Fraction]()
    for m, c in p.items():
        rest = {(0,) * n + m[n:]: c}
        total = plus(total, times(rest, power_product(first, m[:n], (0,) * len(m))))
    return total


def derivative(a: Poly, k: int) -> Poly:
    """The partial derivative by generator k, others held."""
    return {(*m[:k], m[k] - 1, *m[k + 1 :]): c * m[k] for m, c in a.items() if m[k]}
