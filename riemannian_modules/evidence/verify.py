"""Verification: a certificate is proved again from its data alone, without any search."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from riemannian_modules.claims.answer import Answer, Estimated, Proved
from riemannian_modules.claims.certificate import Certificate, check_format, load_certificate
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.claim_data import claim_from_data
from riemannian_modules.claims.problem import Problem
from riemannian_modules.door import require
from riemannian_modules.errors import (
    CertificateError,
    MetricError,
    RiemannianError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.fitting import check_norm, with_metric
from riemannian_modules.evidence.registry import kind_of_evidence
from riemannian_modules.evidence.trajectories import verify_trajectories
from riemannian_modules.evidence.written_certificate import read_as_written

# What reading data raises that is not of the shape that its place asks for.
_MISFITS = (
    RiemannianError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError,
    RecursionError,
)  # fmt: skip


def verify(certificate: Certificate | Mapping[str, Any] | str | Path) -> Answer:
    """Prove a certificate's claim again, from its data alone.

    Args:
        certificate: A certificate, its data, or the path of its file.

    Returns:
        `Proved` with the same bound; or `Estimated` with the reason why it is not proved.

    Raises:
        CertificateError: If the data is truncated, inconsistent or of another version.
    """
    data = _opened(certificate)
    with _fitting_parts():
        try:
            return _verified(data)
        except UnsupportedError as fault:  # a map that may jump, or terms too long to multiply out
            return Estimated(None, str(fault))


@contextmanager
def _fitting_parts() -> Generator[None]:
    """Raise CertificateError for whatever data raises that is not of the shape of its place."""
    try:
        yield
    except (CertificateError, UnsupportedError):
        raise
    except _MISFITS as fault:
        raise CertificateError(
            f"certificate: its parts do not fit together ({type(fault).__name__}: {fault}). It may "
            "have been edited; make it again with `certify`."
        ) from None


def _opened(certificate: Certificate | Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    if isinstance(certificate, (str, Path)):
        certificate = load_certificate(certificate)
    require(
        "verify", certificate, (Certificate, Mapping), "a certificate, its data or a path",
        CertificateError,
    )  # fmt: skip
    return check_format(
        certificate.data if isinstance(certificate, Certificate) else dict(certificate),
        "certificate",
    )


def _verified(data: Mapping[str, Any]) -> Answer:
    claim = claim_from_data(data)
    kind = kind_of_evidence(data["evidence"], claim)
    try:
        _ = claim.norm.proved(), claim.input_norm is None or claim.input_norm.proved()
    except MetricError:
        return Estimated(None, "the metric of the certificate is not proved positive definite")
    fitted = fitted_claim(data, claim)
    reason = kind.read(data["evidence"], fitted).proves(fitted)
    if reason is not None:
        return Estimated(None, reason)
    # The words are derived again: a file cannot claim more in words than its numbers prove.
    proved = Proved(claim.bound, Certificate({**data, "claim": claim.to_data()}))
    if "trajectories" not in data["claim"]:
        return proved
    found = verify_trajectories(data, claim)
    if isinstance(found, Estimated):
        return found
    return replace(proved, certificate=found.certificate)


@lru_cache(maxsize=2)
def read_evidence(certificate: Certificate) -> tuple[Claim, Evidence]:
    """The claim and the evidence of a certificate that was proved; neither is proved again.

    The last ones are kept: a command shows, saves and draws the same proof.

    Raises:
        CertificateError: If the data is malformed.
    """
    data = _opened(certificate)
    with _fitting_parts():
        claim = claim_from_data(data)
        kind = kind_of_evidence(data["evidence"], claim)
        fitted = _fitted(claim)
        return fitted, kind.read(data["evidence"], fitted)


def fitted_claim(data: Mapping[str, Any], claim: Claim) -> Claim:
    """The claim with every condition under which its written terms are defined."""
    if isinstance(claim.system, Problem):
        claim = replace(claim, system=read_as_written(data, claim.system))
    return _fitted(claim)


def _fitted(claim: Claim) -> Claim:
    if not isinstance(claim.system, Problem):
        return claim
    try:
        check_norm(claim.system, claim.norm, claim.input_norm)
        return replace(claim, system=with_metric(claim.system, claim.norm))
    except (MetricError, SignatureError) as fault:
        raise CertificateError(f"claim.norm: {fault}") from None
