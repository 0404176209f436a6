"""Evidence by exact sums of squares: bounds in l2 norms on regions that may be unbounded.

They reach to infinity, where boxes say nothing, and know the spheres and slanted faces of cut
regions: what is nonnegative on the region multiplies squares, as an S-procedure does. Two
statements, each an identity with positive semidefinite rational Gram matrices:

- ``T = 2 b M - Mdot - M J - J^T M >= 0`` (maps: ``b^2 N - J^T M(F) J``, N the norm before)
  on the region;
- ``w M - margin I >= 0``, so that w(x) never vanishes and M(x) is never singular. Where w is a
  positive constant, M > 0 follows; else M is definite of one sign at every point, as the region is
  connected and M continuous, and a point at which M > 0 exactly decides it.

Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Self, final

import numpy as np
import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic.rational_definite import is_negative_definite_rational
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import L2, FieldL2, Norm
from riemannian_modules.claims.plain_data import (
    array_from_data,
    fraction_from_data,
    refuse_unknown,
)
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.bounded_terms import constraint_terms
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.evidence.read_squares import SquaresReader
from riemannian_modules.evidence.sums_of_squares import SumOfSquares, verify_in_basis, verify_sos
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atom_data import EvidenceWriter
from riemannian_modules.terms.constant_basis import Basis
from riemannian_modules.terms.generalised import (
    at_successor,
    generalised_jacobian,
    material_derivative,
    product,
    regular_basis,
    symmetric_sum,
)
from riemannian_modules.terms.ranges import natural_ranges


@final
@dataclass(frozen=True, slots=True, eq=False)
class Squares(Evidence):
    """What has to be nonnegative on the region, as sums of squares.

    Attributes:
        rate: Of the tested matrix T.
        weight: w, nonnegative.
        margin: m > 0.
        definite: Of ``w M - m I``.
        point: A point of the region at which M > 0 (dim,).
    """

    word: ClassVar[str] = "sos"
    system: ClassVar[type[ClaimedSystem]] = Problem
    norms: ClassVar[tuple[type[Norm], ...]] = (L2, FieldL2)

    rate: SumOfSquares
    weight: Any
    margin: Fraction
    definite: SumOfSquares
    point: Array

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        refuse_unknown(data, {"rule", "let", "atoms", "rate", "positive"}, "evidence")
        where = "evidence.positive"
        part = refuse_unknown(data.get("positive"), {"weight", "margin", "point", "squares"}, where)
        reader = SquaresReader(claim.problem, data.get("let", []))
        rate = reader.sum_of_squares(data.get("rate"), "evidence.rate")
        squares = reader.sum_of_squares(part.get("squares"), f"{where}.squares")
        (weight,) = reader.terms([part.get("weight")], f"{where}.weight")
        margin = fraction_from_data(part.get("margin"), f"{where}.margin")
        point = array_from_data(part.get("point"), (len(claim.problem.symbols),), f"{where}.point")
        return cls(rate, weight, margin, squares, point)

    @override
    def proves(self, claim: Claim) -> str | None:
        holds = self._holds(claim)
        return None if holds else "the sums of squares of the certificate are not proved"

    def _holds(self, claim: Claim) -> bool:
        problem, norm, b, w = claim.problem, claim.norm, claim.b, self.weight
        if not isinstance(norm, (L2, FieldL2)):
            raise CertificateError("evidence: sums of squares are for l2 norms.")
        field = as_field(norm)
        if not problem.is_defined or not np.isfinite(b) or (b < 0 and not problem.is_flow):
            return False
        if not is_metric_after(problem, norm):
            return False
        # Squares are those of real numbers, and a weight shows M regular only where it is defined.
        used = (w, *self.rate.ring.generators, *self.definite.ring.generators)
        if not replace(problem, metric_terms=(*problem.metric_terms, *used)).is_defined:
            return False
        if not (w.is_Rational and w > 0) and not _holds_at_point(problem, field, self.point):
            return False
        if len(field.entries) != problem.size or self.margin <= 0:
            return False
        rest = sp.Rational(self.margin.numerator, self.margin.denominator)
        basis = own_basis(problem, norm)
        if basis is not None:
            K, F = sp.Matrix(basis.inverse), generalised_jacobian(problem, basis, field.rates)
            definite_part = w * sp.diag(*basis.weights) - rest * K.T * K
            return verify_in_basis(
                basis.inverse, definite_part.tolist(), self.definite
            ) and verify_in_basis(basis.inverse, carried_rate(problem, basis, F, b), self.rate)
        shifted = sp.Matrix(field.entries) * w - rest * sp.eye(problem.size)
        return verify_sos(shifted.tolist(), self.definite) and verify_sos(
            rate_matrix(problem, field, b, claim.input_norm), self.rate
        )

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        problem = claim.problem
        names = [b.symbol for b in constraint_terms(problem)]
        writer = EvidenceWriter((*problem.symbols, *names))
        data = {
            "rate": self.rate.to_data(writer),
            "positive": {
                "weight": writer.terms([self.weight])[0],
                "margin": str(self.margin),
                "point": self.point.tolist(),
                "squares": self.definite.to_data(writer),
            },
        }
        return {**writer.data(), **data}

    @property
    @override
    def in_words(self) -> str:
        count = len(self.rate.parts)
        terms = "1 sum of squares" if count == 1 else f"{count} sums of squares"
        return (
            "The system as a whole: what has to be nonnegative on the region is written as "
            f"{terms} with factors that are nonnegative there, an identity in exact fractions. No "
            "box is cut, so the region may be unbounded."
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        for what, squares in (("squares of the rate", self.rate), ("squares of M", self.definite)):
            for side, gram in squares.parts:
                yield TableRow(what, str(side.factor), "", float(len(gram.rows)))
        yield TableRow("margin", "", "", float(self.margin))


def rate_matrix(problem: Problem, norm: FieldL2, b: float, N: L2 | None = None) -> list[list[Any]]:
    """The matrix T of expressions that has to be >= 0 for the bound b, exact.

    N is the norm of a static map's inputs, Euclidean when None.
    """
    M, J = norm.entries, problem.jacobian
    exact = sp.Rational(*float(b).as_integer_ratio())
    if problem.is_flow:
        n = range(len(M))
        load = symmetric_sum(product(M, J))
        rate = material_derivative(problem, norm)
        return [[2 * exact * M[i][j] - load[i][j] - rate[i][j] for j in n] for i in n]
    transposed = [list(column) for column in zip(*J, strict=True)]
    load = product(transposed, product(at_successor(problem, norm.entries), J))
    before = M
    if not problem.is_square:
        before = as_field(N if N is not None else L2(np.eye(len(problem.variables)))).entries
    n = range(len(before))
    return [[exact**2 * before[i][j] - load[i][j] for j in n] for i in n]


def as_field(norm: L2 | FieldL2) -> FieldL2:
    """A constant metric as a function of the point; others as they are."""
    if isinstance(norm, FieldL2):
        return norm
    rows = norm.metric.tolist()
    return FieldL2(tuple(tuple(sp.Rational(*v.as_integer_ratio()) for v in row) for row in rows))


def carried_rate(problem: Problem, basis: Basis, F: Sequence[Any], b: float) -> list[list[Any]]:
    """The tested matrix in a metric's coordinates, ``c D - D F - F^T D`` or ``c D - F^T D F``."""
    exact, D, J = sp.Rational(*float(b).as_integer_ratio()), sp.diag(*basis.weights), sp.Matrix(F)
    T = 2 * exact * D - D * J - J.T * D if problem.is_flow else exact**2 * D - J.T * D * J
    return T.tolist()


def is_metric_after(problem: Problem, norm: L2 | FieldL2) -> bool:
    """Whether a step's metric is one at the successor: squares show M > 0 in the region alone."""
    if problem.is_flow or not isinstance(norm, FieldL2):
        return True
    n = len(problem.map)
    ends = natural_ranges(problem.map, problem.symbols, problem.lower[None], problem.upper[None])
    inside = (ends[0][0] >= problem.lower[:n]) & (ends[1][0] <= problem.upper[:n])
    return not problem.constraints and bool(inside.all())


def own_basis(problem: Problem, norm: L2 | FieldL2) -> Basis | None:
    """The basis in which a metric M(x) is constant; None for others, and on cut regions."""
    if not isinstance(norm, FieldL2) or problem.constraints:
        return None
    return regular_basis(problem, norm)


def is_definite_at(field: FieldL2, symbols: Sequence[sp.Symbol], point: Array) -> bool:
    """Whether a metric is proved positive definite at a point (dim,), in exact rationals."""
    table = {
        s: sp.Rational(*float(v).as_integer_ratio())
        for s, v in zip(symbols, point.tolist(), strict=True)
    }
    values = [[sp.expand(e.xreplace(table)) for e in row] for row in field.entries]
    if not all(v.is_Rational for row in values for v in row):
        return False
    return is_negative_definite_rational(
        [[-Fraction(int(v.p), int(v.q)) for v in row] for row in values]
    )


def _holds_at_point(problem: Problem, field: FieldL2, point: Array) -> bool:
    inside = bool((point >= problem.lower).all() and (point <= problem.upper).all())
    # M is regular on the region alone: beyond it its sign may be another.
    inside = inside and problem.constraints.contains(point)
    return inside and is_definite_at(field, problem.symbols, point)
