"""Verification: a certificate is proved again from its data alone, without any search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.expression_data import expressions_from_data
from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.certificate import (
    Certificate,
    check_format,
    load_certificate,
    norm_from_data,
    number_from_data,
    region_from_data,
    region_in_words,
    statement_of,
)
from riemannian_modules.certify.certify import check_norm, overshoot
from riemannian_modules.certify.criterion import make_criterion
from riemannian_modules.certify.decide import boxes_prove
from riemannian_modules.certify.network import verify_network
from riemannian_modules.certify.norms import L2, Norm
from riemannian_modules.certify.problem import Problem, require_continuous
from riemannian_modules.certify.subdivide import leaves_of
from riemannian_modules.door import require
from riemannian_modules.errors import CertificateError, MetricError, SignatureError
from riemannian_modules.modules.module import Time

_TIMES = {"flow": Time.CONTINUOUS, "step": Time.DISCRETE, "map": Time.STATIC}


def verify(certificate: Certificate | Mapping[str, Any] | str | Path) -> Answer:
    """Prove a certificate's claim again, from its data alone.

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
        or claim.get("kind") not in list(_TIMES)
        or not isinstance(evidence, dict)
    ):
        raise CertificateError(
            "certificate: 'claim' needs a kind of flow, step or map, and 'evidence' a mapping."
        )
    if evidence.get("rule") == "network":
        return verify_network(data)
    problem = _problem(data, _TIMES[claim["kind"]])
    norm = norm_from_data(claim.get("norm"), len(problem.map), "claim.norm")
    input_norm = None
    if "input_norm" in claim:
        input_norm = norm_from_data(claim["input_norm"], len(problem.variables), "claim.input_norm")
        if not isinstance(input_norm, L2):
            raise CertificateError("claim.input_norm: expected a norm of type 'l2'.")
    _refuse_unknown(claim, {"statement", "kind", "bound", "norm", "input_norm"}, "claim")
    _refuse_unknown(evidence, {"rule", "cuts"}, "evidence")
    b = number_from_data(claim.get("bound"), "claim.bound")
    for given in (norm, input_norm):
        if isinstance(given, L2) and not _is_metric(given):
            return Estimated(None, "the metric of the certificate is not proved positive definite")
    if evidence.get("rule") != "monolithic":
        raise CertificateError(
            f"evidence: expected the rule 'monolithic', got {evidence.get('rule')!r}."
        )
    try:
        check_norm(problem, norm, input_norm)
    except (MetricError, SignatureError) as fault:
        raise CertificateError(f"claim.norm: {fault}") from None
    try:
        lower, upper = leaves_of(_cuts(evidence.get("cuts")), problem.lower, problem.upper)
    except ValueError as fault:
        raise CertificateError(f"evidence.cuts: {fault}") from None
    held = boxes_prove(problem, make_criterion(problem, norm, input_norm), lower, upper, b)
    if not held.all():
        return Estimated(
            None, f"{int((~held).sum())} of {len(held)} boxes of the certificate are not proved"
        )
    return _proved(data, problem, norm, input_norm, b)


def _problem(data: Mapping[str, Any], time: Time) -> Problem:
    expressions = expressions_from_data(data["system"], "system", CertificateError)
    require_continuous(expressions, "certificate")
    symbols = expressions.state + expressions.inputs + expressions.parameters
    lower, upper = region_from_data(data["region"], [v.name for v in symbols])
    problem = Problem(time, expressions, lower, upper)
    if len(expressions.dx) != len(expressions.state) or (time is Time.STATIC) == bool(
        expressions.state
    ):
        raise CertificateError("system: the state and its derivative do not fit the kind of claim.")
    if not problem.map or not problem.variables:
        raise CertificateError("system: there is nothing to contract.")
    return problem


def _refuse_unknown(part: Mapping[str, Any], known: set[str], where: str) -> None:
    # What is not proved must not be shown as if it were.
    unknown = sorted(set(part) - known)
    if unknown:
        raise CertificateError(f"{where}: unknown keys {unknown}; known are {sorted(known)}.")


def _is_metric(norm: L2) -> bool:
    return np.array_equal(norm.metric, norm.metric.T) and bool(is_positive_definite(norm.metric))


def _cuts(data: object) -> list[tuple[int, float] | None]:
    if not isinstance(data, list) or not data:
        raise CertificateError("evidence.cuts: expected a list with at least one entry.")
    cuts: list[tuple[int, float] | None] = []
    for entry in data:
        if entry is None:
            cuts.append(None)
        elif isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int:
            cuts.append((entry[0], number_from_data(entry[1], "evidence.cuts")))
        else:
            raise CertificateError(
                f"evidence.cuts: expected null or [side, place], got {entry!r:.60}."
            )
    return cuts


def _proved(
    data: Mapping[str, Any], problem: Problem, norm: Norm, input_norm: L2 | None, b: float
) -> Proved:
    bound: Bound = LogNormBound(b) if problem.is_flow else LipschitzBound(b)
    region = region_in_words(problem.coordinates, problem.lower.tolist(), problem.upper.tolist())
    # The words are derived again: a file cannot claim more in words than its numbers prove.
    claim = {
        **data["claim"],
        "statement": statement_of(
            data["claim"]["kind"], bound, norm, input_norm, overshoot(norm), region
        ),
    }
    return Proved(bound, Certificate({**data, "claim": claim}))
