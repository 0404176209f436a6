"""Interval arrays: sets of real numbers between two bounds, rounded outward, over batches of boxes.

Conventions, on which every proof of this library rests:

- *Containment.* The result of an operation contains every real result of real operands taken from
  its operands.
- *Undecided.* NaN bounds stand for "nothing is known here": a domain was left (square root of an
  interval that dips
  below zero, division by an interval that contains zero, ...). They come in pairs and pass through
  every operation, so that any comparison with a bound is False: a box with an undecided value is
  never decided.
- *Unbounded.* Infinite bounds stand for unbounded sets of real numbers; infinity itself is no
  member. So
  ``0 * [0, inf] = 0`` and ``[0, inf] - [0, inf] = [-inf, inf]``.

Source: Moore, Kearfott, Cloud (2009), Introduction to Interval Analysis; IEEE 1788-2015 for the
conventions on infinity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import EllipsisType
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riemannian_modules.arithmetic import interval_bounds as bounds
from riemannian_modules.arithmetic.rounding import MAX, Array, quiet, sum_down, sum_up
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Shown

# What an operator takes as its other side; floating-point numbers stand for their exact binary
# values.
Operand: TypeAlias = (
    "Interval | Fraction | int | float | np.floating[Any] | np.integer[Any] | NDArray[Any]"
)
Axis: TypeAlias = int | slice | EllipsisType | NDArray[Any] | None
Index: TypeAlias = Axis | tuple[Axis, ...]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interval(Shown):
    """The sets ``[lower, upper]``; float64 arrays of one shape, leading axes being batches.

    This constructor trusts its caller: bounds in order, NaN in pairs. User data goes through
    `interval`. A thin interval may carry one array as both bounds, which makes products cheaper.
    """

    lower: Array
    upper: Array

    __array_ufunc__: ClassVar[None] = None  # lets ``array * interval`` reach __rmul__

    # -- construction

    @staticmethod
    def point(x: ArrayLike) -> Interval:
        """The intervals ``[x, x]`` of finite numbers, taken as exact binary numbers.

        Raises:
            DomainError: If ``x`` holds NaN or infinite entries.
        """
        given = np.asarray(x)
        exact = np.asarray(given, dtype=np.float64)
        if exact.dtype != given.dtype and (exact.astype(given.dtype) != given).any():
            raise DomainError(
                "Interval.point: some numbers are no doubles, as whole numbers beyond 2^53 may be. "
                "Enclose them one by one with Interval.rational(Fraction(number))."
            )
        if not np.isfinite(exact).all():
            raise DomainError(
                f"Interval.point: expected finite numbers, got {exact[~np.isfinite(exact)][0]}. "
                "Use interval(lower, upper) for unbounded sides, undecided(shape) otherwise."
            )
        return Interval(exact, exact)

    @staticmethod
    def rational(fraction: Fraction | int) -> Interval:
        """The tightest interval with floating-point bounds that contains ``fraction``; shape ()."""
        try:
            nearest = fraction.numerator / fraction.denominator  # correctly rounded by Python
        except OverflowError:
            nearest = MAX if fraction > 0 else -MAX
        exact = Fraction(nearest)
        if exact == fraction:
            return Interval.point(nearest)
        lower = nearest if exact < fraction else math.nextafter(nearest, -math.inf)
        upper = nearest if exact > fraction else math.nextafter(nearest, math.inf)
        return Interval(np.array(lower), np.array(upper))

    # -- arithmetic

    def __neg__(self) -> Interval:
        # Changing signs is exact.
        if self.lower is self.upper:
            negative = np.asarray(-self.lower)
            return Interval(negative, negative)
        return Interval(np.asarray(-self.upper), np.asarray(-self.lower))

    def __pos__(self) -> Interval:
        return self

    def __abs__(self) -> Interval:
        return Interval(*bounds.absolute_bounds(self.bounds))

    @quiet
    def __add__(self, other: Operand) -> Interval:
        b = as_interval(other)
        # Sums are monotone in both terms: the lower bounds add, rounded down, and so do the upper
        # ones.
        return Interval(sum_down(self.lower + b.lower), sum_up(self.upper + b.upper))

    __radd__ = __add__

    @quiet
    def __sub__(self, other: Operand) -> Interval:
        b = as_interval(other)
        return Interval(sum_down(self.lower - b.upper), sum_up(self.upper - b.lower))

    def __rsub__(self, other: Operand) -> Interval:
        return as_interval(other) - self

    @quiet
    def __mul__(self, other: Operand) -> Interval:
        if isinstance(other, (int, float)) and other in (1, -1):
            return self if other == 1 else -self
        return Interval(*bounds.product_bounds(self.bounds, as_interval(other).bounds))

    __rmul__ = __mul__

    @quiet
    def __truediv__(self, other: Operand) -> Interval:
        return Interval(*bounds.quotient_bounds(self.bounds, as_interval(other).bounds))

    def __rtruediv__(self, other: Operand) -> Interval:
        return as_interval(other) / self

    @quiet
    def __pow__(self, exponent: Operand) -> Interval:
        """Any base for a whole exponent; else ``x > 0``, or ``x >= 0`` and a positive exponent."""
        if isinstance(exponent, int) or (
            isinstance(exponent, (float, Fraction, np.integer)) and exponent % 1 == 0
        ):
            return _whole_power(self, int(exponent))
        return Interval(*bounds.real_power_bounds(self.bounds, as_interval(exponent).bounds))

    def __rpow__(self, base: Operand) -> Interval:
        return as_interval(base) ** self

    # -- shape

    @property
    def bounds(self) -> tuple[Array, Array]:
        """``(lower, upper)``."""
        return self.lower, self.upper

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the bounds."""
        return self.lower.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.lower.ndim

    @property
    def size(self) -> int:
        """The number of intervals."""
        return self.lower.size

    @property
    def mT(self) -> Interval:
        """Transpose of the last two axes, as for batches of matrices."""
        return Interval(self.lower.swapaxes(-1, -2), self.upper.swapaxes(-1, -2))

    @property
    def T(self) -> Interval:
        """Transpose of all axes."""
        return Interval(self.lower.T, self.upper.T)

    def __len__(self) -> int:
        return len(self.lower)

    def __getitem__(self, index: Index) -> Interval:
        return Interval(np.asarray(self.lower[index]), np.asarray(self.upper[index]))

    def __iter__(self) -> Iterator[Interval]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise DomainError(
            "An Interval has no truth value, for a comparison may hold on a part of it only. "
            "Compare bounds, as in (x.upper < 0).all(), or use where(less(x, 0), ..., ...)."
        )

    def reshape(self, *shape: int) -> Interval:
        """The same intervals in another shape."""
        return Interval(self.lower.reshape(shape), self.upper.reshape(shape))

    def sum(self, axis: int | None = None) -> Interval:
        """Sum along an axis (all axes when None), each addition rounded outward."""
        terms = self.reshape(-1) if axis is None else self
        terms = Interval(
            np.moveaxis(terms.lower, axis or 0, 0), np.moveaxis(terms.upper, axis or 0, 0)
        )
        total = Interval(np.zeros(terms.shape[1:]), np.zeros(terms.shape[1:]))
        for term in terms:
            total = total + term
        return total

    # -- sets

    @property
    def is_decided(self) -> NDArray[np.bool_]:
        """Where the bounds are numbers, not NaN."""
        return ~(np.isnan(self.lower) | np.isnan(self.upper))

    @property
    @quiet
    def midpoint(self) -> Array:
        """A finite member near the centre (near 0 for unbounded sets), NaN where undecided."""
        # Any member would do: the radius is measured from the number that comes out here. The form
        # lower + half the width is exact for points; halving first serves where the width
        # overflows.
        lower, upper = np.maximum(self.lower, -MAX), np.minimum(self.upper, MAX)
        width = upper - lower
        centre = np.where(np.isfinite(width), lower + 0.5 * width, 0.5 * lower + 0.5 * upper)
        unbounded = np.isinf(self.lower) | np.isinf(self.upper)
        centre = np.where(unbounded & self.is_decided, 0.0, centre)
        return np.asarray(np.minimum(np.maximum(centre, lower), upper))

    @property
    @quiet
    def radius(self) -> Array:
        """The radius about `midpoint`, rounded up: no member is farther from it."""
        centre = self.midpoint
        return sum_up(np.asarray(np.maximum(self.upper - centre, centre - self.lower)))

    @property
    @quiet
    def width(self) -> Array:
        """``upper - lower``, rounded up."""
        return sum_up(self.upper - self.lower)

    @property
    def magnitude(self) -> Array:
        """The largest ``|x|``, exact."""
        return bounds.absolute_bounds(self.bounds)[1]

    @property
    def mignitude(self) -> Array:
        """The smallest ``|x|``, exact."""
        return bounds.absolute_bounds(self.bounds)[0]

    def contains(self, other: Interval | ArrayLike) -> NDArray[np.bool_]:
        """Where every number of ``other`` is a member; False where either is undecided."""
        inner = other.bounds if isinstance(other, Interval) else (np.asarray(other),) * 2
        return np.asarray((self.lower <= inner[0]) & (inner[1] <= self.upper))

    def hull(self, other: Operand) -> Interval:
        """The smallest interval that contains both; exact, undecided where either is."""
        b = as_interval(other)
        return Interval(
            np.asarray(np.minimum(self.lower, b.lower)), np.asarray(np.maximum(self.upper, b.upper))
        )

    def intersect(self, other: Operand) -> Interval:
        """The numbers common to both; exact, undecided where either is.

        Raises:
            DomainError: If an intersection is empty, as then one of the two is no enclosure of the
                same value.
        """
        b = as_interval(other)
        lower, upper = np.maximum(self.lower, b.lower), np.minimum(self.upper, b.upper)
        if np.any(lower > upper):
            raise DomainError(
                f"Interval.intersect: {np.sum(lower > upper)} of {np.size(lower)} intersections "
                "are empty. Two enclosures of one value always meet: check that they are of one."
            )
        return Interval(np.asarray(lower), np.asarray(upper))

    @quiet
    def widened(self, steps: int) -> Interval:
        """The interval with each bound moved outward by some floating-point numbers."""
        lower, upper = self.bounds
        for _ in range(steps):
            lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
        return Interval(np.asarray(lower), np.asarray(upper))

    def broadcast_to(self, shape: tuple[int, ...]) -> Interval:
        """Read-only views of the bounds in a larger shape."""
        return Interval(np.broadcast_to(self.lower, shape), np.broadcast_to(self.upper, shape))


def interval(lower: ArrayLike, upper: ArrayLike) -> Interval:
    """Copy and validate bounds given by a user, broadcast to one shape.

    Raises:
        DomainError: If bounds are NaN, in reverse order, or both infinite on one side (a set
            without real numbers).
    """
    low, high = np.broadcast_arrays(
        np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    )
    low, high = low.copy(), high.copy()
    if np.isnan(low).any() or np.isnan(high).any():
        raise DomainError(
            "interval: expected numbers as bounds, got NaN. Use undecided(shape) on purpose."
        )
    empty = (low > high) | (low == np.inf) | (high == -np.inf)
    if empty.any():
        raise DomainError(
            f"interval: expected lower <= upper with real numbers between, got "
            f"[{low[empty][0]}, {high[empty][0]}] "
            f"at {int(empty.sum())} of {empty.size} entries. Swap or correct the bounds."
        )
    return Interval(low, high)


def entire(shape: tuple[int, ...] = ()) -> Interval:
    """All real numbers, ``[-inf, inf]``."""
    return Interval(np.full(shape, -np.inf), np.full(shape, np.inf))


def undecided(shape: tuple[int, ...] = ()) -> Interval:
    """Values of which nothing is known, ``[NaN, NaN]``."""
    return Interval(np.full(shape, np.nan), np.full(shape, np.nan))


def as_interval(operand: Operand) -> Interval:
    """The operand as an interval: fractions and long integers enclosed tightly, floats exactly.

    Raises:
        DomainError: If a number is NaN or infinite.
    """
    if isinstance(operand, Interval):
        return operand
    if isinstance(operand, Fraction) or (isinstance(operand, int) and abs(operand) > 2**53):
        return Interval.rational(operand)
    return Interval.point(operand)


def stack(parts: Sequence[Operand], axis: int = 0) -> Interval:
    """Join intervals of one shape (after broadcasting) along a new axis."""
    enclosed = [as_interval(part) for part in parts]
    shape = np.broadcast_shapes(*(part.shape for part in enclosed))
    return Interval(
        np.stack([np.broadcast_to(part.lower, shape) for part in enclosed], axis),
        np.stack([np.broadcast_to(part.upper, shape) for part in enclosed], axis),
    )


def concatenate(parts: Sequence[Interval], axis: int = 0) -> Interval:
    """Join intervals along an existing axis."""
    return Interval(
        np.concatenate([part.lower for part in parts], axis),
        np.concatenate([part.upper for part in parts], axis),
    )


def _whole_power(x: Interval, exponent: int) -> Interval:
    if abs(exponent) > 2**53:
        raise DomainError(
            f"Interval power: expected a whole exponent of at most 2^53, got {exponent}. "
            "Write the power as exp(exponent * log(x))."
        )
    if exponent == 0:
        # x^0 = 1, but undecided stays undecided.
        one = np.where(x.is_decided, 1.0, np.nan)
        return Interval(one, one)
    power = Interval(*bounds.integer_power_bounds(x.bounds, abs(exponent)))
    return power if exponent > 0 else 1.0 / power
