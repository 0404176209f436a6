"""Conservation laws and symmetries of a map, found by exact rational null spaces.

The map is multiplied out into polynomials over its symbols and functions (see `atoms`). A linear
combination that cancels there is zero at every point where the map is defined; the relations
between the coefficients of the monomials give all of those. Combinations that vanish by an identity
between functions (``sin^2 + cos^2 = 1``) are not seen.

Source: Schuster and Hoefer (1991), J. Chem. Soc. Faraday Trans. 87, 2561-2566 (nonnegative laws as
extreme rays); Horn and Jackson (1972), Arch. Rational Mech. Anal. 47, 81-116.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic.expression import Expressions, derivatives
from riemannian_modules.arithmetic.integer_kernel import (
    FractionRow,
    Vector,
    echelon,
    null_space,
    primitive,
    remainder,
)
from riemannian_modules.claims.problem import Problem, require_continuous
from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.shown import Facts, Shown, cut
from riemannian_modules.terms.multiplying_out import polynomial

MOST_RAYS = 500


@final
@dataclass(frozen=True, slots=True, repr=False)
class ConservationLaw(Shown):
    """``sum_i c_i x_i = const`` along every trajectory, with whole numbers c by coordinate.

    Attributes:
        coefficients: Pairs of a coordinate and its c, those that are zero left out.
    """

    coefficients: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{in_words(self.coefficients)} = const"

    @override
    def facts(self) -> Facts:
        return Facts(cut(f"ConservationLaw: {self}"))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Symmetry(Shown):
    """Moving the state along a direction v of whole numbers moves trajectories along it unchanged.

    A flow has ``f(x + s v) = f(x)``, a step map ``F(x + s v) = F(x) + s v``.

    Attributes:
        direction: Pairs of a coordinate and its entry of v, those that are zero left out.
    """

    direction: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return ", ".join(in_words([(name, 1), ("s", v)]) for name, v in self.direction)

    @override
    def facts(self) -> Facts:
        return Facts(cut(f"Symmetry: {self}"))


def conservation_laws(system: RiemannianModule | Problem) -> tuple[ConservationLaw, ...]:
    """A basis of the linear laws ``c . x = const`` that hold exactly, for all inputs.

    Args:
        system: A flow or step map, of one module or a composite; its parameters are taken at their
            values (in a problem, uncertain ones stay free).

    Returns:
        The laws, those with nonnegative coefficients and few terms first. Empty if there are none.
        Cost: multiplying the map out, then O(n^3) in fractions.

    Raises:
        SignatureError: If the module has no state.
    """
    expressions, still = _map_of(system)
    # c . f = 0 asks, for every monomial, that the coefficients of c's combination cancel.
    rows = _rows_of([(0, i, e) for i, e in enumerate(still)])
    return tuple(
        ConservationLaw(_named(expressions.state, c)) for c in canonical_basis(rows, len(still))
    )


def symmetries(system: RiemannianModule | Problem) -> tuple[Symmetry, ...]:
    """A basis of the constant directions in which a map does not change: ``J v = 0`` everywhere.

    Arguments, cost and errors as of `conservation_laws`; UnsupportedError if the map may jump,
    which a Jacobian does not see.

    Args:
        system: A flow or step map, of one module or a composite.
    """
    expressions, still = _map_of(system)
    require_continuous(expressions, "symmetries")
    J = derivatives(still, expressions.state)
    rows = _rows_of([(i, j, e) for i, row in enumerate(J) for j, e in enumerate(row)])
    return tuple(Symmetry(_named(expressions.state, v)) for v in canonical_basis(rows, len(still)))


def canonical_basis(rows: Sequence[FractionRow], size: int) -> list[Vector]:
    """A sparse basis of the null space in primitive integers, with nonnegative vectors first."""
    reduced = echelon(rows)
    space = null_space(rows, size)
    wanted = len(space)
    chosen: list[Vector] = []
    independent: dict[int, dict[int, Fraction]] = {}
    candidates = sorted(_nonnegative_rays(list(reduced.values()), size), key=_simplicity)
    for vector in [*candidates, *sorted(map(_signed, space), key=_simplicity)]:
        if len(chosen) == wanted:
            break
        row = {j: Fraction(v) for j, v in enumerate(vector) if v}
        if remainder(row, independent):
            chosen.append(vector)
            independent = echelon([*independent.values(), row])
    return chosen


def in_words(coefficients: Iterable[tuple[str, Fraction | int]]) -> str:
    """A linear combination as it is written by hand: ``x + 2 y - z``."""
    text = ""
    for name, c in coefficients:
        if c:
            sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
            text += f"{sign}{name}" if abs(c) == 1 else f"{sign}{abs(c)} {name}"
    return text or "0"


def _map_of(system: RiemannianModule | Problem) -> tuple[Expressions, tuple[Any, ...]]:
    """The expressions, and what is zero at rest: f of a flow, F(x) - x of a step map."""
    require("conservation", system, (RiemannianModule, Problem), "a module")
    if system.time is Time.STATIC:
        raise SignatureError(
            f"{type(system).__name__}: a static map has no state that could be conserved. Pass a "
            "flow or a step map."
        )
    if isinstance(system, Problem):
        expressions = system.expressions
    else:
        expressions = system.expressions_at(system.theta)
    is_flow = system.time is Time.CONTINUOUS
    moved = (0,) * len(expressions.dx) if is_flow else expressions.state
    return expressions, tuple(e - s for e, s in zip(expressions.dx, moved, strict=True))


def _rows_of(entries: Iterable[tuple[int, int, sp.Expr]]) -> list[dict[int, Fraction]]:
    """For each equation and monomial the row of its coefficients by unknown."""
    rows: defaultdict[Any, dict[int, Fraction]] = defaultdict(dict)
    for equation, unknown, entry in entries:
        for monomial, c in polynomial(entry).items():
            rows[equation, monomial][unknown] = Fraction(int(c.p), int(c.q))
    return list(rows.values())


def _nonnegative_rays(rows: Sequence[FractionRow], size: int) -> list[Vector]:
    """The extreme rays of ``{c >= 0 : A c = 0}``; none if they are more than ``MOST_RAYS``."""
    rays = [tuple(int(i == j) for j in range(size)) for i in range(size)]
    for row in rows:
        values = [sum((v * ray[j] for j, v in row.items()), Fraction(0)) for ray in rays]
        kept = [ray for ray, value in zip(rays, values, strict=True) if value == 0]
        above = [(r, v) for r, v in zip(rays, values, strict=True) if v > 0]
        below = [(r, v) for r, v in zip(rays, values, strict=True) if v < 0]
        if len(above) * len(below) > MOST_RAYS**2:
            return []
        joined = {
            primitive([-w * a + v * b for a, b in zip(r, s, strict=True)])
            for r, v in above
            for s, w in below
        }
        rays = _of_least_support([*kept, *sorted(joined)])
        if len(rays) > MOST_RAYS:
            return []
    return rays


def _of_least_support(rays: Sequence[Vector]) -> list[Vector]:
    supports = [frozenset(j for j, v in enumerate(ray) if v) for ray in rays]
    return [
        ray
        for i, ray in enumerate(rays)
        if not any(
            other < supports[i] or (other == supports[i] and k < i)
            for k, other in enumerate(supports)
        )
    ]


def _simplicity(vector: Vector) -> tuple[Any, ...]:
    return sum(map(bool, vector)), sum(map(abs, vector)), tuple(-abs(v) for v in vector)


def _signed(vector: Vector) -> Vector:
    """The vector or its negative: as few minus signs as possible, then a positive first entry."""
    minus, plus = sum(v < 0 for v in vector), sum(v > 0 for v in vector)
    first = next((v for v in vector if v), 1)
    return vector if minus < plus or (minus == plus and first > 0) else tuple(-v for v in vector)


def _named(state: Sequence[sp.Symbol], vector: Vector) -> tuple[tuple[str, int], ...]:
    return tuple((s.name, v) for s, v in zip(state, vector, strict=True) if v)
