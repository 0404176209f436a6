"""Exact terms multiplied out into polynomials, before any enclosure.

Everything but sums, products and whole powers is a generator. Of the generators it is used that
``sin^2 + cos^2 = 1`` and ``cosh^2 - sinh^2 = 1``, where that leaves fewer terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import sympy as sp

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.terms.deadline import require_time

LARGEST_TERMS = 200_000

Monomial = tuple[tuple[Any, int], ...]  # (base, exponent) pairs, sorted
Polynomial = dict[Monomial, Any]  # exact rational coefficients
Identity = tuple[Any, Any, int, int]  # f, g, a, b with f^2 = a + b g^2

SQUARES = (  # f, g, a, b with f(x)^2 = a + b g(x)^2
    (sp.sin, sp.cos, 1, -1),
    (sp.cos, sp.sin, 1, -1),
    (sp.cosh, sp.sinh, 1, 1),
    (sp.sinh, sp.cosh, -1, 1),
)

TRIGONOMETRIC = tuple(f for f, *_ in SQUARES)


def polynomial(e: Any) -> Polynomial:
    """An expression multiplied out over its sums and products; everything else is a generator."""
    p = _polynomial(e)
    while True:
        shorter = min((_put_in(p, identity) for identity in _identities([p])), key=len, default=p)
        if len(shorter) >= len(p):
            return p
        p = shorter


def fewer_squares(entries: Mapping[Any, Polynomial]) -> Iterator[dict[Any, Polynomial]]:
    """Polynomials with one square written in the other, for all pairs that stand in them."""
    for identity in _identities(entries.values()):
        yield {place: _put_in(p, identity) for place, p in entries.items()}


def _identities(polynomials: Iterable[Polynomial]) -> list[Identity]:
    """Those of squares that stand in the polynomials, both of them."""
    squared = {
        base: None for p in polynomials for m in p for base, k in m if k >= 2 and base.is_Function
    }
    return [
        (base, g(*base.args), a, b)
        for base in squared
        for f, g, a, b in SQUARES
        if isinstance(base, f) and g(*base.args) in squared
    ]


def _put_in(p: Polynomial, identity: Identity) -> Polynomial:
    """A polynomial in which ``a + b g^2`` stands for ``f^2``."""
    f, g, a, b = identity
    total: Polynomial = {}
    for monomial, c in p.items():
        k = max(dict(monomial).get(f, 0), 0) // 2
        rest = _joined(monomial, ((f, -2 * k),)) if k else monomial
        for i in range(k + 1):
            key = _joined(rest, ((g, 2 * i),)) if i else rest
            total[key] = total.get(key, 0) + c * math.comb(k, i) * a ** (k - i) * b**i
    return {m: c for m, c in total.items() if c}


def _polynomial(e: Any) -> Polynomial:
    if e.is_Rational:
        return {(): e} if e != 0 else {}
    if e.is_Add:
        return sum_of([_polynomial(a) for a in e.args])
    if e.is_Mul:
        result: Polynomial = {(): sp.S.One}
        for a in e.args:
            result = product_of(result, _polynomial(a))
        return result
    if isinstance(e, sp.Pow) and e.exp.is_Integer:
        if e.exp > 1 and (e.base.is_Add or e.base.is_Mul) and e.exp <= 16:
            factor, result = _polynomial(e.base), {(): sp.S.One}
            for _ in range(int(e.exp)):
                result = product_of(result, factor)
            return result
        return _generator(e, e.base, int(e.exp))
    return _generator(e, e, 1)


def _generator(e: Any, base: Any, exponent: int) -> Polynomial:
    """A power of a generator, multiplied out where identities make another term of it."""
    short = _in_fewer_squares(e) if e.is_Function or e.is_Pow else e
    return {((base, exponent),): sp.S.One} if short == e else _polynomial(short)


@lru_cache(maxsize=4096)
def _in_fewer_squares(e: Any) -> Any:
    """A term with identities used in all that its functions and powers are of."""
    if e.is_Add:
        short = polynomial(e)
        return multiplied_out(e) if len(short) < len(_polynomial(e)) else e
    is_open = e.is_Function or e.is_Mul or e.is_Pow
    return e.func(*map(_in_fewer_squares, e.args)) if is_open and e.has(*TRIGONOMETRIC) else e


def multiplied_out(e: sp.Expr) -> sp.Expr:
    """An expression as the sum of its monomials; `sympy.expand` takes ten times as long."""
    terms = (
        sp.Mul(c, *(base**exponent for base, exponent in monomial))
        for monomial, c in polynomial(e).items()
    )
    return sp.Add(*terms)


def sum_of(parts: Sequence[Polynomial]) -> Polynomial:
    """The sum of polynomials."""
    total: Polynomial = {}
    for part in parts:
        for monomial, coefficient in part.items():
            total[monomial] = total[monomial] + coefficient if monomial in total else coefficient
    return {m: c for m, c in total.items() if c}


def product_of(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two polynomials.

    Raises:
        UnsupportedError: If it has more terms than ``LARGEST_TERMS``.
        OutOfTime: When the request's time is over.
    """
    require_time()
    if len(a) * len(b) > LARGEST_TERMS:
        raise UnsupportedError(
            f"Multiplying the Jacobian out gives over {LARGEST_TERMS} terms. Certify the modules "
            "one by one and compose them (certify_network)."
        )
    total: Polynomial = {}
    for (m, c), (n, d) in product(a.items(), b.items()):
        key = _joined(m, n) if m and n else m or n
        total[key] = total[key] + c * d if key in total else c * d
    return {m: c for m, c in total.items() if c}


@lru_cache(maxsize=1 << 16)
def _joined(m: Monomial, n: Monomial) -> Monomial:
    powers: dict[Any, int] = dict(m)
    for base, exponent in n:
        powers[base] = powers.get(base, 0) + exponent
    kept = ((x, k) for x, k in powers.items() if k)
    return tuple(sorted(kept, key=lambda pair: sp.default_sort_key(pair[0])))
