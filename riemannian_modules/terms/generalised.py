"""Generalised Jacobians: what contraction asks of a metric that changes with the point.

With ``Mdot = sum_k dM/dx_k f_k + sum_i dM/du_i du_i/dt``, the derivative along the flow, the test
of M(x) is ``Mdot + M J + J^T M <= 2 b M``; in coordinates ``dz = Theta dx`` it is ``F + F^T <= 2 b
I`` with ``F = (Thetadot + Theta J) Theta^-1``.

Source: Lohmiller and Slotine (1998), sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.quotients import in_factors, with_short_powers
from riemannian_modules.claims.norms import FactorL2, FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.terms.constant_basis import Basis, basis_of_metric
from riemannian_modules.terms.deadline import require_time
from riemannian_modules.terms.normal_form import normal, roots_in
from riemannian_modules.terms.ranges import natural_ranges

Rows = Sequence[Sequence[Any]]


def product(A: Rows, B: Rows) -> list[list[Any]]:
    """``A B`` in exact terms, not multiplied out."""
    columns = list(zip(*B, strict=True))
    return [
        [
            sp.Add(*(a * b for a, b in zip(row, column, strict=True) if a != 0 and b != 0))
            for column in columns
        ]
        for row in A
    ]


def symmetric_sum(A: Rows) -> list[list[Any]]:
    """``A + A^T``."""
    n = len(A)
    return [[A[i][j] + A[j][i] for j in range(n)] for i in range(n)]


def material_derivative(problem: Problem, norm: FieldL2 | FactorL2) -> list[list[Any]]:
    """The derivative of a metric's (or coordinates') entries along the flow, exact."""
    symbols = (*problem.expressions.state, *norm.rates)
    along = (*problem.expressions.dx, *norm.rates.values())
    flat = tuple(e for row in norm.entries for e in row)
    rates = [
        sp.Add(*(slope * f for slope, f in zip(row, along, strict=True) if slope != 0))
        for row in derivatives(flat, symbols)
    ]
    n = len(norm.entries)
    return [rates[i * n : (i + 1) * n] for i in range(n)]


def regular_basis(problem: Problem, norm: FieldL2) -> Basis | None:
    """The basis in which a metric is constant, if real and regular wherever the metric is real.

    None, too, for a basis with roots in the place of a metric that is bounded itself: the test in
    the metric's own terms has fewer atoms.
    """
    basis = basis_of_metric(norm.entries)
    if basis is None or (any(map(roots_in, basis.terms)) and _is_bounded(problem, norm)):
        return None
    terms = (*problem.metric_terms, *basis.terms)
    return basis if replace(problem, metric_terms=terms).is_defined else None


def _is_bounded(problem: Problem, norm: FieldL2) -> bool:
    """Whether entries have bounded ranges on the whole region, those of the diagonal above 0."""
    flat = tuple(e for row in norm.entries for e in row)
    ends = natural_ranges(flat, problem.symbols, problem.lower[None], problem.upper[None])
    low, high = ends[0][0], ends[1][0]
    diagonal = low[:: len(norm.entries) + 1]
    return bool(np.isfinite([low, high]).all() and (diagonal > 0).all())


def generalised_jacobian(
    problem: Problem, basis: Basis, rates: Mapping[sp.Symbol, sp.Expr]
) -> list[list[Any]]:
    """``F = (Thetadot + Theta J) Theta^-1``, or ``Theta(f) J Theta^-1`` of a step, simplified.

    The test of M(x) is that of F in the constant metric of the coordinates: with ``M = Theta^T D
    Theta``, the matrix ``Theta^-T (Mdot + M J + J^T M) Theta^-1`` is ``D F + F^T D``.
    """
    theta = FactorL2(tuple(map(tuple, basis.theta)), rates)
    if problem.is_flow:
        moved = material_derivative(problem, theta)
        carried = product(basis.theta, problem.jacobian)
        left = [
            [a + b for a, b in zip(row, other, strict=True)]
            for row, other in zip(moved, carried, strict=True)
        ]
    else:
        left = product(at_successor(problem, basis.theta), problem.jacobian)
    return [[normal(e) for e in row] for row in product(left, basis.inverse)]


def regularity(norm: FactorL2) -> Any:
    """The determinant of Theta, which must not vanish; in factors, whose ranges are tighter."""
    determinant = sp.expand(sp.Matrix(norm.entries).det(method="berkowitz"))
    return with_short_powers(in_factors, determinant)


def at_successor(problem: Problem, entries: Rows) -> list[list[Any]]:
    """A metric or coordinates at the successor of a step map."""
    table = dict(zip(problem.expressions.state, problem.expressions.dx, strict=True))
    return [[e.xreplace(table) for e in row] for row in entries]


def cancelled(matrix: Rows) -> list[list[Any]]:
    """The entries with common factors of numerator and denominator removed, where that helps.

    Multiplied out as they are, ``H (adj H / det H)`` would leave ``det / det`` in every entry.
    """
    return [[_cancelled(e) for e in row] for row in matrix]


def _cancelled(e: Any) -> Any:
    if not any(p.exp.is_negative and not p.base.is_Symbol for p in e.atoms(sp.Pow)):
        return e
    require_time()
    short = with_short_powers(
        lambda t: sp.cancel(sp.trigsimp(sp.together(t)) if t.has(sp.sin) else sp.together(t)), e
    )
    return short if short.count_ops() < e.count_ops() else e
