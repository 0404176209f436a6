"""Proofs from files: each is proved again from its certificate before it is called one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from riemannian_modules.certify import Certificate, Curve, Estimated, Proved, Trajectories, verify
from riemannian_modules.claims.certificate import check_format
from riemannian_modules.claims.claim_data import claim_from_data
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.trajectories import verify_trajectories
from riemannian_modules.modules.sampling_time import checked_sampling_time


def certificate_from_data(data: Any) -> Certificate:
    """A certificate, of which nothing is believed yet."""
    return Certificate(check_format(data, "certificate"))


def proof_from_data(data: Any) -> Proved:
    """A proof whose claim was proved again.

    Raises:
        CertificateError: If the file does not prove what it claims.
    """
    answer = verify(certificate_from_data(data))
    if not isinstance(answer, Proved):
        raise CertificateError(
            "certificate: its data do not prove what it claims, so it is not read as a proof; "
            "make it again with `certify`."
        )
    return answer


def proof_to_data(proof: Proved) -> Any:
    """A proof's certificate, and how long a step of its module takes."""
    step = proof.sampling_time
    return {
        "certificate": dict(proof.certificate.data),
        "sampling_time": None if step is None else [step.length, step.unit],
    }


def proof_from_saved(data: Any) -> Proved:
    """What `proof_to_data` wrote, proved again."""
    step = checked_sampling_time("proof", data["sampling_time"])
    return replace(proof_from_data(data["certificate"]), sampling_time=step)


def trajectories_from_data(data: Any) -> Trajectories:
    """What is proved of trajectories, proved again.

    Raises:
        CertificateError: If the certificate does not hold, or claims nothing of trajectories.
    """
    proof_from_data(data)
    if "trajectories" not in data["claim"]:
        raise CertificateError("certificate: it claims nothing of an invariant ball.")
    found = verify_trajectories(data, claim_from_data(data))
    if isinstance(found, Estimated):  # pragma: no cover - `verify` has just proved it
        raise CertificateError(f"certificate: {found.reason}")
    return found


def curve_to_data(curve: Curve) -> Any:
    """The conditions and certificates of a curve; the rest follows from them."""
    certificates = [None if c is None else dict(c.data) for c in curve.certificates]
    return {"conditions": curve.conditions.tolist(), "certificates": certificates}


def curve_from_data(data: Any) -> Curve:
    """A curve whose points were proved again.

    Raises:
        CertificateError: If a point has neither a certificate nor null.
    """
    conditions, rows = np.array(data["conditions"], dtype=np.float64), data["certificates"]
    proofs = [None if row is None else proof_from_data(row) for row in rows]
    sizes = {len(_metric(p)) for p in proofs if p is not None}
    if conditions.shape != (len(proofs),) or len(sizes) > 1:
        raise CertificateError("curve: expected a certificate, or null, for each condition number.")
    n = sizes.pop() if sizes else 0
    nothing = np.full((n, n), np.nan)
    return Curve(
        conditions,
        np.array([np.nan if p is None else _number(p) for p in proofs]),
        np.array([nothing if p is None else _metric(p) for p in proofs]).reshape(-1, n, n),
        tuple(None if p is None else p.certificate for p in proofs),
    )


def _number(proof: Proved) -> float:
    is_flow = proof.certificate.data["claim"]["kind"] == "flow"
    return proof.rate if is_flow else proof.factor


def _metric(proof: Proved) -> Any:
    return np.array(proof.certificate.data["claim"]["norm"]["metric"], dtype=np.float64)
