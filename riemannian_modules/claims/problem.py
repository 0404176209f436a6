"""A contraction problem in exact terms: the map, its Jacobian, and the box that it lives on.

Everything that the proof rests on is here: the expressions, the conditions for them to be defined,
and that the map has no jumps, which a Jacobian does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.expression import Expressions, derivatives
from riemannian_modules.arithmetic.expression_data import PLAIN, expressions_to_data
from riemannian_modules.arithmetic.interval import Interval, as_interval
from riemannian_modules.arithmetic.regularity import condition_holds, jumping
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.claims.constraints import Constraints, Derived, Point
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.norms import Norm
from riemannian_modules.claims.region_data import region_to_data
from riemannian_modules.claims.statement import sides_in_words
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules.signature import Time
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class Problem(ClaimedSystem):
    """Contraction of ``state -> values`` over a box of all symbols.

    Attributes:
        time: Continuous (values are the derivative), discrete (successor) or static (outputs of
            inputs).
        expressions: The map with fixed parameters put in exactly; uncertain ones stay symbols.
        lower, upper: Sides of the box for ``symbols``, in that order.
        constraints: What cuts the box further.
        horizontal: The directions that count, where conserved or symmetric ones do not.
        metric_terms: Terms of a metric that changes with the point, which must be defined as well.
        point: A point of the region, exact, where constraints could leave nothing of its box.
    """

    time: Time
    expressions: Expressions
    lower: Array
    upper: Array
    constraints: Constraints = field(default_factory=Constraints)
    horizontal: Horizontal | None = None
    metric_terms: tuple[sp.Expr, ...] = ()
    point: Point | None = None

    @property
    @override
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """State, inputs and uncertain parameters."""
        return self.expressions.state + self.expressions.inputs + self.expressions.parameters

    @property
    @override
    def coordinates(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.symbols)

    @property
    @override
    def input_size(self) -> int:
        return len(self.variables)

    @property
    @override
    def region_in_words(self) -> str:
        return sides_in_words(self.coordinates, self.lower, self.upper, self.constraints)

    @override
    def in_symbols(self, norm: Norm) -> str:
        jacobian = "dy/du" if self.time is Time.STATIC else "df/dx"
        if self.horizontal is not None:
            jacobian = f"L ({jacobian}) R"
        return f"{norm.in_symbols(self.kind)}, J = {jacobian}"

    @override
    def to_data(self) -> dict[str, Any]:
        return {"type": "expressions", **expressions_to_data(self.expressions, PLAIN)}

    @override
    def region_to_data(self) -> dict[str, Any]:
        return region_to_data(
            self.coordinates, self.lower, self.upper, self.constraints, self.point
        )

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

    def admits(self, horizontal: Horizontal) -> bool:
        """Whether ``L R = I`` and the identity of its kind hold exactly; False is *not proved*.

        A step map is tested with J - I in the place of J: its laws have ``C J = C``, its symmetries
        ``J V = V``. Differences R w of states then stay of that kind, for ``J R = R (L J R)``, and
        coordinates L x of symmetric states stay equal, for ``L J = (L J R) L``, as they do for
        flows.
        """
        J = derivatives(self.map, self.variables)
        if len(horizontal.R) != len(J) or horizontal.L.shape[1:] != (len(J),):
            return False
        own = 0 if self.is_flow else 1
        return horizontal.holds_for(
            [[e - own * int(i == j) for j, e in enumerate(row)] for i, row in enumerate(J)]
        )

    @property
    @override
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
