"""The bound in a metric M(x), leaf by leaf: a part of the rule ``monolithic``.

For a flow ``2 b M - (Mdot + M J + J^T M) >= 0``, for a step ``[[b M, J^T M'], [M' J, b M']] >= 0``
with M' at the successor, and M > 0 (Lohmiller and Slotine, Automatica 34, 1998). The file may write
them in another basis, ``z = K w`` and at the successor ``z' = K' w'``: then with ``K^T M K`` in
place of M, and so on. That ``K^T M K > 0`` says that K is regular, so that nothing is lost.
"""

from contraction_checker.claim import Case
from contraction_checker.expressions import Expression
from contraction_checker.json_parts import fields, list_in, listed
from contraction_checker.matrices import Matrix, identity, square
from contraction_checker.moving_metric import MovingMetric, read_point_metric, successor_ranges
from contraction_checker.refusals import MalformedError
from contraction_checker.system import System
from contraction_checker.term_values import TermValues


def prove_in_point_metric(case: Case, system: System) -> None:
    """Prove the bound in a metric of the point from what the file writes of it in atoms.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If a statement is not proved.
    """
    metric = read_point_metric(case, system)
    part = fields(case.evidence, "rule cuts matrix weight", "congruence after let atoms")
    for key in ("cuts", "matrix", "weight"):
        listed(part[key])
    list_in(part, "after")
    if case.claim.is_flow and "after" in part:
        raise MalformedError("after: a flow has none")
    congruence = case.proof.definitions.read_all(list_in(part, "congruence"))
    if "congruence" in part and len(congruence) != system.rows**2:
        raise MalformedError("congruence: a term for each place")
    if case.claim.is_flow:
        _prove_flow(case, system, metric, congruence)
    else:
        _prove_step(case, system, metric, congruence)


def _prove_flow(
    case: Case, system: System, metric: MovingMetric, congruence: list[Expression]
) -> None:
    proof, b, n, evidence = case.proof, case.claim.bound, system.rows, case.evidence
    M, MJ = metric.M, metric.M @ system.jacobian
    K = _basis(proof.terms, congruence, n)
    proof.require_defined(congruence)
    motion = proof.written(evidence["matrix"], K.T @ (MJ + MJ.T + metric.dot) @ K, n, n)
    weight = proof.written(evidence["weight"], 2 * (K.T @ M @ K), n, n)
    proof.proves("M(x) > 0", weight, n, evidence["cuts"], strict=True)
    inequality = b * weight - motion
    proof.proves("2 b M - (Mdot + M J + J^T M) >= 0", inequality, n, evidence["cuts"])


def _prove_step(
    case: Case, system: System, metric: MovingMetric, congruence: list[Expression]
) -> None:
    proof, b, n, evidence = case.proof, case.claim.bound, system.rows, case.evidence
    there = successor_ranges(proof, system.written)
    for expression in (*system.written.metric, *congruence):  # M' and K' have to be defined, too
        there.evaluate(expression)
    M, after = metric.M, metric.after
    K = _basis(proof.terms, congruence, n)
    L = _basis(metric.later, congruence, n)  # K'
    proof.require_defined(congruence)
    link = proof.written(evidence["matrix"], L.T @ (after @ system.jacobian) @ K, n, n)
    weight = proof.written(evidence["weight"], K.T @ M @ K, n, n)
    proof.proves("M(x) > 0", weight, n, evidence["cuts"], strict=True)
    next_weight = proof.written(evidence["after"], L.T @ after @ L, n, n)
    proof.proves("M(f) > 0", next_weight, n, evidence["cuts"], strict=True)
    inequality = b * weight + (b * next_weight).shifted(n, n) + link.T.shifted(0, n)
    proof.proves("[[b M, J^T M'], [M' J, b M']] >= 0", inequality, 2 * n, evidence["cuts"])


def _basis(values: TermValues, congruence: list[Expression], n: int) -> Matrix:
    """K; the identity where the file writes none."""
    if not congruence:
        return identity(n)
    return square([values.evaluate(t) for t in congruence], n)
