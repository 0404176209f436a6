"""The numbers that a proof rests on, as a table from which a reader computes it again by hand."""

from __future__ import annotations

from riemannian_modules.claims.answer import Proved
from riemannian_modules.claims.certificate import Certificate
from riemannian_modules.claims.claim import Claim
from riemannian_modules.door import require
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.evidence.block_checks import BlockChecks
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.evidence.sparse_box import SparseBox
from riemannian_modules.evidence.verify import read_evidence


def proof_table(proof: Proved | Certificate) -> list[TableRow]:
    """The numbers of a proof by any rule, in the order in which they are used.

    Args:
        proof: What was proved, or its certificate.

    Raises:
        SignatureError: If it is neither.
        CertificateError: If the certificate is malformed.
    """
    claim, evidence = _opened("proof_table", proof)
    return list(evidence.rows(claim))


def network_table(proof: Proved | Certificate) -> list[TableRow]:
    """The numbers of a composite's proof in the order in which they were made.

    By the network rule: each block's own bound ("node") and each "gain"; the "weight" r_i as base-2
    logarithm; and each row of ``(C r)_i / r_i`` ("total"), the largest of which is the bound. By
    the signed rule: the diagonal of the metric ("weight") and each "range" of an atom, as two rows.

    Args:
        proof: A composite's proof, or its certificate.

    Raises:
        SignatureError: If it is neither.
        CertificateError: If the certificate is malformed.
        UnsupportedError: If the certificate is not one of a composite.
    """
    claim, evidence = _opened("network_table", proof)
    if not isinstance(evidence, (BlockChecks, SparseBox)):
        raise UnsupportedError("network_table reads certificates of certify_network.")
    return list(evidence.rows(claim))


def _opened(where: str, proof: Proved | Certificate) -> tuple[Claim, Evidence]:
    require(where, proof, (Proved, Certificate), "a proof (Proved) or its certificate")
    return read_evidence(proof.certificate if isinstance(proof, Proved) else proof)
