"""The contraction problem of a module on a region: traced, with its parameters put in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.claims.constraints import Constraints
from riemannian_modules.claims.problem import Problem, require_continuous
from riemannian_modules.errors import RegionError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box
from riemannian_modules.search.emptiness import contradiction
from riemannian_modules.search.region_point import point_of
from riemannian_modules.terms.one_branch import on_one_branch


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
    point = point_of(constraints, lower, upper) if constraints else None
    if constraints and point is None:
        raise RegionError(
            "The region may be empty: no point of it was found, and a claim about none would say "
            "nothing. Widen the sides or the constraints."
        )
    return replace(problem, point=point)


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
