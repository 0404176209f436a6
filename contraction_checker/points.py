"""Elementary functions at one point, enclosed by series whose remainder is bounded.

A point is a whole number of units of 2^-192, hence exact. Each function brings its argument near
zero by an identity, sums a series there in ranges, and goes back (Brent and Zimmermann, *Modern
Computer Arithmetic*, 2010, chapter 4). The tests hold each function against Arb at 3,000 bits.
"""

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

from contraction_checker.ranges import BITS, INF, ONE, Range, near, point, square_root
from contraction_checker.refusals import NotProvedError


def series(first: Range, x: Range, ratio: Callable[[int], tuple[int, int]]) -> Range:
    """Enclose ``t_0 + t_1 + ...``: ``t_0 = first``, ``t_(n+1) = t_n x p/q``, ``p, q = ratio(n)``.

    As soon as ``|x p/q|`` is at most 1/2, and in each use it stays so, what follows a term is in
    size at most ``|t| (1/2 + 1/4 + ...) = |t|``. The sum ends where that is below ten units.
    """
    n, term, total = 0, first, first
    size = max(-x.lo, x.hi)
    p, q = ratio(0)
    while max(-term.lo, term.hi) > 9 or 2 * size * p > q << BITS:
        product = term * x
        term = Range(product.lo * p // q, -(-product.hi * p // q))
        total = total + term
        n += 1
        p, q = ratio(n)
    return total + Range(min(term.lo, -term.hi), max(-term.lo, term.hi))


def odd(n: int) -> tuple[int, int]:
    """The ratios of ``x + x^3/3 + x^5/5 + ...``."""
    return 2 * n + 1, 2 * n + 3


def factorial(n: int) -> tuple[int, int]:
    """The ratios of ``1 + x + x^2/2! + ...``."""
    return 1, n + 1


def odd_factorial(n: int) -> tuple[int, int]:
    """The ratios of ``x + x^3/3! + x^5/5! + ...``."""
    return 1, (2 * n + 2) * (2 * n + 3)


def even_factorial(n: int) -> tuple[int, int]:
    """The ratios of ``1 + x^2/2! + x^4/4! + ...``."""
    return 1, (2 * n + 1) * (2 * n + 2)


def double_factorial(n: int) -> tuple[int, int]:
    """The ratios of ``x + 2 x^3/3!! + 4 x^5/5!! + ...``."""
    return 2, 2 * n + 3


def _arctangent_of_one_over(k: int) -> Range:
    return series(near(Fraction(1, k)), -near(Fraction(1, k * k)), odd)


# log 2 = 2 artanh(1/3), and pi/4 = 4 arctan(1/5) - arctan(1/239) (Machin 1706).
LOG_TWO = 2 * series(near(Fraction(1, 3)), near(Fraction(1, 9)), odd)
HALF_PI = 8 * _arctangent_of_one_over(5) - 2 * _arctangent_of_one_over(239)


def exp_at(units: int) -> Range:
    """``exp(k log 2 + r) = 2^k exp(r / 256)^256``, with r from 0 to a little above log 2."""
    k = units // LOG_TWO.lo
    if k > 1700:
        return Range(ONE << 1700, INF)
    if k < -BITS:  # x < -192 LOG_TWO.lo, so that exp(x) is below 2^-192 (1 + 2^-192)
        return Range(0, 2)
    rest = (point(units) - k * LOG_TWO) * Fraction(1, 256)
    y = series(point(ONE), rest, factorial)
    for _ in range(8):
        y = y * y
    if k >= 0:
        return Range(y.lo << k, y.hi << k)
    return Range(y.lo >> -k, -(-y.hi >> -k))


def log_at(units: int) -> Range:
    """``log(2^k (1 - y) / (1 + y)) = k log 2 - 2 artanh y``, with y from 0 to 1/3.

    Raises:
        NotProvedError: At zero and below.
    """
    if units <= 0:
        raise NotProvedError("the logarithm of a number that may be zero or negative")
    bits = units.bit_length()
    above = 1 << bits  # the next power of two
    quotient = ((above - units) << BITS) // (above + units)
    y = Range(quotient, quotient + 1)
    return (bits - BITS) * LOG_TWO - 2 * series(y, y * y, odd)


def sine_at(units: int) -> Range:
    """``x = k pi/2 + r`` with ``|r| < 0.8``: by k modulo 4 it is +-sin r or +-cos r."""
    k = (2 * units + HALF_PI.lo) // (2 * HALF_PI.lo)
    r = point(units) - k * HALF_PI
    if k % 2 == 0:
        y = series(r, -(r * r), odd_factorial)
    else:
        y = series(point(ONE), -(r * r), even_factorial)
    return y if k % 4 < 2 else -y


def arctangent_at(units: int) -> Range:
    """``atan x = 2 atan(x / (1 + sqrt(1 + x^2)))``, three times, off by below 3 units.

    An error of three units in the argument is one of at most three in the arctangent, and after a
    halving the angle is doubled again: ``8 * 3 + 4 * 3 + 2 * 3 < 64``.
    """
    x = units
    for _ in range(3):
        x = (x << BITS) // (ONE + isqrt(ONE * ONE + x * x))
    return 8 * series(point(x), -(point(x) * point(x)), odd) + Range(-64, 64)


def erf_at(units: int) -> Range:
    """``erf x = 2 / (sqrt(pi) exp(x^2))`` times the sum of ``2^n x^(2n+1) / (2n+1)!!``.

    All terms are of one sign, so that nothing cancels (Abramowitz and Stegun, 7.1.6).
    """
    if units < 0:
        return -erf_at(-units)
    if units > 12 * ONE:
        return Range(ONE - 1, ONE)  # 1 - erf(12) < exp(-144) < 2^-192
    x = point(units)
    square = x * x
    total = series(x, square, double_factorial)
    scale = square_root(2 * HALF_PI) * Range(exp_at(square.lo).lo, exp_at(square.hi).hi)
    return Range(2 * total.lo * ONE // scale.hi, 2 * total.hi * ONE // scale.lo + 1)
