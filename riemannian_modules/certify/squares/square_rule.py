"""The rule "sos" of certificates: bounds in l2 norms by exact sums of squares.

They reach to infinity, where boxes say nothing, and know the spheres and slanted faces of cut
regions: what is nonnegative on the region multiplies squares, as an S-procedure does. Two
statements, each an identity with positive semidefinite rational Gram matrices:

- ``T = 2 b M - Mdot - M J - J^T M >= 0`` (maps: ``b^2 N - J^T M(F) J``, N the norm before)
  on the region;
- ``w M - margin I >= 0``, so that w(x) never vanishes and M(x) is never singular. Where w is a
  positive constant, M > 0 follows; else M is definite of one sign at every point, as the region is
  connected and M continuous, and a point at which M > 0 exactly decides it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data
from riemannian_modules.arithmetic.rational_definite import is_negative_definite_rational
from riemannian_modules.certify.atom_data import EvidenceWriter
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    fraction_from_data,
    refuse_unknown,
)
from riemannian_modules.certify.constant_basis import Basis
from riemannian_modules.certify.generalised import (
    at_successor,
    generalised_jacobian,
    material_derivative,
    product,
    regular_basis,
    symmetric_sum,
)
from riemannian_modules.certify.normal_form import roots_in
from riemannian_modules.certify.norms import L2, FieldL2
from riemannian_modules.certify.problem import Problem, limit_of
from riemannian_modules.certify.ranges import natural_ranges
from riemannian_modules.certify.searching.samples import sample_points
from riemannian_modules.certify.squares.coordinates_rule import (
    RAISED,
    carried_rate,
    definite,
    needed_bound,
    prove_rate,
)
from riemannian_modules.certify.squares.gram_program import (
    prove_inside,
    prove_sos,
    smallest_multiple,
)
from riemannian_modules.certify.squares.polynomial_metric import (
    bounds_to_try,
    equilibrium_bound,
    prove_definite,
)
from riemannian_modules.certify.squares.polynomial_ring import Ring, ring_of
from riemannian_modules.certify.squares.region_sides import (
    constraint_terms,
    finite_range,
    region_sides,
)
from riemannian_modules.certify.squares.sums_of_squares import (
    Gram,
    Side,
    SumOfSquares,
    verify_in_basis,
    verify_sos,
)
from riemannian_modules.errors import CertificateError, UnsupportedError
from riemannian_modules.space import Array

Positive = tuple[Any, Fraction, SumOfSquares, Array]  # weight, margin, squares, a point

EXACT = (0.0, 1e-12, 1e-9)  # parts given up first: where a metric is exact, none has to be
SLACKS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)  # parts given up for Gram matrices inside their cones
MOST_TERMS = 16  # of a cut region
SAMPLES = 64  # points that are tried
SMALL = 1e-3  # part of the matrix below which a bound counts as zero
REFINEMENTS = 8  # bisections between the best bound that is proved and the next one tried


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


def prove_by_squares(
    problem: Problem, norm: L2 | FieldL2, target: float | None, input_norm: L2 | None = None
) -> tuple[float, dict[str, Any]] | None:
    """A proved bound, the target or the best that is found, and its evidence; None if none is.

    The problem's map has to be defined on the whole box (``problem.is_defined``).
    """
    field = as_field(norm)
    if not problem.is_defined or (problem.constraints and _is_large(problem)):
        return None
    if not _is_metric_after(problem, norm):
        return None
    basis = _own_basis(problem, norm)
    if basis is not None:
        found = _prove_in_coordinates(problem, field, basis, target)
        if found is not None or not any(map(roots_in, basis.terms)):
            return found
    positive = prove_positive(problem, field)
    if positive is None:
        return None
    if target is not None:
        rate = _prove_rate(problem, field, target, input_norm)
        return None if rate is None else (target, _data(problem, rate, positive))
    if problem.constraints:
        return _prove_best(problem, field, positive, input_norm)
    before: float | None = None
    best = equilibrium_bound(problem)
    tries = (*(best + part * abs(best) for part in EXACT), *bounds_to_try(problem))
    for c in tries if np.isfinite(best) else ():
        b = 0.5 * c if problem.is_flow else float(np.sqrt(c))
        rate = _prove_rate(problem, field, b)
        if rate is not None:
            b, rate = _refined(problem, field, before, b, rate)
            return b, _data(problem, rate, positive)
        before = b
    return None


def _is_large(problem: Problem) -> bool:
    """Whether there are too many generators and constraints for products of any two of them."""
    ring = ring_of(e for row in problem.jacobian for e in row)
    return len(ring.generators) + len(problem.constraints.members) > MOST_TERMS


def _prove_best(
    problem: Problem, field: FieldL2, positive: Positive, input_norm: L2 | None
) -> tuple[float, dict[str, Any]] | None:
    """The best bound that sums of squares of the lowest degree have, if it contracts; evidence."""
    with_one, load = (rate_matrix(problem, field, b, input_norm) for b in (1.0, 0.0))
    n = range(len(load))
    weight = [[sp.expand(with_one[i][j] - load[i][j]) for j in n] for i in n]
    ring, sides = region_sides(problem, (e for row in (*weight, *load) for e in row))
    W, T = ([[ring.read(e) for e in row] for row in part] for part in (weight, load))
    best = smallest_multiple(W, T, ring, sides)
    if best is None or best >= limit_of(problem.time):
        return None
    size = max((abs(float(c)) for row in T for p in row for c in p.values()), default=0.0)
    for part in SLACKS:
        c = best + part * max(abs(best), SMALL * size)
        b = c if problem.is_flow else float(np.sqrt(max(c, 0.0)))
        rate = _prove_rate(problem, field, b, input_norm)
        if rate is not None:
            return b, _data(problem, rate, positive)
    return None


def _is_metric_after(problem: Problem, norm: L2 | FieldL2) -> bool:
    """Whether a step's metric is one at the successor: squares show M > 0 in the region alone."""
    if problem.is_flow or not isinstance(norm, FieldL2):
        return True
    n = len(problem.map)
    ends = natural_ranges(problem.map, problem.symbols, problem.lower[None], problem.upper[None])
    inside = (ends[0][0] >= problem.lower[:n]) & (ends[1][0] <= problem.upper[:n])
    return not problem.constraints and bool(inside.all())


def _own_basis(problem: Problem, norm: L2 | FieldL2) -> Basis | None:
    """The basis in which a metric M(x) is constant; None for others, and on cut regions."""
    if not isinstance(norm, FieldL2) or problem.constraints:
        return None
    return regular_basis(problem, norm)


def _prove_in_coordinates(
    problem: Problem, field: FieldL2, basis: Basis, target: float | None
) -> tuple[float, dict[str, Any]] | None:
    """The same in the coordinates in which the metric is constant."""
    point = _inner_point(problem)
    if not _is_definite_at(field, problem.symbols, point):
        return None
    F = generalised_jacobian(problem, basis, field.rates)
    needed = target if target is not None else needed_bound(problem, field, basis, F)
    tried = [needed] if target is not None else [needed + part * abs(needed) for part in RAISED]
    for b in tried if np.isfinite(needed) else ():
        rate = prove_rate(problem, basis, F, b)
        if rate is not None:
            return b, _data(problem, rate, (*definite(basis), point))
    return None


def _refined(
    problem: Problem, field: FieldL2, failed: float | None, b: float, rate: SumOfSquares
) -> tuple[float, SumOfSquares]:
    """A bound between one that is not proved and one that is, by bisection."""
    for _ in range(REFINEMENTS if failed is not None else 0):
        assert failed is not None
        middle = 0.5 * (failed + b)
        trial = _prove_rate(problem, field, middle)
        if trial is None:
            failed = middle
        else:
            b, rate = middle, trial
    return b, rate


def _prove_rate(
    problem: Problem, field: FieldL2, b: float, input_norm: L2 | None = None
) -> SumOfSquares | None:
    matrix = rate_matrix(problem, field, b, input_norm)
    ring, sides = region_sides(problem, (e for row in matrix for e in row))
    read = [[ring.read(e) for e in row] for row in matrix]
    if problem.constraints:
        return prove_inside(read, ring, sides)
    plain = prove_sos(read, ring)
    return plain if plain is not None or not sides else prove_sos(read, ring, sides)


def prove_positive(problem: Problem, field: FieldL2) -> Positive | None:
    """A weight w, a margin > 0, a proof of ``w M - margin I >= 0`` and a point where M > 0."""
    M = field.entries
    ring, known = region_sides(problem, (e for row in M for e in row))
    for sides in dict.fromkeys(((), known)):
        found = prove_definite(field, ring, sides)
        if found is None:
            continue
        origin = _inner_point(problem)
        if found[0].is_Rational:  # a positive number: M > 0 follows, and no point is needed
            return *found, origin
        for point in (origin, *sample_points(problem, np.random.default_rng(0), SAMPLES)):
            is_inside = problem.constraints.contains(point)
            if is_inside and _is_definite_at(field, problem.symbols, point):
                return *found, point
    return None


def _inner_point(problem: Problem) -> Array:
    """The origin, or what is next to it in the region's box."""
    return np.clip(np.zeros(len(problem.lower)), problem.lower, problem.upper)


def _is_definite_at(field: FieldL2, symbols: Sequence[sp.Symbol], point: Array) -> bool:
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


def _data(
    problem: Problem,
    rate: SumOfSquares,
    positive: Positive,
) -> dict[str, Any]:
    w, margin, squares, point = positive
    names = [b.symbol for b in constraint_terms(problem)]
    writer = EvidenceWriter((*problem.symbols, *names))
    data = {
        "rate": rate.to_data(writer),
        "positive": {
            "weight": writer.terms([w])[0],
            "margin": str(margin),
            "point": point.tolist(),
            "squares": squares.to_data(writer),
        },
    }
    return {"rule": "sos", **writer.data(), **data}


def squares_hold(
    problem: Problem,
    norm: L2 | FieldL2,
    b: float,
    data: Mapping[str, Any],
    input_norm: L2 | None = None,
) -> bool:
    """Whether the evidence of the rule proves the bound b, from its data alone.

    Raises:
        CertificateError: For data that is malformed.
    """
    refuse_unknown(data, {"rule", "let", "atoms", "rate", "positive"}, "evidence")
    field = as_field(norm)
    if not problem.is_defined or not np.isfinite(b) or (b < 0 and not problem.is_flow):
        return False
    if not _is_metric_after(problem, norm):
        return False
    reader = _Reader(problem, data.get("let", []))
    part = refuse_unknown(
        data.get("positive"), {"weight", "margin", "point", "squares"}, "evidence.positive"
    )
    rate = reader.sum_of_squares(data.get("rate"), "evidence.rate")
    squares = reader.sum_of_squares(part.get("squares"), "evidence.positive.squares")
    (w,) = reader.terms([part.get("weight")], "evidence.positive.weight")
    margin = fraction_from_data(part.get("margin"), "evidence.positive.margin")
    # Squares are those of real numbers, and a weight shows M regular only where it is defined.
    used = (w, *rate.ring.generators, *squares.ring.generators)
    if not replace(problem, metric_terms=(*problem.metric_terms, *used)).is_defined:
        return False
    point = array_from_data(part.get("point"), (len(problem.symbols),), "evidence.positive.point")
    if not (w.is_Rational and w > 0) and not _holds_at_point(problem, field, point):
        return False
    if len(field.entries) != problem.size or margin <= 0:
        return False
    rest = sp.Rational(margin.numerator, margin.denominator)
    basis = _own_basis(problem, norm)
    if basis is not None:
        K, F = sp.Matrix(basis.inverse), generalised_jacobian(problem, basis, field.rates)
        definite_part = w * sp.diag(*basis.weights) - rest * K.T * K
        return verify_in_basis(basis.inverse, definite_part.tolist(), squares) and verify_in_basis(
            basis.inverse, carried_rate(problem, basis, F, b), rate
        )
    shifted = sp.Matrix(field.entries) * w - rest * sp.eye(problem.size)
    return verify_sos(shifted.tolist(), squares) and verify_sos(
        rate_matrix(problem, field, b, input_norm), rate
    )


def _holds_at_point(problem: Problem, field: FieldL2, point: Array) -> bool:
    inside = bool((point >= problem.lower).all() and (point <= problem.upper).all())
    # M is regular on the region alone: beyond it its sign may be another.
    inside = inside and problem.constraints.contains(point)
    return inside and _is_definite_at(field, problem.symbols, point)


@final
class _Reader:
    """Reads what `_data` wrote; nothing of it is believed."""

    def __init__(self, problem: Problem, let: object) -> None:
        self._problem, self._let = problem, let
        self._bounded = constraint_terms(problem)

    def terms(self, data: object, where: str) -> tuple[Any, ...]:
        """Terms of the region's symbols, with its constraints put in."""
        meaning = {b.symbol: b.term for b in self._bounded}
        return tuple(e.xreplace(meaning) for e in self._written(data, where))

    def _written(self, data: object, where: str) -> tuple[Any, ...]:
        block = {"let": self._let, "terms": data}
        known = (*self._problem.symbols, *(b.symbol for b in self._bounded))
        return terms_from_data(block, known, where, CertificateError)

    def sum_of_squares(self, data: object, where: str) -> SumOfSquares:
        """A sum of squares whose factors are proved to be nonnegative on the region."""
        if not isinstance(data, list) or not data:
            raise CertificateError(f"{where}: expected a list of squares.")
        read: list[tuple[Side, tuple[Any, ...], Mapping[str, Any]]] = []
        for entry in data:
            part = refuse_unknown(entry, {"factor", "rows", "basis", "gram"}, where)
            (factor,) = self._written([part.get("factor")], f"{where}.factor")
            if not self._is_nonnegative(factor):
                raise UnsupportedError(f"{where}.factor: {str(factor)[:60]} >= 0 is not proved.")
            (meaning,) = self.terms([part.get("factor")], f"{where}.factor")
            basis = self.terms(part.get("basis"), f"{where}.basis")
            read.append((Side(factor, meaning), basis, part))
        every = [e for side, basis, _ in read for e in (side.meaning, *basis)]
        ring = ring_of(every, self._problem.symbols)
        return SumOfSquares(
            ring, tuple((side, _gram(part, basis, ring, where)) for side, basis, part in read)
        )

    def _is_nonnegative(self, product: Any) -> bool:
        """Whether a product has an even number of factors that are proved <= 0, the others >= 0."""
        signs = [self._sign(g) for g in sp.Mul.make_args(product)]
        return product == 0 or (0 not in signs and math.prod(signs) == 1)

    def _sign(self, side: Any) -> int:
        """1 where ``c + g`` or ``c - g`` is proved >= 0, -1 where it is proved <= 0, else 0.

        By the limits of g, a constraint, or by its natural range; exact in c.
        """
        c, rest = side.as_coeff_Add()
        sign, g = rest.as_coeff_Mul()
        shift = Fraction(int(c.p), int(c.q))
        if rest == 0:
            return 1 if shift >= 0 else -1
        if sign not in (1, -1) or not self._problem.is_defined:
            return 0
        low, high = self._range(g)
        low, high = (low, high) if sign == 1 else (_negative(high), _negative(low))
        if low is not None and low + shift >= 0:
            return 1
        return -1 if high is not None and high + shift <= 0 else 0

    def _range(self, g: Any) -> tuple[Fraction | None, Fraction | None]:
        for b in self._bounded:
            if b.symbol == g:
                return b.lower, b.upper
        if not g.free_symbols <= {*self._problem.symbols}:
            return None, None
        return finite_range(self._problem, g)


def _negative(end: Fraction | None) -> Fraction | None:
    return None if end is None else -end


def _gram(part: Mapping[str, Any], basis: Sequence[Any], ring: Ring, where: str) -> Gram:
    rows, entries = part.get("rows"), part.get("gram")
    if (
        not isinstance(rows, list)
        or len(rows) != len(basis)
        or not all(isinstance(i, int) and not isinstance(i, bool) for i in rows)
        or not isinstance(entries, list)
        or [len(r) if isinstance(r, list) else -1 for r in entries] != [len(basis)] * len(basis)
    ):
        raise CertificateError(f"{where}: rows, basis and gram do not fit.")
    powers: list[tuple[int, ...]] = []
    for e in basis:
        p = ring.read(e)
        if len(p) != 1 or set(p.values()) != {Fraction(1)}:
            raise UnsupportedError(f"{where}.basis: {str(e)[:60]} is no monomial.")
        powers.extend(p)
    G = [[fraction_from_data(v, f"{where}.gram") for v in row] for row in entries]
    if any(G[i][j] != G[j][i] for i in range(len(G)) for j in range(i)):
        raise CertificateError(f"{where}.gram: expected a symmetric matrix.")
    lower = tuple(tuple(row[: i + 1]) for i, row in enumerate(G))
    return Gram(tuple(rows), tuple(powers), lower)
