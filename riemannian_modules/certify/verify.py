"""Verification: a certificate is proved again from its data alone, without any search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.certificate import Certificate, check_format, load_certificate
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    bound_from_data,
    norm_from_data,
    refuse_unknown,
)
from riemannian_modules.certify.claim import check_norm, claim_to_data, with_metric
from riemannian_modules.certify.decide import boxes_prove
from riemannian_modules.certify.equilibria.trajectories import verify_trajectories
from riemannian_modules.certify.evidence import evidence_from_data
from riemannian_modules.certify.networks.network_data import verify_network
from riemannian_modules.certify.networks.signed_data import is_sparse_claim, verify_signed
from riemannian_modules.certify.neural.slopes import verify_slopes
from riemannian_modules.certify.norms import L2, FieldL2, Norm, proved_norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.problem_data import TIMES, problem_from_data
from riemannian_modules.certify.squares.square_rule import squares_hold
from riemannian_modules.certify.statement import bound_of
from riemannian_modules.certify.symmetry.horizontal import Horizontal
from riemannian_modules.certify.symmetry.quotient import check_horizontal
from riemannian_modules.certify.written_certificate import read_as_written
from riemannian_modules.door import require
from riemannian_modules.errors import (
    CertificateError,
    MetricError,
    RiemannianError,
    SignatureError,
    UnsupportedError,
)

# What reading data raises that is not of the shape that its place asks for.
_MISFITS = (
    RiemannianError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError,
    RecursionError,
)  # fmt: skip
_CLAIM = {
    *("statement", "symbols", "kind", "bound", "norm", "input_norm"),
    *("horizontal", "trajectories"),
}


def verify(certificate: Certificate | Mapping[str, Any] | str | Path) -> Answer:
    """Prove a certificate's claim again, from its data alone.

    Args:
        certificate: A certificate, its data, or the path of its file.

    Returns:
        `Proved` with the same bound; or `Estimated` with the reason why it is not proved.

    Raises:
        CertificateError: If the data is truncated, inconsistent or of another version.
    """
    if isinstance(certificate, (str, Path)):
        certificate = load_certificate(certificate)
    require(
        "verify", certificate, (Certificate, Mapping), "a certificate, its data or a path",
        CertificateError,
    )  # fmt: skip
    data = check_format(
        certificate.data if isinstance(certificate, Certificate) else dict(certificate),
        "certificate",
    )
    claim, evidence = data["claim"], data["evidence"]
    if (
        not isinstance(claim, dict)
        or claim.get("kind") not in list(TIMES)
        or not isinstance(evidence, dict)
    ):
        raise CertificateError(
            "certificate: 'claim' needs a kind of flow, step or map, and 'evidence' a mapping."
        )
    verifier = _VERIFIERS.get(str(evidence.get("rule")))
    if verifier is None:
        raise CertificateError(
            f"evidence: expected a rule among {', '.join(_VERIFIERS)}, got "
            f"{evidence.get('rule')!r:.60}."
        )
    try:
        answer = verifier(data)
        if not isinstance(answer, Proved) or "trajectories" not in claim:
            return answer
        found = verify_trajectories(data, claimed_problem(data))
    except CertificateError:
        raise
    except UnsupportedError as fault:  # a map that may jump, or terms beyond what is multiplied out
        return Estimated(None, str(fault))
    except _MISFITS as fault:
        raise CertificateError(
            f"certificate: its parts do not fit together ({type(fault).__name__}: {fault}). It may "
            "have been edited; make it again with `certify`."
        ) from None
    if isinstance(found, Estimated):
        return found
    return Proved(answer.bound, found.certificate)


def verify_monolithic(data: Mapping[str, Any]) -> Answer:
    """Prove a claim about one system of expressions again, leaf by leaf; see `verify`."""
    if is_sparse_claim(data):
        return verify_signed(data)
    claim = refuse_unknown(data["claim"], _CLAIM, "claim")
    problem = read_as_written(data, claimed_problem(data))
    norm = norm_from_data(claim.get("norm"), problem.size, "claim.norm", problem.symbols)
    input_norm = None
    if "input_norm" in claim:
        input_norm = norm_from_data(claim["input_norm"], len(problem.variables), "claim.input_norm")
        if not isinstance(input_norm, L2):
            raise CertificateError("claim.input_norm: expected a norm of type 'l2'.")
    b = bound_from_data(claim)
    for given in (norm, input_norm):
        try:
            _ = given is None or proved_norm(given)
        except MetricError:
            return Estimated(None, "the metric of the certificate is not proved positive definite")
    try:
        check_norm(problem, norm, input_norm)
        problem = with_metric(problem, norm)
    except (MetricError, SignatureError) as fault:
        raise CertificateError(f"claim.norm: {fault}") from None
    reason = _unproved(data["evidence"], problem, norm, input_norm, b)
    if reason is not None:
        return Estimated(None, reason)
    # The words are derived again: a file cannot claim more in words than its numbers prove.
    words = claim_to_data(problem, norm, input_norm, b)
    return Proved(bound_of(claim["kind"], b), Certificate({**data, "claim": words}))


def _unproved(
    evidence: Mapping[str, Any], problem: Problem, norm: Norm, input_norm: L2 | None, b: float
) -> str | None:
    """Why the evidence does not prove the bound, or None if it does."""
    if evidence["rule"] == "sos":
        if not isinstance(norm, (L2, FieldL2)):
            raise CertificateError("evidence: sums of squares are for l2 norms.")
        holds = squares_hold(problem, norm, b, evidence, input_norm)
        return None if holds else "the sums of squares of the certificate are not proved"
    criterion, lower, upper = evidence_from_data(evidence, problem, norm, input_norm)
    held = boxes_prove(problem, criterion, lower, upper, b)
    if held.all():
        return None
    return f"{int((~held).sum())} of {len(held)} boxes of the certificate are not proved"


def claimed_problem(data: Mapping[str, Any]) -> Problem:
    """The problem that a certificate of a system of expressions speaks of."""
    claim = data["claim"]
    problem = problem_from_data(data, claim["kind"])
    return problem if "horizontal" not in claim else _horizontal(problem, claim["horizontal"])


def _horizontal(problem: Problem, data: object) -> Problem:
    part = refuse_unknown(data, {"L", "R", "kind"}, "claim.horizontal")
    n, rows = len(problem.map), part.get("L")
    k = len(rows) if isinstance(rows, list) else 0
    if not 0 < k <= n or part.get("kind") not in ("conservation", "symmetry"):
        raise CertificateError("claim.horizontal: expected L (k, n), R (n, k) and a known kind.")
    L = array_from_data(part.get("L"), (k, n), "claim.horizontal.L")
    R = array_from_data(part.get("R"), (n, k), "claim.horizontal.R")
    horizontal = Horizontal(L, R, part["kind"])
    if not check_horizontal(problem, horizontal):
        raise CertificateError(
            "claim.horizontal: L R = I, or the identity of its kind, is not proved for the system."
        )
    return replace(problem, horizontal=horizontal)


_VERIFIERS = {
    "monolithic": verify_monolithic,
    "sos": verify_monolithic,
    "network": verify_network,
    "slopes": verify_slopes,
    "sums": verify_slopes,
}
