"""Ranges: closed intervals of whole multiples of 2^-192; every operation rounds outwards.

Each operation contains all values that it has at points of its operands, so that by induction what
is computed with ranges contains the value at every point of a box (the fundamental theorem of
interval analysis: Moore, *Interval Analysis*, 1966; Moore, Kearfott and Cloud, *Introduction to
Interval Analysis*, 2009, theorem 5.1). Python's integers are exact, and ``//`` rounds down.

An end beyond BIG becomes INF, which says that there is no bound, or stays at BIG where that is a
bound: of a lower end above BIG, and of an upper end below -BIG. INF is so large that sums and
products keep it beyond BIG, and ``INF * 0 = 0``, as is right for the ends of a product: x y = 0
where x = 0, however large y is.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import final

from contraction_checker.limits import small
from contraction_checker.refusals import NotProvedError, OutsideError

BITS = 192
ONE = 1 << BITS  # the number one, in units of 2^-192
BIG = 1 << 2000
INF = 1 << 4000


@final
class Range:
    """All real numbers from ``lo`` to ``hi`` units of 2^-192."""

    __slots__ = ("hi", "lo")

    def __init__(self, lo: int, hi: int) -> None:
        if not -BIG <= lo <= BIG:
            lo = BIG if lo > 0 else -INF
        if not -BIG <= hi <= BIG:
            hi = INF if hi > 0 else -BIG
        self.lo = lo
        self.hi = hi

    def __add__(self, other: Range | Fraction | int) -> Range:
        right = other if isinstance(other, Range) else near(other)
        return Range(self.lo + right.lo, self.hi + right.hi)

    __radd__ = __add__

    def __neg__(self) -> Range:
        return Range(-self.hi, -self.lo)

    def __sub__(self, other: Range | Fraction | int) -> Range:
        right = other if isinstance(other, Range) else near(other)
        return Range(self.lo - right.hi, self.hi - right.lo)

    def __rsub__(self, other: Fraction | int) -> Range:
        left = near(other)
        return Range(left.lo - self.hi, left.hi - self.lo)

    def __mul__(self, other: Range | Fraction | int) -> Range:
        right = other if isinstance(other, Range) else near(other)
        # x y is affine in x and in y, so its extremes lie at the corners.
        ends = (
            self.lo * right.lo,
            self.lo * right.hi,
            self.hi * right.lo,
            self.hi * right.hi,
        )
        return Range(min(ends) >> BITS, -(-max(ends) >> BITS))

    __rmul__ = __mul__

    def __truediv__(self, other: Range | Fraction | int) -> Range:
        if isinstance(other, Range):
            return self * reciprocal(other)
        return self * near(1 / Fraction(other))

    def __rtruediv__(self, other: Fraction | int) -> Range:
        return reciprocal(self) * other

    def __pow__(self, exponent: int) -> Range:
        """A whole power.

        Raises:
            NotProvedError: If the exponent is negative and the range contains zero.
            MalformedError: If the exponent is beyond 1024.
        """
        small(exponent)
        if exponent == 0:
            return point(ONE)
        lo, hi = self.lo, self.hi
        if exponent % 2 == 0:  # x^p = |x|^p
            lo, hi = max(0, lo, -hi), max(-lo, hi)
        if exponent < 0:
            return reciprocal(Range(lo, hi)) ** -exponent
        # Rising on [lo, hi]. A product of p numbers in units has units to the power p.
        shift = BITS * (exponent - 1)
        return Range(lo**exponent >> shift, -(-(hi**exponent) >> shift))

    def intersected(self, other: Range) -> Range:
        """What lies in both.

        Raises:
            OutsideError: If nothing does.
        """
        lo, hi = max(self.lo, other.lo), min(self.hi, other.hi)
        if lo > hi:
            raise OutsideError
        return Range(lo, hi)


def point(units: int) -> Range:
    """The one number of so many units of 2^-192."""
    return Range(units, units)


@lru_cache(1 << 12)
def near(number: Fraction | int) -> Range:
    """The narrowest range with a rational number in it."""
    p, q = number.numerator, number.denominator
    return Range((p << BITS) // q, -((-p << BITS) // q))


def reciprocal(x: Range) -> Range:
    """All ``1 / t`` for t in the range.

    Raises:
        NotProvedError: If the range contains zero.
    """
    if x.lo <= 0 <= x.hi:
        raise NotProvedError("division by a number that may be zero")
    return Range(ONE * ONE // x.hi, -(-ONE * ONE // x.lo))


def square_root(x: Range) -> Range:
    """All roots of numbers of the range.

    Raises:
        NotProvedError: If the range contains a negative number.
    """
    if x.lo < 0:
        raise NotProvedError("the root of a number that may be negative")
    lo = isqrt(x.lo << BITS)
    if x.hi in (0, INF):
        return Range(lo, x.hi)
    return Range(lo, isqrt((x.hi << BITS) - 1) + 1)  # the least whole number that is no less
