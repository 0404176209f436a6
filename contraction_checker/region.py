"""The region that a claim speaks of: a box of all symbols, cut by linear constraints and balls.

It is convex. Of an empty region everything would hold, and say nothing: a region with constraints
shows a point of its own, which is tested exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from contraction_checker.expressions import Definitions, Expression, Operation, Power
from contraction_checker.json_parts import (
    Json,
    are_distinct,
    between,
    fields,
    is_between,
    list_in,
    listed,
    real,
    reals,
    text,
    texts,
    tuple_of,
)
from contraction_checker.matrices import Matrix, identity
from contraction_checker.matrix_parts import fraction, metric
from contraction_checker.ranges import Range, near
from contraction_checker.refusals import MalformedError, NotProvedError


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """``lo <= symbol <= hi``."""

    symbol: str
    lo: Json
    hi: Json

    def holds(self, x: dict[str, Fraction]) -> bool:
        """Whether a point lies between the ends, exactly."""
        return is_between(x[self.symbol], self.lo, self.hi)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``lo <= sum of coefficient * symbol <= hi``."""

    row: list[tuple[str, Fraction]]
    lo: Json
    hi: Json

    def holds(self, x: dict[str, Fraction]) -> bool:
        """Whether a point fulfils it, exactly."""
        return is_between(sum((c * x[s] for s, c in self.row), Fraction(0)), self.lo, self.hi)

    def terms(self) -> list[Expression]:
        """What is summed."""
        return [Operation("*", (str(c), s)) for s, c in self.row]


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """``(x - center)^T metric (x - center) <= radius^2`` for some of the symbols."""

    symbols: list[str]
    center: list[Fraction]
    metric: Matrix
    radius: Fraction

    def holds(self, x: dict[str, Fraction]) -> bool:
        """Whether a point lies in it, exactly."""
        z = [x[s] - c for s, c in zip(self.symbols, self.center, strict=True)]
        entries = self.metric.rationals() or {}
        return sum(m * z[i] * z[j] for (i, j), m in entries.items()) <= self.radius**2

    def terms(self) -> list[Expression]:
        """What is summed: squares as such, for their range is narrower than a product's."""
        z = [Operation("+", (s, str(-c))) for s, c in zip(self.symbols, self.center, strict=True)]
        return [
            Operation(
                "*",
                (str(m), Power(z[i], Fraction(2))) if i == j else (str(m), z[i], z[j]),
            )
            for (i, j), m in self.metric.items()
        ]


@final
class Region:
    """Symbols with their sides, and constraints, each with a name of its own and a range."""

    def __init__(self, data: Json, definitions: Definitions) -> None:
        """Read it, and declare its symbols and the constraints' expressions.

        Raises:
            MalformedError: If it breaks the format.
            NotProvedError: If it is not shown to hold a point.
        """
        part = fields(data, "sides", "linear balls point")
        linear, balls = list_in(part, "linear"), list_in(part, "balls")
        self._shown = listed(part["point"]) if "point" in part else None
        rows = [tuple_of(side, 3) for side in listed(part["sides"])]
        self.names = [definitions.declare(name) for name, _, _ in rows]
        self.box = [between(lo, hi) for _, lo, hi in rows]
        self.sides = [Side(s, lo, hi) for s, (_, lo, hi) in zip(self.names, rows, strict=True)]
        self.definitions = definitions
        self.constraints: dict[str, Range] = {}
        self.linear = [self._linear(k, row) for k, row in enumerate(linear)]
        self.balls = [self._ball(k, ball) for k, ball in enumerate(balls)]

    def require_point(self) -> None:
        """Refuse a region that may be empty.

        Raises:
            NotProvedError: If the point that it shows is none of it, or it shows none.
        """
        if self._shown is not None and not self.holds([fraction(x) for x in self._shown]):
            raise NotProvedError("region: the point given is none of it")
        if self.constraints and self._shown is None:
            raise NotProvedError(
                "region: it may be empty, as no point of it is given: make the certificate again"
            )

    def holds(self, point: Sequence[Fraction]) -> bool:
        """Whether a point lies in the region, exactly.

        Raises:
            ValueError: If it has not a number for each symbol.
        """
        x = dict(zip(self.names, point, strict=True))
        return all(part.holds(x) for part in (*self.sides, *self.linear, *self.balls))

    def _linear(self, k: int, data: Json) -> Linear:
        row, lo, hi = tuple_of(data, 3)
        pairs = [tuple_of(pair, 2) for pair in listed(row)]
        found = Linear([(text(s, "a symbol"), real(c)) for s, c in pairs], lo, hi)
        self._constrain(f"linear[{k}]", [s for s, _ in found.row], found.terms(), between(lo, hi))
        return found

    def _ball(self, k: int, data: Json) -> Ball:
        part = fields(data, "names center radius", "metric")
        symbols, at = texts(part["names"], "a symbol"), reals(part["center"])
        if len(symbols) != len(at):
            raise MalformedError("balls: a center has a number for each symbol")
        n = len(symbols)
        M = metric(part["metric"], n) if "metric" in part else identity(n)
        radius = real(part["radius"])
        if radius <= 0:
            raise MalformedError("balls: a radius is positive")
        found = Ball(symbols, at, M, radius)
        squared = Range(0, near(radius**2).hi)
        self._constrain(f"ball[{k}]", symbols, found.terms(), squared)
        return found

    def _constrain(
        self, name: str, symbols: list[str], terms: list[Expression], limit: Range
    ) -> None:
        if not symbols or not {*symbols} <= {*self.names} or not are_distinct(symbols):
            raise MalformedError("constraints: symbols, each once")
        if name in self.definitions.depths:
            raise MalformedError(f"names: {name!r} is that of a constraint")
        self.definitions.bindings[name] = Operation("+", ("0", *terms))
        self.constraints[name] = limit
