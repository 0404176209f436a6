"""The search for a polynomial metric by sums of squares: untrusted.

Source: Aylward, Parrilo and Slotine (2008); the point furthest inside both cones is taken, so that
rounding its coefficients leaves a metric that can be proved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.certify.cone_program import ConeProgram
from riemannian_modules.certify.gram_program import (
    GramBlock,
    Place,
    gram_blocks,
    places,
    require_interior,
    sparse_rows,
)
from riemannian_modules.certify.metric_family import Family, polynomial_family
from riemannian_modules.certify.norms import FieldL2, FreePolynomialL2
from riemannian_modules.certify.polynomial_ring import Poly
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.sums_of_squares import PolyMatrix
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.space import Array

PARTS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
INSIDE = 1e-9  # smallest margin of both Gram matrices, traces one a basis element, that counts
BITS = (4, 8, 12, 16, 24, 32, 40)


@final
@dataclass(frozen=True)
class Found:
    """Parameters of a family's metric, and the margin of its Gram matrices."""

    theta: Array
    margin: float


def find_by_squares(problem: Problem, wanted: FreePolynomialL2) -> FieldL2:
    """A polynomial metric of the wanted degree, on regions that may be unbounded.

    Raises:
        ConvergenceError: If none is found.
    """
    J_symbols = sp.Tuple(*(e for row in problem.jacobian for e in row)).free_symbols
    state = problem.expressions.state
    few = [s for s in state if s in J_symbols]
    for variables in [few, list(state)] if len(few) < len(state) else [few]:
        family = polynomial_family(problem, wanted.degree, variables).reduced()
        program = MetricProgram(family)
        for c in bounds_to_try(problem):
            found = program.solve(c)
            if found is not None and found.margin > INSIDE:
                return rounded_field(family, program, found, c)
    raise ConvergenceError(
        f"No polynomial metric of degree {wanted.degree} was found by sums of squares. Raise the "
        "degree, or shrink the region."
    )


def bounds_to_try(problem: Problem) -> list[float]:
    """Bounds c (2 b, or b^2 of a step), the best that an equilibrium allows nearly, then weaker."""
    best = equilibrium_bound(problem)
    if problem.is_flow:
        return [best * (1 - part) for part in PARTS]
    return [best + part * (1 - best) for part in PARTS]


def equilibrium_bound(problem: Problem) -> float:
    """What no metric exceeds: c of the Jacobian at an equilibrium, or of the mildest sample."""
    from scipy.optimize import fsolve

    from riemannian_modules.certify.samples import jacobians_at, sample_points, values_at

    n = len(problem.map)
    points = sample_points(problem, np.random.default_rng(0), 64)

    def residual(x: Array) -> Array:
        point = np.concatenate([x, points[0][n:]])
        value = values_at(problem, problem.map, point[None])[0]
        return value if problem.is_flow else value - x

    with np.errstate(all="ignore"):
        x, _, status, _ = fsolve(residual, points[0][:n], full_output=True)
    at = np.concatenate([x, points[0][n:]])
    if status == 1 and (at >= problem.lower).all() and (at <= problem.upper).all():
        points = at[None]
    eigenvalues = np.linalg.eigvals(jacobians_at(problem, points))
    if problem.is_flow:
        return 2 * float(np.real(eigenvalues).max(1).min())
    return float(np.abs(eigenvalues).max(1).min()) ** 2


@final
class MetricProgram:
    """The cone program of a family, for one bound c after the other.

    Variables: the margin, the parameters, then Gram matrices of M and of ``c M - L``.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        metric, test = family.shapes()
        first = 1 + len(family.weights)
        ring = family.ring
        factors: list[Poly] = [{ring.one: Fraction(1)}, *(s.polynomial(ring) for s in family.sides)]
        bases = [metric.main, *metric.extra, test.main, *test.extra]
        self._blocks, self._size = gram_blocks(bases, first)
        half = len(factors)
        self._metric_rows = self._rows(self._blocks[:half], factors, [family.weights])
        self._test_rows = self._rows(
            self._blocks[half:], factors, [family.weights, family.loads]
        )
        self._interior = (self._blocks[0], self._blocks[half])

    def _rows(
        self, blocks: Sequence[GramBlock], factors: Sequence[Poly], parts: list[Any]
    ) -> dict[Place, dict[int, float]]:
        rows: defaultdict[Place, dict[int, float]] = defaultdict(dict)
        for block, factor in zip(blocks, factors, strict=True):
            for place, row in block.coefficients(factor, self.family.ring).items():
                rows[place].update(row)
        for place in {p for matrices in parts for T in matrices for p in places(T)}:
            rows[place].update({})
        return dict(rows)

    def solve(self, c: float) -> Found | None:
        """The parameters furthest inside, or None where the solver finds none."""
        program = ConeProgram(np.append(-1.0, np.zeros(self._size - 1)))
        family = self.family
        for table, parts in (
            (self._metric_rows, [(1.0, family.weights)]),
            (self._test_rows, [(c, family.weights), (-1.0, family.loads)]),
        ):
            rows: list[dict[int, float]] = []
            for place, grams in table.items():
                row = dict(grams)
                for factor, matrices in parts:
                    _add(row, matrices, place, -factor)
                rows.append(row)
            program.require_zero(sparse_rows(rows, self._size), np.zeros(len(rows)))
        for block in self._blocks:
            inside = any(block is b for b in self._interior)
            require_interior(
                program, block, self._size, np.full(len(block.elements), float(inside))
            )
        diagonal = {
            column: 1.0
            for column, (k, j) in enumerate(self._interior[0].pairs, self._interior[0].offset)
            if k == j
        }
        count = np.array([-float(len(diagonal))])
        program.require_zero(sparse_rows([diagonal], self._size), count)
        x = program.solve()
        if x is None:
            return None
        return Found(x[1 : 1 + len(family.weights)], float(x[0]))


def _add(
    row: dict[int, float], matrices: Sequence[PolyMatrix], place: Place, factor: float
) -> None:
    i, j, m = place
    for p, T in enumerate(matrices, 1):
        value = T[i][j].get(m)
        if value is not None:
            row[p] = row.get(p, 0.0) + factor * float(value)


def rounded_field(family: Family, program: MetricProgram, found: Found, c: float) -> FieldL2:
    """The metric with parameters of as few bits as can be proved at the same bound."""
    from riemannian_modules.certify.gram_program import prove_sos

    scale = 2.0 ** np.ceil(np.log2(np.abs(found.theta).max()))
    field: list[list[Poly]] = []
    for bits in BITS:
        step = Fraction(float(scale)) / 2**bits
        theta = [round(Fraction(float(v)) / step) * step for v in found.theta]
        field = family.metric(theta)
        test = family.test(theta, Fraction(c))
        if all(prove_sos(T, family.ring, family.sides) is not None for T in (test, field)):
            break
    ring = family.ring
    return FieldL2(tuple(tuple(ring.expression(e) for e in row) for row in field))
