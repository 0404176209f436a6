"""The rule ``sos``: the bound as an identity of squares and of what is nonnegative on the region.

``T = sum of g Z^T G Z`` with constant ``G >= 0``, ``g >= 0`` on the region and a real Z makes
``T >= 0`` there (Parrilo, Math. Programming 96, 2003; Putinar 1993). T is
``2 b M - (Mdot + M J + J^T M)`` for a flow, and ``b^2 N - J^T M' J`` for a step or a map. With
``T = w M - margin I`` the same shows that M is regular everywhere: being continuous on a connected
region, it is positive definite on all of it if it is at one point.
"""

from fractions import Fraction

from contraction_checker.claim import Case
from contraction_checker.corners import passes
from contraction_checker.definiteness import is_positive
from contraction_checker.forms import form_of
from contraction_checker.invariant_ball import prove_trajectories
from contraction_checker.json_parts import Json, fields, listed, reals, whole
from contraction_checker.matrices import Matrix, Place, identity
from contraction_checker.matrix_parts import fraction, matrix
from contraction_checker.moving_metric import (
    MovingMetric,
    read_constant,
    read_point_metric,
    successor_ranges,
)
from contraction_checker.proof import Proof
from contraction_checker.range_values import RangeValues
from contraction_checker.ranges import Range, near
from contraction_checker.refusals import MalformedError, NotProvedError
from contraction_checker.system import System, read_system


def prove_by_squares(case: Case) -> None:
    """Prove the bound, and that the metric is one, by squares.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If a statement is not proved.
    """
    system = read_system(case)
    claim, n, J = case.claim, system.rows, system.jacobian
    if claim.has_metric_of_the_point():
        metric = read_point_metric(case, system)
        if not claim.is_flow:
            _require_metric_at_successors(case, system)
    else:
        metric = read_constant(case, n)
    if claim.is_flow:
        MJ = metric.M @ J
        bound = 2 * claim.bound * metric.M - (MJ + MJ.T + metric.dot)
    else:
        N = claim.input_metric(system.columns, metric.M)
        bound = claim.bound**2 * N - J.T @ (metric.after @ J)
    evidence = fields(case.evidence, "rule rate positive", "let atoms")
    prove_squares(case.proof, "the bound", bound, listed(evidence["rate"]))
    _prove_definite(case, system, metric, evidence["positive"])
    prove_trajectories(case, system.written)


def prove_squares(proof: Proof, what: str, T: Matrix, parts: list[Json]) -> None:
    """Prove that a symmetric T is a sum of squares times what is nonnegative on the region.

    Row k of Z has one entry: the k-th of the basis, in the column that ``rows`` names.

    Raises:
        MalformedError: If a part breaks the format.
        NotProvedError: If a part may be negative, or their sum is another matrix.
    """
    box = proof.whole()
    if not parts:
        raise MalformedError(f"{what}: no squares")
    left = T
    for data in parts:
        left = left - _square(proof, box, what, data)
    if not left.vanishes():
        raise NotProvedError(f"{what}: it is no such sum of squares")
    proof.report.append(f"{what}: it is a sum of squares")


def _square(proof: Proof, box: RangeValues, what: str, data: Json) -> Matrix:
    """One ``g Z^T G Z``, which is shown to be nonnegative on the region."""
    part = fields(data, "factor rows basis gram")
    factor = proof.definitions.read(part["factor"])
    basis = proof.definitions.read_all(part["basis"])
    columns = [whole(row, "a row") for row in listed(part["rows"])]
    k = len(columns)
    if len(basis) != k:
        raise MalformedError(f"{what}: a row for each term of the basis")
    Z = Matrix(
        {
            (i, column): proof.terms.evaluate(t)
            for i, (column, t) in enumerate(zip(columns, basis, strict=True))
        }
    )
    G = matrix(listed(part["gram"]), k, k, fraction)
    for t in basis:  # real: terms know sqrt(x)^2 as x, also where x is negative
        box.evaluate(t)
    is_nonnegative = box.evaluate(factor).lo >= 0 and G.T == G
    if not is_nonnegative or not passes(form_of(G, k), {}, strict=False):
        raise NotProvedError(f"{what}: a negative square")
    return (Z.T @ G @ Z) * proof.terms.evaluate(factor)


def _require_metric_at_successors(case: Case, system: System) -> None:
    """M > 0 is proved on the region alone: successors must not leave its box."""
    proof, written = case.proof, system.written
    there = successor_ranges(proof, written)
    for t in written.metric:
        there.evaluate(t)
    sides = dict(zip(proof.names, proof.sides, strict=True))
    leaves = any(
        not sides[s].lo <= there[s].lo <= there[s].hi <= sides[s].hi for s in written.state
    )
    if proof.region.constraints or leaves:
        raise NotProvedError("M' > 0, where the map may lead out of the region")


def _prove_definite(case: Case, system: System, metric: MovingMetric, data: Json) -> None:
    """Prove M > 0 on the region, by ``w M - margin I = sum of g Z^T G Z`` with a margin above zero.

    Where the weight w is a positive number that is all. Else M is regular, and definite at a point.
    """
    proof, n = case.proof, system.rows
    part = fields(data, "weight margin point squares")
    weight = proof.definitions.read(part["weight"])
    point, squares = reals(part["point"]), listed(part["squares"])
    if len(point) != len(proof.names):
        raise MalformedError("a point has a number for each symbol")
    margin = fraction(part["margin"])
    if margin <= 0:
        raise NotProvedError("a margin is positive")
    proof.whole().evaluate(weight)  # real on the whole region, too
    w = proof.terms.evaluate(weight)
    prove_squares(proof, "M(x) > 0", metric.M * w - margin * identity(n), squares)
    constant = w.constant()
    if constant is not None and constant > 0:
        return
    if not proof.region.holds(point):
        raise NotProvedError("the point is none of the region")
    if not _is_definite_at(case, system, point):
        raise NotProvedError("M(x) > 0 at the point")


def _is_definite_at(case: Case, system: System, point: list[Fraction]) -> bool:
    """Whether the metric of the claim is definite at a point; a constant one is everywhere."""
    proof, written, n = case.proof, system.written, system.rows
    given = {s: near(x) for s, x in zip(proof.names, point, strict=True)}
    at = RangeValues(given, proof.definitions.bindings)
    found = [at.evaluate(t) for t in written.metric]
    if "factor_terms" in case.claim.norm:
        found = _gram(found, n)
    upper: dict[Place, tuple[int, int]] = {}
    for k, x in enumerate(found):
        i, j = divmod(k, n)
        if i <= j:
            upper[i, j] = x.lo, x.hi
    return is_positive(upper, strict=True)


def _gram(factor: list[Range], n: int) -> list[Range]:
    """``Theta^T Theta`` of a factor n by n, both row by row."""
    zero = near(0)
    return [
        sum((factor[k * n + i] * factor[k * n + j] for k in range(n)), zero)
        for i in range(n)
        for j in range(n)
    ]
