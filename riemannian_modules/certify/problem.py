"""A contraction problem in exact terms: the map, its Jacobian, and the box that it lives on.

Everything that the proof rests on is here: the expressions, the conditions for them to be defined,
and that the map has no jumps, which a Jacobian does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.expression import Expressions, derivatives
from riemannian_modules.arithmetic.interval import Interval, as_interval
from riemannian_modules.arithmetic.regularity import condition_holds, jumping
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.certify.constraints import Constraints, Derived
from riemannian_modules.certify.emptiness import contradiction
from riemannian_modules.certify.one_branch import on_one_branch
from riemannian_modules.certify.region_point import point_of
from riemannian_modules.certify.symmetry.horizontal import Horizontal
from riemannian_modules.errors import RegionError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """Contraction of ``state -> values`` over a box of all symbols.

    Attributes:
        time: Continuous (values are the derivative), discrete (successor) or static (outputs of
            inputs).
        expressions: The map with fixed parameters put in exactly; uncertain ones stay symbols.
        lower, upper: Sides of the box for ``symbols``, in that order.
        constraints: What cuts the box further.
        horizontal: The directions that count, where conserved or symmetric ones do not.
        metric_terms: Terms of a metric that changes with the point, which must be defined as well.
    """

    time: Time
    expressions: Expressions
    lower: Array
    upper: Array
    constraints: Constraints = field(default_factory=Constraints)
    horizontal: Horizontal | None = None
    metric_terms: tuple[sp.Expr, ...] = ()

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """State, inputs and uncertain parameters."""
        return self.expressions.state + self.expressions.inputs + self.expressions.parameters

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the symbols."""
        return tuple(s.name for s in self.symbols)

    @property
    def is_flow(self) -> bool:
        """Whether time is continuous."""
        return self.time is Time.CONTINUOUS

    @property
    def map(self) -> tuple[sp.Expr, ...]:
        """What is differentiated: a state's derivative or successor, or a static map's outputs."""
        return self.expressions.y if self.time is Time.STATIC else self.expressions.dx

    @property
    def variables(self) -> tuple[sp.Symbol, ...]:
        """What it is differentiated by: the state, or a static map's inputs."""
        return self.expressions.inputs if self.time is Time.STATIC else self.expressions.state

    @cached_property
    def jacobian(self) -> tuple[tuple[sp.Expr, ...], ...]:
        """The exact Jacobian, a row for each value; ``L J R`` where directions are left out."""
        J = derivatives(self.map, self.variables)
        return J if self.horizontal is None else self.horizontal.reduced(J)

    @property
    def size(self) -> int:
        """The number of coordinates of the norm: rows of the Jacobian."""
        return len(self.map) if self.horizontal is None else len(self.horizontal.L)

    @property
    def is_square(self) -> bool:
        """Whether one norm measures both what is differentiated and what by."""
        return self.time is not Time.STATIC

    @cached_property
    def derived(self) -> tuple[Derived, ...]:
        """Linear terms that the region bounds, as symbols of their own."""
        return self.constraints.derived(self.symbols)

    @cached_property
    def is_defined(self) -> bool:
        """Whether every domain condition is proved on the box; else nothing is decided there."""
        return bool(self.defined_boxes(self.lower[None], self.upper[None]).all())

    @cached_property
    def conditions(self) -> tuple[tuple[str, Any], ...]:
        """What has to hold for the map to be defined: its guards, and what its terms ask for.

        Guards alone would do for a traced map; those of a file may be missing.
        """
        recorded = [(g.kind, g.expression) for g in self.expressions.guards]
        terms = sp.preorder_traversal(sp.Tuple(*self.map, *self.metric_terms))
        implied = [_condition(e) for e in terms if e.free_symbols]
        return tuple(dict.fromkeys([*recorded, *(c for c in implied if c is not None)]))

    def defined_boxes(self, lower: Array, upper: Array) -> Mask:
        """For each box (batch, dim), whether all domain conditions are proved to hold in it."""
        conditions = self.conditions
        holds = np.ones(len(lower), dtype=bool)
        if not conditions:
            return holds
        compiled = compile_intervals(tuple(e for _, e in conditions), (self.symbols,))
        for (kind, _), value in zip(conditions, compiled(columns(lower, upper)), strict=True):
            holds &= condition_holds(kind, as_interval(value))
        return holds

    def is_regular_at(self, point: Array) -> bool:
        """Whether at a point (dim,) the map is defined and no `np.where` changes its side.

        Where one does, the Jacobian's expression is that of one side only.
        """
        ends = point[None], point[None]
        if not self.defined_boxes(*ends).all():
            return False
        relations: Any = sp.Tuple(*self.map).atoms(sp.core.relational.Relational)
        gaps = tuple(relation.lhs - relation.rhs for relation in relations)
        values = compile_intervals(gaps, (self.symbols,))(columns(*ends)) if gaps else ()
        return all(bool(np.all(as_interval(value).mignitude > 0)) for value in values)


def limit_of(time: Time) -> float:
    """The bound below which a module contracts; a static map's gain may be anything."""
    return {Time.CONTINUOUS: 0.0, Time.DISCRETE: 1.0, Time.STATIC: np.inf}[time]


def make_problem(module: RiemannianModule, region: Box) -> Problem:
    """Trace a module with its parameters fixed, except those that the region names.

    Raises:
        UnsupportedError: If the map may jump, or cannot be traced.
        RegionError: If the region names unknown coordinates, or no point of it is found.
    """
    s = module.signature
    spaces = s.distinct
    ports = {port.name: port.coordinates() for port in spaces[2].ports}
    uncertain = {c for name in region.sides for c in ports.get(name, [name])} & set(
        spaces[2].coordinates
    )
    if uncertain:
        values = {
            symbol: value
            for symbol, value in zip(
                module.expressions.parameters, module.theta.tolist(), strict=True
            )
            if symbol.name not in uncertain
        }
        expressions = module.expressions.with_values(values)
    else:
        expressions = module.expressions_at(module.theta)
    require_continuous(expressions, type(module).__name__)
    symbols = expressions.state + expressions.inputs + expressions.parameters
    names = [v.name for v in symbols]
    lower, upper = region.bounds(names, spaces)
    expressions = on_one_branch(type(module).__name__, expressions, lower, upper)
    expressions = _with_common_steps(expressions)
    constraints = Constraints(tuple(names), region.constraints_on(names, spaces))
    problem = Problem(s.time, expressions, lower, upper, constraints)
    if constraints and constraints.outside(lower[None], upper[None])[0]:
        raise RegionError(
            "The region is empty: its constraints leave nothing of its box. Widen the sides or the "
            "constraints."
        )
    together = contradiction(constraints, lower, upper)
    if together:
        raise RegionError(
            f"The region is empty: no point fulfils {', '.join(together)} together. Every claim "
            "would hold there, and say nothing. Widen the sides or the constraints."
        )
    if constraints and point_of(constraints, lower, upper) is None:
        raise RegionError(
            "The region may be empty: no point of it was found, and a claim about none would say "
            "nothing. Widen the sides or the constraints."
        )
    return problem


def _with_common_steps(expressions: Expressions) -> Expressions:
    """The same map with ``min(a, b) = a + b - max(a, b)`` where max of the pair comes as well.

    Their slopes are then s and 1 - s for one step s, and not for two that nothing connects: the
    Jacobian of max(a, b) + min(a, b) is that of a + b, at kinks too.
    """

    def put(e: Any) -> Any:
        while True:
            larger = {frozenset(m.args): m for m in e.atoms(fn.maximum)}
            table = {
                m: sp.Add(*m.args) - larger[frozenset(m.args)]
                for m in e.atoms(fn.minimum)
                if frozenset(m.args) in larger
            }
            table |= {
                m: larger[frozenset(m.args)]
                for m in e.atoms(fn.maximum)
                if larger[frozenset(m.args)] != m
            }
            if not table:
                return e
            e = e.xreplace(table)  # a pair inside another one is put in by the next round

    every = put(sp.Tuple(*expressions.dx, *expressions.y))
    n = len(expressions.dx)
    return replace(expressions, dx=tuple(every[:n]), y=tuple(every[n:]))


def _condition(e: Any) -> tuple[str, Any] | None:
    """What one operation asks of its operand, None where it is defined everywhere."""
    if isinstance(e, sp.Pow) and e.exp.is_Rational:
        if e.exp.is_Integer:
            return ("nonzero", e.base) if e.exp < 0 else None
        return ("nonnegative" if e.exp > 0 else "positive", e.base)
    if isinstance(e, sp.log):
        return "positive", e.args[0]
    if isinstance(e, fn.log1p):
        return "positive", 1 + e.args[0]  # type: ignore[operator]
    if isinstance(e, fn.arctan2):
        return "positive", fn.off_cut(*e.args)
    is_partial = isinstance(e, (sp.tan, sp.asin, sp.acos, sp.atanh, fn.arccosh, fn.power)) or (
        isinstance(e, sp.Pow) and e.base != sp.E
    )
    return ("decided", e) if is_partial else None


def require_continuous(expressions: Expressions, name: str) -> None:
    """Refuse maps that may jump: where one does, no Jacobian tells how far two trajectories part.

    `np.where` is accepted where its two sides are proved to agree on the line between them.

    Raises:
        UnsupportedError: Naming the term that may jump.
    """
    for e in jumping((*expressions.dx, *expressions.y)):
        if not isinstance(e, sp.Piecewise):
            raise UnsupportedError(
                f"{name}: the map contains {e}, which jumps; contraction is claimed for "
                "continuous maps only. Use a smooth or piecewise linear form (np.tanh, np.clip)."
            )
        raise UnsupportedError(
            f"{name}: {e} could not be proved continuous where its condition changes. Write "
            "it with np.maximum, np.minimum or np.clip, which never jump."
        )


def columns(lower: Array, upper: Array) -> Sequence[Interval]:
    """One interval array for each coordinate of a batch of boxes (batch, dim)."""
    return [Interval(lower[:, i], upper[:, i]) for i in range(lower.shape[1])]
