"""Powers of terms with rational exponents, among them quotients and roots.

What is no monomial becomes one generator, a ``sum``, with the exponent on it. So that equal powers
are written alike, a number is taken out of the sum first: its leading coefficient where the
exponent is whole, and a number whose root is rational where the exponent is half a whole number.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import gcd, isqrt, lcm

from contraction_checker.limits import HIGHEST_POWER_OF_A_SUM, LONGEST_COEFFICIENT, small
from contraction_checker.refusals import NotProvedError
from contraction_checker.terms import (
    Coefficient,
    Generator,
    Monomial,
    Term,
    as_term,
    bits,
    generated,
    multiply,
)


def power(base: Term, exponent: Fraction | int) -> Term:
    """``base^exponent``, wherever it is defined.

    Raises:
        NotProvedError: If the base is zero and the exponent no whole number from 0 on, or the power
            too long.
        MalformedError: If the exponent is beyond 1024.
    """
    small(exponent)
    e = Fraction(exponent)
    still = base.still()
    longest = max(map(bits, still.parts.values()), default=0)
    is_long = longest * abs(e) > LONGEST_COEFFICIENT
    if is_long or (len(still.parts) > 1 and e > HIGHEST_POWER_OF_A_SUM):
        raise NotProvedError("multiplying out gives too much")
    if e.denominator == 1 and e >= 0:
        return multiply([base] * int(e), as_term(1))
    if not still:
        raise NotProvedError("division by zero")
    moving = base - still
    if moving:
        # (t + dt)^e = t^e + e t^(e - 1) dt, for dt is infinitesimal.
        return power(still, e) + e * power(still, e - 1) * moving
    return _whole_power(still, int(e)) if e.denominator == 1 else _root_power(still, e)


def quotient(numerator: Term | int, denominator: Term) -> Term:
    """The quotient, wherever the denominator is not zero."""
    return power(denominator, -1) * numerator


def _whole_power(base: Term, e: int) -> Term:
    """``(c m + ...)^e = c^e (m + ...)^e``, for a negative e."""
    m, c = min(base.parts.items())
    if len(base.parts) > 1:
        m = _as_sum(base * (1 / Fraction(c)))
    return _raised(m, Fraction(e)) * Fraction(c) ** e


def _root_power(base: Term, e: Fraction) -> Term:
    """``t^e = s^(2 e) (t / s^2)^e``, for any s > 0, where e is no whole number."""
    s = Fraction(1)
    if e.denominator == 2:
        numerator, denominator = _content(base.parts.values())
        s = Fraction(_square_root(numerator), _square_root(denominator))
    ((m, c), *more) = sorted(base.parts.items())
    # (x^2)^(1/2) is no x: only a generator by itself has its exponent multiplied.
    is_generator = not more and c == 1 and [k for _, k in m] == [1]
    if not is_generator:
        m = _as_sum(base * (1 / s**2))
    return _raised(m, e) * s ** int(2 * e)


def _as_sum(t: Term) -> Monomial:
    (monomial,) = generated(Generator("sum", operands=(t,))).parts
    return monomial


def _raised(m: Monomial, e: Fraction) -> Term:
    return Term({tuple((g, k * e) for g, k in m): 1})


def _content(coefficients: Iterable[Coefficient]) -> tuple[int, int]:
    """The largest fraction of which all coefficients are whole multiples."""
    parts = list(coefficients)
    return gcd(*(c.numerator for c in parts)), lcm(*(c.denominator for c in parts))


def _square_root(n: int) -> int:
    """A number s whose square divides n; ``n / s^2`` is the same of n and ``n t^2`` for small t."""
    s = 1
    for p in (2, 3, 5, 7):
        while n % p**2 == 0:
            n, s = n // p**2, s * p
    root = isqrt(n)
    return s * root if root**2 == n else s


def vanishes(t: Term | Fraction | int) -> bool:
    """Whether a term is zero wherever it is defined: if it is, times its denominators."""
    left = as_term(t)
    while denominators := [(e, g) for m in left.parts for g, e in m if e < 0]:
        e, g = min(denominators)
        left = left * Term({((g, -e),): 1})
    return not left
