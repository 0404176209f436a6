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

from riemannian_modules.arithmetic.spectra import eigenvalues
from riemannian_modules.claims.norms import FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import FreePolynomialL2
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.evidence.sums_of_squares import PolyMatrix, Side, SumOfSquares
from riemannian_modules.search.linear_forms import nullspace
from riemannian_modules.search.metrics.cone_program import ConeProgram
from riemannian_modules.search.squares.gram_program import (
    FACES,
    OUTSIDE,
    Form,
    GramBlock,
    Place,
    face,
    gram_blocks,
    places,
    prove_sos,
    require_interior,
    sparse_rows,
    unit_forms,
)
from riemannian_modules.search.squares.linear_coordinates import linear_metric
from riemannian_modules.search.squares.metric_family import Family, polynomial_family
from riemannian_modules.spaces import Array
from riemannian_modules.terms.polynomial_ring import Poly, Ring

PARTS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
GOOD = 3  # of the PARTS: bounds that no higher degree is tried to better
INSIDE = 1e-9  # smallest margin of both Gram matrices, traces one a basis element, that counts
BITS = (4, 8, 12, 16, 24, 32, 40)
REFINEMENTS = 9  # bisections between the best bound that has a metric and the next one tried
MARGINS = (4, 10, 16, 24)  # bits after the point of margins that are tried


@final
@dataclass(frozen=True, eq=False)
class Found:
    """Parameters of a family's metric, and the margin of its Gram matrices, of M and the test."""

    theta: Array
    margin: float
    grams: tuple[Array, ...]


def find_by_squares(problem: Problem, wanted: FreePolynomialL2) -> FieldL2:
    """A polynomial metric of the wanted degree, on regions that may be unbounded.

    Raises:
        ConvergenceError: If none is found.
    """
    linear = linear_metric(problem, wanted)
    if linear is not None:
        return linear
    J_symbols = sp.Tuple(*(e for row in problem.jacobian for e in row)).free_symbols
    state = problem.expressions.state
    few = [s for s in state if s in J_symbols]
    tries = bounds_to_try(problem)
    best: FieldL2 | None = None
    between: tuple[MetricProgram | None, float, float] = (None, 0.0, 0.0)
    for variables in [few, list(state)] if len(few) < len(state) else [few]:
        # A lower degree is tried first: where it reaches the best bound nearly, it is simpler.
        for degree in range(wanted.degree % 2, wanted.degree + 1, 2):
            program = metric_program(polynomial_family(problem, degree, variables).reduced())
            all_tries = degree == wanted.degree
            for k, c in enumerate(tries if all_tries else tries[:GOOD]):
                field = _at_bound(program, c)
                if field is not None:
                    best, tries = field, tries[:k]
                    between = program, tries[-1] if tries else c, c
                    break
            if best is not None and len(tries) <= GOOD:
                return best
    if best is not None:
        return _refined(*between) or best
    raise ConvergenceError(
        f"No polynomial metric of degree {wanted.degree} was found by sums of squares. Raise the "
        "degree, or shrink the region."
    )


def _refined(program: MetricProgram | None, failed: float, c: float) -> FieldL2 | None:
    """A metric for a bound between one that has none and one that has; None if none is found."""
    best: FieldL2 | None = None
    for _ in range(REFINEMENTS):
        middle = 0.5 * (failed + c)
        field = _at_bound(program, middle)
        best, failed, c = (best, middle, c) if field is None else (field, failed, middle)
    return best


def _at_bound(program: MetricProgram | None, c: float) -> FieldL2 | None:
    """A metric that is proved to have a bound, on a face of the cones if inside there is none."""
    for _ in range(FACES):
        found = None if program is None else program.solve(c)
        if program is None or found is None or found.margin < -OUTSIDE:
            return None
        if found.margin > INSIDE:
            return rounded_metric(program.family, found, c)
        program = program.on_face(found)
    return None


def bounds_to_try(problem: Problem) -> list[float]:
    """Bounds c (2 b, or b^2 of a step), the best that an equilibrium allows nearly, then weaker."""
    best = equilibrium_bound(problem)
    limit = 0.0 if problem.is_flow else 1.0
    return [best + part * (limit - best) for part in PARTS] if best < limit else []


def equilibrium_bound(problem: Problem) -> float:
    """What no metric exceeds: c of the Jacobian at an equilibrium, or of the mildest sample."""
    from scipy.optimize import fsolve

    from riemannian_modules.search.samples import (
        jacobians_at,
        sample_points,
        some,
        values_at,
    )

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
    values = eigenvalues(some(jacobians_at(problem, points)))
    if problem.is_flow:
        return 2 * float(np.real(values).max(1).min())
    return float(np.abs(values).max(1).min()) ** 2


Bases = tuple[list[Form], ...]  # of the main Gram matrix, then one for each side


@final
class MetricProgram:
    """The cone program of a family, for one bound c after the other.

    Variables: the margin, the parameters, then Gram matrices of M and of ``c M - L``.
    """

    def __init__(self, family: Family, metric: Bases, test: Bases) -> None:
        self.family, self._bases = family, (metric, test)
        ring = family.ring
        self._factors: list[Poly] = [
            {ring.one: Fraction(1)},
            *(s.polynomial(ring) for s in family.sides),
        ]
        blocks, self._size = gram_blocks([*metric, *test], 1 + len(family.weights))
        self._blocks = blocks[: len(metric)], blocks[len(metric) :]
        self._metric_rows = self._rows(self._blocks[0], [family.weights])
        self._test_rows = self._rows(self._blocks[1], [family.weights, family.loads])

    def _rows(self, blocks: Sequence[GramBlock], parts: list[Any]) -> dict[Place, dict[int, float]]:
        rows: defaultdict[Place, dict[int, float]] = defaultdict(dict)
        for block, factor in zip(blocks, self._factors, strict=True):
            for place, row in block.coefficients(factor).items():
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
        for blocks in self._blocks:
            for k, block in enumerate(blocks):  # multipliers may lie on the boundary
                weights = np.full(len(block.forms), float(k == 0))
                require_interior(program, block, self._size, weights)
        main = self._blocks[0][0]
        pairs = enumerate(main.pairs, main.offset)
        trace = {column: 1.0 for column, (k, j) in pairs if k == j}
        program.require_zero(sparse_rows([trace], self._size), np.array([-float(len(trace))]))
        x = program.solve()
        if x is None:
            return None
        grams = tuple(blocks[0].matrix(x) for blocks in self._blocks)
        return Found(x[1 : 1 + len(family.weights)], float(x[0]), grams)

    def on_face(self, found: Found) -> MetricProgram | None:
        """The program on the face of the cones that singular Gram matrices show; None if none do.

        Coefficients that the smaller bases do not reach have to vanish, exactly.
        """
        metric, test = (
            (face(bases[0], G), *bases[1:])
            for bases, G in zip(self._bases, found.grams, strict=True)
        )
        if [len(metric[0]), len(test[0])] == [len(bases[0]) for bases in self._bases]:
            return None
        if not metric[0] or not test[0]:
            return None
        family = self.family
        family = family.annulled(
            self._out_of_reach(metric, [family.weights]),
            self._out_of_reach(test, [family.weights, family.loads]),
        )
        return MetricProgram(family, metric, test) if family.weights else None

    def _out_of_reach(self, bases: Bases, parts: list[Any]) -> list[dict[Place, Fraction]]:
        """Combinations of coefficients that vanish for all Gram matrices over some bases."""
        blocks, _ = gram_blocks(bases, 0)
        pairs = zip(blocks, self._factors, strict=True)
        columns = [column for block, factor in pairs for column in block.exact(factor)]
        known = {p for column in columns for p in column}
        known |= {p for matrices in parts for T in matrices for p in places(T)}
        order = sorted(known)
        number = {p: i for i, p in enumerate(order)}
        rows = [{number[p]: c for p, c in column.items()} for column in columns]
        return [{order[i]: c for i, c in enumerate(y) if c} for y in nullspace(rows, len(order))]


def metric_program(family: Family) -> MetricProgram:
    """The program of a reduced family over all monomials that may occur."""
    metric, test = (
        (unit_forms(s.main), *(unit_forms(e) for e in s.extra)) for s in family.shapes()
    )
    return MetricProgram(family, metric, test)


def _add(
    row: dict[int, float], matrices: Sequence[PolyMatrix], place: Place, factor: float
) -> None:
    i, j, m = place
    for p, T in enumerate(matrices, 1):
        value = T[i][j].get(m)
        if value is not None:
            row[p] = row.get(p, 0.0) + factor * float(value)


def rounded_metric(family: Family, found: Found, c: float) -> FieldL2 | None:
    """The metric with parameters of as few bits as can be proved at the same bound."""
    size = 2.0 ** np.ceil(np.log2(np.abs(found.theta).max()))
    ring = family.ring
    singular = 0
    for bits in BITS:
        step = Fraction(float(size)) / 2**bits
        theta = [round(Fraction(float(v)) / step) * step for v in found.theta]
        M, test = family.metric(theta), family.test(theta, Fraction(c))
        if all(prove_sos(T, ring, family.sides) is not None for T in (test, M)):
            field = FieldL2(tuple(tuple(ring.expression(e) for e in row) for row in M))
            if prove_definite(field, ring, family.sides) is not None:
                return field
            singular += 1
        if singular > 1:  # more bits do not make it definite
            break
    return None


def prove_definite(
    field: FieldL2, ring: Ring, sides: tuple[Side, ...]
) -> tuple[Any, Fraction, SumOfSquares] | None:
    """A weight w, a margin > 0, and a proof of ``w M - margin I >= 0``; None if none is found.

    The weight is 1, or a power of ``1 + trace M``: where ``M = Theta^T Theta`` with a polynomial
    inverse of Theta, M is definite everywhere, but tends to a singular matrix far away.
    """
    M = field.entries
    n = len(M)
    # Not multiplied out, which would make other generators of denominators.
    trace = 1 + sp.Add(*(M[i][i] for i in range(n)))
    for w in dict.fromkeys((sp.Integer(1), *(trace**k for k in range(1, n)))):
        for bits in MARGINS:
            shift = sp.Rational(1, 2**bits)
            matrix = [
                [ring.read(w * e - (shift if i == j else 0)) for j, e in enumerate(row)]
                for i, row in enumerate(M)
            ]
            found = prove_sos(matrix, ring, sides)
            if found is not None:
                return w, Fraction(1, 2**bits), found
    return None
