"""What is nonnegative on a region: ends of its box, linear constraints and balls, and products.

Source: Putinar (1993) and Schmuedgen (1991), *Positive polynomials on semialgebraic sets*; products
of pairs of linear terms as in Handelman (1988).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.sums_of_squares import Side
from riemannian_modules.region import Ball
from riemannian_modules.terms.polynomial_ring import Ring
from riemannian_modules.terms.ranges import natural_range

GRID = 2**192  # the checker's ranges are whole multiples of one part of it


@final
@dataclass(frozen=True)
class Bounded:
    """A term with its symbol in files, and what bounds it on the region; None where nothing does.

    The symbol of a generator is itself; that of a constraint is its name.
    """

    symbol: Any
    term: sp.Expr
    lower: Fraction | None
    upper: Fraction | None

    @property
    def ends(self) -> tuple[Side, ...]:
        """``term - lower`` and ``upper - term``, where these are finite."""
        both = ((self.lower, 1), (self.upper, -1))
        return tuple(
            Side(sign * (self.symbol - end), sign * (self.term - end))
            for bound, sign in both
            if bound is not None
            for end in [sp.Rational(bound.numerator, bound.denominator)]
        )

    @property
    def product(self) -> Side:
        """The product of its ends."""
        return product_of(*self.ends)


def constraint_terms(problem: Problem) -> tuple[Bounded, ...]:
    """The terms of a problem's constraints, named as in its file: ``linear[k]``, ``ball[k]``."""
    by_name = {s.name: s for s in problem.symbols}
    rows, balls = problem.constraints.rows, problem.constraints.balls
    linear = [
        Bounded(
            sp.Symbol(f"linear[{k}]", real=True),
            sp.Add(*(_exact(c) * by_name[n] for n, c in row.coefficients.items())),
            _finite(row.lower, math.floor),
            _finite(row.upper, math.ceil),
        )
        for k, row in enumerate(rows)
    ]
    squared = [
        Bounded(
            sp.Symbol(f"ball[{k}]", real=True),
            _squared(ball, [by_name[n] for n in ball.names]),
            None,  # a sum of squares is nonnegative of itself
            Fraction(math.ceil(Fraction(ball.radius) ** 2 * GRID), GRID),
        )
        for k, ball in enumerate(balls)
    ]
    return (*linear, *squared)


def _exact(value: float) -> Any:
    return sp.Rational(*float(value).as_integer_ratio())


def _finite(value: float, rounded: Any) -> Fraction | None:
    """A finite end, outwards to the checker's grid: there all doubles of ordinary size lie."""
    return Fraction(rounded(Fraction(value) * GRID), GRID) if math.isfinite(value) else None


def _squared(ball: Ball, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    away = [s - _exact(c) for s, c in zip(symbols, ball.center.tolist(), strict=True)]
    M = np.eye(len(away)) if ball.metric is None else ball.metric
    return sp.Add(*(_exact(m) * away[i] * away[j] for (i, j), m in np.ndenumerate(M)))


def box_terms(problem: Problem, ring: Ring) -> tuple[Bounded, ...]:
    """The ring's generators with their ranges over the region's box, where these have an end."""
    ranges = {g: finite_range(problem, g) for g in ring.generators}
    return tuple(Bounded(g, g, *ends) for g, ends in ranges.items() if ends != (None, None))


def finite_range(problem: Problem, term: sp.Expr) -> tuple[Fraction | None, Fraction | None]:
    """A term's natural range over the region's box; None for an infinite or undefined end."""
    ends = natural_range(term, problem.symbols, problem.lower[None], problem.upper[None])
    low, high = (Fraction(float(v[0])) if np.isfinite(v[0]) else None for v in ends)
    return low, high


def product_of(*sides: Side) -> Side:
    """The product of sides, which is nonnegative where all of them are."""
    factors, meanings = [s.factor for s in sides], [s.meaning for s in sides]
    return Side(sp.Mul(*factors), sp.Mul(*meanings))
