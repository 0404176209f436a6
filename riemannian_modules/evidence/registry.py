"""All kinds of evidence, by the word that names them in certificates.

Two kinds may share a word where the norm tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.claims.certificate import FORMAT, VERSION, Certificate
from riemannian_modules.claims.claim import Claim
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.block_checks import BlockChecks
from riemannian_modules.evidence.boxes import Boxes
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.slope_multipliers import SlopeMultipliers
from riemannian_modules.evidence.slope_sums import SlopeSums
from riemannian_modules.evidence.sparse_box import SparseBox
from riemannian_modules.evidence.squares import Squares

EVIDENCE: tuple[type[Evidence], ...] = (
    Boxes, SparseBox, Squares, BlockChecks, SlopeMultipliers, SlopeSums,
)  # fmt: skip
WORDS = tuple(dict.fromkeys(kind.word for kind in EVIDENCE))


def kind_of_evidence(data: object, claim: Claim) -> type[Evidence]:
    """The kind of evidence that a certificate gives for its claim.

    Raises:
        CertificateError: If its rule is unknown, or not one for the claim's system and norm.
    """
    word = data.get("rule") if isinstance(data, dict) else None
    if word not in WORDS:
        raise CertificateError(
            f"evidence: expected a rule among {', '.join(WORDS)}, got {word!r:.60}."
        )
    for kind in EVIDENCE:
        fits = isinstance(claim.system, kind.system) and isinstance(claim.norm, kind.norms)
        if kind.word == word and fits:
            return kind
    raise CertificateError(
        f"evidence: the rule {word!r} is not one for a {type(claim.norm).__name__} norm of a "
        f"{type(claim.system).__name__}."
    )


def certificate_of(claim: Claim, evidence: Evidence) -> Certificate:
    """A claim and its evidence as data; the words are derived from the numbers."""
    data: Mapping[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "claim": claim.to_data(),
        "region": claim.system.region_to_data(),
        "system": claim.system.to_data(),
        "evidence": {"rule": evidence.word, **evidence.to_data(claim)},
    }
    return Certificate(data)
