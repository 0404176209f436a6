"""Elementary functions of ranges: a table from a function's word to an enclosure of it.

A function that rises is taken at a range's ends. Of a function with kinks or jumps both sides are
enclosed at the kink (``step`` is anything from 0 to 1 at zero), as is right for Clarke's
generalized gradient (*Optimization and Nonsmooth Analysis*, 1983, section 2.1).
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from contraction_checker.limits import small
from contraction_checker.points import (
    HALF_PI,
    arctangent_at,
    erf_at,
    exp_at,
    log_at,
    sine_at,
)
from contraction_checker.ranges import (
    BITS,
    INF,
    ONE,
    Range,
    near,
    point,
    reciprocal,
    square_root,
)
from contraction_checker.refusals import NotProvedError

OfRange = Callable[[Range], Range]


def rising(at: Callable[[int], Range], low: int | None = None, high: int | None = None) -> OfRange:
    """A rising function of ranges, from its enclosures at points.

    Args:
        at: The function at a number of units; it raises outside of its domain. The domain is
            convex, so that a function which is defined at both ends is defined between them.
        low: The limit at minus infinity, in units; None where the function is not defined there.
        high: The limit at infinity.
    """
    cached = lru_cache(1 << 15)(at)

    def value(x: Range) -> Range:
        if (low is None and x.lo == -INF) or (high is None and x.hi == INF):
            raise NotProvedError("a function of a number without a bound")
        least = low if low is not None and x.lo == -INF else cached(x.lo).lo
        most = high if high is not None and x.hi == INF else cached(x.hi).hi
        return Range(least, most)

    return value


exp = rising(exp_at, 0, INF)
log = rising(log_at, None, INF)
arctan = rising(arctangent_at, -HALF_PI.hi, HALF_PI.hi)
erf = rising(erf_at, -ONE, ONE)


def sin(x: Range) -> Range:
    """The sine, whose extremes are at the ends and at the multiples of pi/2 between them."""
    first = -(-x.lo // (HALF_PI.hi if x.lo > 0 else HALF_PI.lo))
    last = x.hi // (HALF_PI.hi if x.hi < 0 else HALF_PI.lo)
    if last - first > 2 or max(-x.lo, x.hi) >> (BITS + 99):
        return Range(-ONE, ONE)
    ends = sine_at(x.lo), sine_at(x.hi)
    between = [(0, ONE, 0, -ONE)[k % 4] for k in range(first, last + 1)]
    least = min(ends[0].lo, ends[1].lo, *between)
    most = max(ends[0].hi, ends[1].hi, *between)
    return Range(max(least, -ONE), min(most, ONE))


def cos(x: Range) -> Range:
    """``cos x = sin(x + pi/2)``."""
    return sin(x + HALF_PI)


def _tangent_at(units: int) -> Range:
    return sin(point(units)) / cos(point(units))


_tangent_between_poles = rising(_tangent_at)


def tan(x: Range) -> Range:
    """The tangent, which rises where the cosine has no zero."""
    reciprocal(cos(x))
    return _tangent_between_poles(x)


def tanh(x: Range) -> Range:
    """``1 - 2 / (exp(2 x) + 1)``, in which x stands once."""
    return 1 - 2 / (exp(2 * x) + 1)


def _hyperbolic_sine_at(units: int) -> Range:
    return (exp(point(units)) - exp(point(-units))) / 2


sinh = rising(_hyperbolic_sine_at, -INF, INF)


def cosh(x: Range) -> Range:
    """``1 + 2 sinh(x / 2)^2``."""
    return 1 + 2 * sinh(x / 2) ** 2


def _arcsine_at(units: int) -> Range:
    x = point(units)
    return 2 * arctan(x / (1 + square_root(1 - x**2)))


arcsin = rising(_arcsine_at)


def _hyperbolic_arcsine_at(units: int) -> Range:
    # asinh x = log((sqrt(1 + x^2) + x) / (sqrt(1 + x^2) - x)) / 2, which keeps its sign in both
    # halves.
    x = point(units)
    root = square_root(1 + x**2)
    return log((root + x) / (root - x)) / 2


arcsinh = rising(_hyperbolic_arcsine_at, -INF, INF)


def softplus(x: Range) -> Range:
    """``log(1 + exp x)``."""
    return log(1 + exp(x))


def absolute(x: Range) -> Range:
    """The magnitude."""
    return Range(max(0, x.lo, -x.hi), max(-x.lo, x.hi))


def maximum(x: Range, y: Range) -> Range:
    """The larger of two numbers."""
    return Range(max(x.lo, y.lo), max(x.hi, y.hi))


def minimum(x: Range, y: Range) -> Range:
    """The smaller of two numbers."""
    return Range(min(x.lo, y.lo), min(x.hi, y.hi))


def step(x: Range) -> Range:
    """0 below zero, 1 above, and anything between at zero."""
    return Range(ONE if x.lo > 0 else 0, ONE if x.hi >= 0 else 0)


def sign(x: Range) -> Range:
    """-1 below zero, 1 above, and anything between at zero."""
    return Range(ONE if x.lo > 0 else -ONE, -ONE if x.hi < 0 else ONE)


def where(x: Range, y: Range, border: Range) -> Range:
    """The first where the border is positive, the second where it is negative, either at zero."""
    if border.lo > 0:
        return x
    if border.hi < 0:
        return y
    return Range(min(x.lo, y.lo), max(x.hi, y.hi))


def power(x: Range, y: Range) -> Range:
    """``x^y = exp(y log x)`` for x > 0, and for x >= 0 where y > 0.

    Raises:
        NotProvedError: If x may be negative, or zero where y may be zero or negative.
    """
    if x.lo < 0 or x.lo == 0 >= y.lo:
        raise NotProvedError("a power of a number that may be negative")
    found = exp(y * log(Range(max(x.lo, 1), max(x.hi, 1))))
    # Where x may be zero y is positive: then 0 <= x^y, and x^y rises with x up to what was found.
    return Range(found.lo if x.lo else 0, found.hi)


def rational_power(x: Range, exponent: Fraction) -> Range:
    """``x^(p/q)``: by multiplication for q = 1, the root's power for q = 2, else by `power`.

    Raises:
        NotProvedError: If x may be negative and q > 1, or zero and the exponent negative.
        MalformedError: If the exponent is beyond 1024.
    """
    small(exponent)
    if exponent.denominator == 1:
        return x**exponent.numerator
    if x.lo < 0:
        raise NotProvedError("the root of a number that may be negative")
    if exponent.denominator == 2:
        return square_root(x) ** exponent.numerator
    return power(x, near(exponent))


FUNCTIONS: dict[str, Callable[..., Range]] = {
    "pi": lambda: 2 * HALF_PI,
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "arcsin": arcsin,
    "arctan": arctan,
    "arcsinh": arcsinh,
    "softplus": softplus,
    "erf": erf,
    "power": power,
    "absolute": absolute,
    "maximum": maximum,
    "minimum": minimum,
    "step": step,
    "sign": sign,
}
