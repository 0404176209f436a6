"""Generalised Jacobians: what contraction asks of a metric that changes with the point.

With ``Mdot = sum_k dM/dx_k f_k + sum_i dM/du_i du_i/dt``, the derivative along the flow, the test
of M(x) is ``Mdot + M J + J^T M <= 2 b M``; in coordinates ``dz = Theta dx`` it is ``F + F^T <= 2 b
I`` with ``F = (Thetadot + Theta J) Theta^-1``.

Source: Lohmiller and Slotine (1998), sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.certify.norms import FactorL2, FieldL2
from riemannian_modules.certify.problem import Problem

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


def generalised_jacobian(problem: Problem, norm: FactorL2, J: Rows) -> list[list[Any]]:
    """``F = (Thetadot + Theta J) Theta^-1``, with what cancels cancelled."""
    theta = norm.entries
    left = [
        [a + b for a, b in zip(row, other, strict=True)]
        for row, other in zip(material_derivative(problem, norm), product(theta, J), strict=True)
    ]
    return cancelled(product(left, sp.Matrix(theta).inv(method="ADJ").tolist()))


def regularity(norm: FactorL2) -> Any:
    """The determinant of Theta, which must not vanish."""
    return sp.expand(sp.Matrix(norm.entries).det(method="berkowitz"))


def successor_metric(problem: Problem, norm: FieldL2) -> list[list[Any]]:
    """M at the successor of a step map."""
    table = dict(zip(problem.expressions.state, problem.expressions.dx, strict=True))
    return [[e.xreplace(table) for e in row] for row in norm.entries]


def constant_pivots(M: Rows) -> list[list[Any]] | None:
    """K with ``K^T M K`` constant and diagonal, and ``det K = 1``; None where elimination fails.

    Symmetric elimination on constant diagonal entries: for ``M = Theta^T Theta`` with a triangular
    Theta of constant diagonal, whatever the order, it finds ``K = Theta^-1`` up to constants.
    """
    n = len(M)
    left = [list(row) for row in M]
    K: list[list[Any]] = [[sp.Integer(i == j) for j in range(n)] for i in range(n)]
    waiting = list(range(n))
    while waiting:
        pivot = next((i for i in waiting if left[i][i].is_Rational and left[i][i] != 0), None)
        if pivot is None:
            return None
        waiting.remove(pivot)
        for j in waiting:
            factor = sp.expand(left[pivot][j] / left[pivot][pivot])
            if factor == 0:
                continue
            # Column and row j lose their part along the pivot.
            for row in (*left, *K):
                row[j] = sp.expand(row[j] - factor * row[pivot])
            left[j] = [sp.expand(a - factor * b) for a, b in zip(left[j], left[pivot], strict=True)]
    return K


def congruent(K: Rows, S: Rows) -> list[list[Any]]:
    """``K^T S K``, multiplied out."""
    transposed = [list(column) for column in zip(*K, strict=True)]
    full = product(product(transposed, S), K)
    n = len(full)
    upper = {(i, j): sp.expand(full[i][j]) for i in range(n) for j in range(i, n)}
    return [[upper[min(i, j), max(i, j)] for j in range(n)] for i in range(n)]


def cancelled(matrix: Rows) -> list[list[Any]]:
    """The entries with common factors of numerator and denominator removed, where that helps.

    Multiplied out as they are, ``H (adj H / det H)`` would leave ``det / det`` in every entry.
    """
    return [[_cancelled(e) for e in row] for row in matrix]


def _cancelled(e: Any) -> Any:
    if not any(p.exp.is_negative and not p.base.is_Symbol for p in e.atoms(sp.Pow)):
        return e
    short = sp.cancel(sp.trigsimp(sp.together(e)) if e.has(sp.sin) else sp.together(e))
    return short if short.count_ops() < e.count_ops() else e
