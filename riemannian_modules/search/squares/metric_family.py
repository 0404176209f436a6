"""Polynomial metrics as a linear family, and what the flow or step makes of each, exact.

For parameters theta, ``M = sum theta_p W_p(x)``, ``L = sum theta_p L_p(x)`` with ``L_p = Wdot_p +
W_p J + J^T W_p`` (flow, c = 2 b) or ``J^T W_p(F(x)) J`` (step, c = b^2); the bound asks for
``c M - L >= 0``.

Source: Aylward, Parrilo and Slotine (2008), *Stability and robustness analysis of nonlinear systems
via contraction metrics and SOS programming*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, final

import sympy as sp

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.sums_of_squares import PolyMatrix, Side
from riemannian_modules.search.linear_forms import Row, nullspace
from riemannian_modules.search.squares.gram_program import (
    Place,
    Shape,
    monomials,
    places,
    shape_of,
)
from riemannian_modules.search.squares.region_sides import box_sides
from riemannian_modules.terms.polynomial_ring import (
    Poly,
    Powers,
    Ring,
    derivative,
    plus,
    ring_of,
    substituted,
    times,
)


@final
@dataclass(frozen=True, eq=False)
class Family:
    """Metrics (weights) and what becomes of them (loads), one of each for a parameter.

    Attributes:
        ring: The polynomials' ring.
        size: The metric's order n.
        weights, loads: Matrices (n, n) for each parameter.
        sides: Ranges of the ring's generators, where they have an end.
    """

    ring: Ring
    size: int
    weights: tuple[PolyMatrix, ...]
    loads: tuple[PolyMatrix, ...]
    sides: tuple[Side, ...]

    def metric(self, theta: Sequence[Fraction]) -> list[list[Poly]]:
        """M for parameters."""
        return combination(self.weights, theta, self.size)

    def test(self, theta: Sequence[Fraction], c: Fraction) -> list[list[Poly]]:
        """``c M - L`` for parameters."""
        M, load = self.metric(theta), combination(self.loads, theta, self.size)
        size = range(self.size)
        scaled = [[{m: c * v for m, v in M[i][j].items() if c} for j in size] for i in size]
        return [[plus(scaled[i][j], load[i][j], -1) for j in size] for i in size]

    def shapes(self) -> tuple[Shape, Shape]:
        """Bases for M and for ``c M - L``, c generic."""
        weights = set[Place]().union(*map(places, self.weights))
        loads = set[Place]().union(*map(places, self.loads))
        return tuple(
            shape_of(support, self.size, self.ring, self.sides)
            for support in (weights, weights | loads)
        )  # type: ignore[return-value]

    def reduced(self) -> Family:
        """Only the metrics whose coefficients all can be reached by sums of squares.

        The others have a coefficient that has to vanish: an exact linear equation in the
        parameters.
        """
        family = self
        while True:
            metric, test = family.shapes()
            family, before = (
                family.annulled(
                    [{p: Fraction(1)} for p in metric.unreached],
                    [{p: Fraction(1)} for p in test.unreached],
                ),
                family,
            )
            if len(family.weights) == len(before.weights):
                return family

    def annulled(
        self,
        of_metric: Sequence[dict[Place, Fraction]],
        of_test: Sequence[dict[Place, Fraction]],
    ) -> Family:
        """Only the metrics for which combinations of coefficients vanish, of M or of ``c M - L``.

        Those of ``c M - L`` vanish for every c.
        """
        rows = [self._row(self.weights, y) for y in (*of_metric, *of_test)]
        rows += [self._row(self.loads, y) for y in of_test]
        rows = [row for row in rows if row]
        if not rows:
            return self
        null = nullspace(rows, len(self.weights))
        return replace(
            self,
            weights=tuple(combination(self.weights, v, self.size) for v in null),
            loads=tuple(combination(self.loads, v, self.size) for v in null),
        )

    def _row(self, matrices: tuple[PolyMatrix, ...], y: dict[Place, Fraction]) -> Row:
        row: Row = {}
        for (i, j, m), c in y.items():
            for p, T in enumerate(matrices):
                if m in T[i][j]:
                    row[p] = row.get(p, Fraction(0)) + c * T[i][j][m]
        return {p: v for p, v in row.items() if v}


def polynomial_family(problem: Problem, degree: int, variables: Sequence[sp.Symbol]) -> Family:
    """All metrics whose entries are polynomials of a degree in some of the state's symbols."""
    state = problem.expressions.state
    ring = ring_of(
        [*problem.map, *(e for row in problem.jacobian for e in row)], [*state, *variables]
    )
    f = [ring.read(e) for e in problem.map]
    J = [[ring.read(e) for e in row] for row in problem.jacobian]
    n = len(f)
    each = [degree if g in variables else 0 for g in ring.generators]
    weights: list[PolyMatrix] = []
    for i in range(n):
        for j in range(i, n):
            for m in monomials(degree, each):
                unit: list[list[Poly]] = [[{} for _ in range(n)] for _ in range(n)]
                unit[i][j] = unit[j][i] = {m: Fraction(1)}
                weights.append(unit)
    load = _flow_load if problem.is_flow else _step_load
    loads = tuple(load(W, f, J) for W in weights)
    return Family(ring, n, tuple(weights), loads, box_sides(problem, ring))


def _flow_load(W: PolyMatrix, f: Sequence[Poly], J: PolyMatrix) -> PolyMatrix:
    n = len(f)
    product = [
        [_sum(times(W[i][k], J[k][j]) for k in range(n)) for j in range(n)] for i in range(n)
    ]
    along = [
        [_sum(times(derivative(W[i][j], k), f[k]) for k in range(n)) for j in range(n)]
        for i in range(n)
    ]
    return [
        [plus(along[i][j], plus(product[i][j], product[j][i])) for j in range(n)] for i in range(n)
    ]


def _step_load(W: PolyMatrix, f: Sequence[Poly], J: PolyMatrix) -> PolyMatrix:
    n = len(f)
    after = [[substituted(e, f) for e in row] for row in W]
    half = [
        [_sum(times(after[i][k], J[k][j]) for k in range(n)) for j in range(n)] for i in range(n)
    ]
    return [
        [_sum(times(J[k][i], half[k][j]) for k in range(n)) for j in range(n)] for i in range(n)
    ]


def _sum(parts: Any) -> Poly:
    total: Poly = {}
    for part in parts:
        total = plus(total, part)
    return total


def combination(
    matrices: Sequence[PolyMatrix], theta: Sequence[Fraction], n: int
) -> list[list[Poly]]:
    """``sum_p theta_p matrices[p]``."""
    result: list[list[dict[Powers, Fraction]]] = [[{} for _ in range(n)] for _ in range(n)]
    for factor, T in zip(theta, matrices, strict=True):
        if factor:
            for i in range(n):
                for j in range(n):
                    entry = result[i][j]
                    for m, c in T[i][j].items():
                        entry[m] = entry.get(m, Fraction(0)) + factor * c
    return [[{m: c for m, c in e.items() if c} for e in row] for row in result]
