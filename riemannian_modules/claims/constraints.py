"""What linear constraints and balls leave of a box: which boxes lie outside, which points inside.

A box is outside when some constraint is proved to be violated at all of its points; such boxes need
no bound. All that is proved on the rest of a region's box holds on the region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.region import Ball, Linear
from riemannian_modules.spaces import Array

Point = tuple[Fraction, ...]


@final
@dataclass(frozen=True, slots=True)
class Derived:
    """A linear term that a region bounds, ``lower <= term <= upper``, and a symbol for it."""

    symbol: sp.Symbol
    term: sp.Expr
    lower: float
    upper: float

    def put_into(self, e: sp.Expr) -> sp.Expr:
        """An expression with the symbol in its sums that hold a multiple of the term."""
        first, c = next(iter(self.term.as_coefficients_dict().items()))

        def shortened(total: Any) -> Any:
            share = total.coeff(first) / c
            rest = total - share * self.term if share.is_Rational else total
            if share == 0 or rest.free_symbols & self.term.free_symbols:
                return total
            return rest + share * self.symbol

        found: Any = e.replace(lambda part: part.is_Add, shortened)
        return found

    def columns(
        self, symbols: Sequence[sp.Symbol], lower: Array, upper: Array
    ) -> tuple[Array, Array]:
        """The term's range on boxes (batch, dim), cut to the region's where they meet."""
        value = Interval.point(np.zeros(len(lower)))
        for symbol, c in self.term.as_coefficients_dict().items():
            i = symbols.index(symbol)
            value = value + Interval(lower[:, i], upper[:, i]) * float(c)  # coefficients are floats
        low, high = np.maximum(value.lower, self.lower), np.minimum(value.upper, self.upper)
        meets = ~(low > high)
        return np.where(meets, low, value.lower), np.where(meets, high, value.upper)


@final
@dataclass(frozen=True, eq=False)
class Constraints:
    """Linear constraints and balls over named coordinates, in the order of a problem's box."""

    coordinates: tuple[str, ...] = ()
    members: tuple[Linear | Ball, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members)

    @property
    def rows(self) -> tuple[Linear, ...]:
        """The linear constraints."""
        return tuple(c for c in self.members if isinstance(c, Linear))

    def derived(self, symbols: Sequence[sp.Symbol]) -> tuple[Derived, ...]:
        """The linear terms of several coordinates that the region bounds."""
        by_name = {s.name: s for s in symbols}
        return tuple(
            Derived(sp.Symbol(f"linear[{k}]", real=True), sp.Add(*terms), row.lower, row.upper)
            for k, row in enumerate(self.rows)
            if len(row.coefficients) > 1
            for terms in [
                [
                    sp.Rational(*float(c).as_integer_ratio()) * by_name[n]
                    for n, c in row.coefficients.items()
                ]
            ]
        )

    @property
    def balls(self) -> tuple[Ball, ...]:
        """The balls."""
        return tuple(c for c in self.members if isinstance(c, Ball))

    def outside(self, lower: Array, upper: Array) -> Mask:
        """For each box (batch, dim), whether it is proved to hold no point of the region."""
        result = np.zeros(len(lower), dtype=bool)
        place = {name: i for i, name in enumerate(self.coordinates)}
        for c in self.members:
            if isinstance(c, Linear):
                value = Interval.point(np.zeros(len(lower)))
                for name, a in c.coefficients.items():
                    i = place[name]
                    value = value + Interval(lower[:, i], upper[:, i]) * a
                result |= (value.lower > c.upper) | (value.upper < c.lower)
            else:
                squared = self._squared(c, lower, upper)
                result |= squared.lower > (Interval.point(np.array(c.radius)) ** 2).upper
        return result

    def _squared(self, ball: Ball, lower: Array, upper: Array) -> Interval:
        columns = [self.coordinates.index(name) for name in ball.names]
        away = [
            Interval(lower[:, i], upper[:, i]) - float(v)
            for i, v in zip(columns, ball.center, strict=True)
        ]
        total = Interval.point(np.zeros(len(lower)))
        for a, row in enumerate(away):
            if ball.metric is None:
                total = total + row**2
                continue
            total = total + row**2 * float(ball.metric[a, a])
            for b in range(a):
                total = total + row * away[b] * float(2.0 * ball.metric[a, b])  # doubling is exact
        return total

    def contains(self, point: Sequence[float | Fraction] | Array) -> bool:
        """Whether a point (dim,) fulfils every constraint, in exact rationals."""
        at = {n: Fraction(v) for n, v in zip(self.coordinates, point, strict=True)}
        for c in self.members:
            if isinstance(c, Linear):
                value = sum((Fraction(a) * at[n] for n, a in c.coefficients.items()), Fraction(0))
                if not c.lower <= value <= c.upper:
                    return False
            elif _squared_exactly(c, [at[n] for n in c.names]) > Fraction(c.radius) ** 2:
                return False
        return True

    def pulled_in(self, points: Array) -> Array:
        """Points (count, dim) moved to, or near to, the region by projections; untrusted."""
        moved = points.copy()
        for _ in range(30 if self.members else 0):
            for c in self.members:
                if isinstance(c, Linear):
                    a = np.array([c.coefficients.get(n, 0.0) for n in self.coordinates])
                    value = moved @ a
                    gap = np.clip(value, c.lower, c.upper) - value
                    moved += gap[:, None] * a / (a @ a)
                else:
                    columns = [self.coordinates.index(n) for n in c.names]
                    away = moved[:, columns] - c.center
                    M = np.eye(len(columns)) if c.metric is None else c.metric
                    size = np.sqrt(np.einsum("ni,ij,nj->n", away, M, away))
                    shrink = np.minimum(1.0, 0.999999 * c.radius / np.maximum(size, 1e-300))
                    moved[:, columns] = c.center + away * shrink[:, None]
        return moved


def _squared_exactly(ball: Ball, z: Sequence[Fraction]) -> Fraction:
    away = [v - Fraction(float(c)) for v, c in zip(z, ball.center, strict=True)]
    if ball.metric is None:
        return sum((v * v for v in away), Fraction(0))
    return sum(
        (
            v * Fraction(float(m)) * w
            for v, row in zip(away, ball.metric, strict=True)
            for m, w in zip(row, away, strict=True)
        ),
        Fraction(0),
    )


def is_point_of(constraints: Constraints, lower: Array, upper: Array, point: Point) -> bool:
    """Whether a point (dim,) lies in a box and fulfils its constraints, in exact rationals."""
    sides = zip(lower.tolist(), point, upper.tolist(), strict=True)
    # Python compares a fraction with a float exactly.
    return all(low <= x <= high for low, x, high in sides) and constraints.contains(point)
