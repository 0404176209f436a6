"""The rule ``monolithic``: one matrix inequality for the whole system, on every leaf of cuts."""

from contraction_checker.claim import Case, constant_metric
from contraction_checker.invariant_ball import prove_trajectories
from contraction_checker.json_parts import fields, listed
from contraction_checker.refusals import MalformedError
from contraction_checker.rules.constant_metric import prove_gain, prove_rate
from contraction_checker.rules.point_metric import prove_in_point_metric
from contraction_checker.rules.weighted_sums import prove_weighted_sums
from contraction_checker.system import System, read_system


def prove_monolithic(case: Case) -> None:
    """Prove the bound from the Jacobian that the file writes in atoms.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If a statement is not proved.
    """
    system = read_system(case)
    if case.claim.has_metric_of_the_point():
        prove_in_point_metric(case, system)
    else:
        _prove_in_constant_norm(case, system)
    prove_trajectories(case, system.written)


def _prove_in_constant_norm(case: Case, system: System) -> None:
    claim, proof, n, m = case.claim, case.proof, system.rows, system.columns
    part = fields(case.evidence, "rule cuts jacobian", "let atoms")
    cuts = listed(part["cuts"])
    jacobian = proof.written(part["jacobian"], system.jacobian, n, m)
    sort = claim.norm["type"]
    if sort in ("l1", "linf"):
        if n != m:
            raise MalformedError("weighted sums are those of square Jacobians")
        rows = jacobian if sort == "linf" else jacobian.T
        prove_weighted_sums(case, rows, n, cuts)
        return
    M = constant_metric(claim.norm, n)
    if claim.is_flow:
        prove_rate(proof, "the bound", claim.bound, M, jacobian, n, cuts)
    else:
        N = claim.input_metric(m, M)
        prove_gain(proof, "the bound", claim.bound, ((N, m), (M, n)), jacobian, cuts)
