"""Exact terms as one quotient without common factors: what cancels is gone before any enclosure.

Everything but sums, products, quotients and whole powers is a generator, as in `atoms.polynomial`;
of generators it is used that ``sin^2 + cos^2 = 1``, that ``exp(a + b) = exp(a) exp(b)``, and what a
root is.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from riemannian_modules.arithmetic.quotients import in_factors, with_short_powers
from riemannian_modules.terms.deadline import require_time
from riemannian_modules.terms.multiplying_out import polynomial

LARGEST = 3000  # operations of a term up to which common factors are looked for


def normal(e: Any) -> Any:
    """The shortest form that is found of an exact term; 0 where it is found to vanish.

    Equal to the term wherever that is defined: cancelling may only remove conditions.
    """
    require_time()
    e = sp.sympify(e)
    return e if e.is_Atom or e.count_ops() > LARGEST else with_short_powers(_shortest, e)


def _shortest(e: Any) -> Any:
    top, bottom = sp.fraction(sp.cancel(sp.together(sp.expand_power_exp(e))))
    forms = [(top, bottom)]
    if e.has(sp.sin):
        short = sp.cancel(in_cosines(top) / in_cosines(bottom))
        forms += [(in_cosines(top), bottom), sp.fraction(short)]
    quotients = (sp.expand(p) / in_factors(q) for p, q in forms)
    return min(quotients, key=lambda form: form.count_ops())


def vanishes(e: Any) -> bool:
    """Whether an exact term is zero wherever it is defined; False where this is not seen."""
    require_time()

    def numerator(t: Any) -> Any:
        top, _ = sp.fraction(sp.together(sp.expand_power_exp(t)))
        return in_cosines(sp.expand(top))

    return with_short_powers(numerator, sp.sympify(e)) == 0


def in_cosines(p: Any) -> Any:
    """A polynomial of sines and cosines with ``sin^2 = 1 - cos^2`` put in, multiplied out."""
    return _replaced(p, sp.sin, sp.cos)


def in_sines(p: Any) -> Any:
    """The same with ``cos^2 = 1 - sin^2``."""
    return _replaced(p, sp.cos, sp.sin)


def _replaced(p: Any, old: Any, other: Any) -> Any:
    p = sp.expand(p)
    if not p.has(old):
        return p
    total: list[Any] = []
    for monomial, c in polynomial(p).items():
        factors = [c]
        for base, k in monomial:
            if isinstance(base, old) and k > 1:
                factors += [(1 - other(*base.args) ** 2) ** (k // 2), base ** (k % 2)]
            else:
                factors.append(base**k)
        total.append(sp.Mul(*factors))
    return sp.expand(sp.Add(*total))


def square_root(e: Any) -> tuple[Any, Any] | None:
    """A rational c > 0 and a term s with ``c s^2 = e``, s without roots where that is found.

    A root is real and its square the term only where its operand is nonnegative: whoever uses s
    has to prove that it is defined.
    """
    require_time()
    return with_short_powers(_root_and_number, sp.sympify(e))


def _root_and_number(e: Any) -> tuple[Any, Any] | None:
    quotient = sp.fraction(sp.together(e))
    found: list[tuple[Any, Any]] = []
    for form in (sp.expand, in_sines, in_cosines) if e.has(sp.sin, sp.cos) else (sp.expand,):
        factors: Any = [sp.factor_list(form(part)) for part in quotient]
        (c, above), (d, below) = factors
        powers = [*above, *((f, -k) for f, k in below)]
        if (c / d).is_Rational and c / d > 0:
            found.append((c / d, sp.Mul(*(f ** sp.Rational(k, 2) for f, k in powers))))
    return min(found, key=lambda root: roots_in(root[1]), default=None)


def roots_in(e: Any) -> int:
    """How many roots a term is made of."""
    return sum(p.exp.is_Rational and not p.exp.is_Integer for p in e.atoms(sp.Pow))
