"""Certificates of the signed rule: a monolithic claim in a sparse l2 metric, on one leaf."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.atom_data import EvidenceWriter, ranges_from_data
from riemannian_modules.certify.certificate import Certificate
from riemannian_modules.certify.certificate_data import (
    bound_from_data,
    cuts_from_data,
    cuts_to_data,
    finite_from_data,
    refuse_unknown,
)
from riemannian_modules.certify.evidence import leaves_from_data
from riemannian_modules.certify.networks.blocks import Blocks
from riemannian_modules.certify.networks.leaves import NO_CUTS
from riemannian_modules.certify.networks.network_claim import claim_of
from riemannian_modules.certify.networks.network_proof import SignedRule
from riemannian_modules.certify.networks.signed import is_sparse_metric, signed_proves, signed_test
from riemannian_modules.certify.networks.sparse_form import Entries
from riemannian_modules.certify.problem_data import problem_from_data
from riemannian_modules.certify.statement import bound_of
from riemannian_modules.certify.written_certificate import read_as_written
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array


def sparse_norm(metric: Entries) -> dict[str, Any]:
    """The metric by its entries that are not zero; they are doubles."""
    entries = [[i, j, float(v)] for (i, j), v in metric.items()]
    return {"type": "l2", "metric": {"entries": entries}}


def is_sparse_claim(data: Mapping[str, Any]) -> bool:
    """Whether a certificate claims its bound in a sparse metric."""
    norm = data["claim"].get("norm")
    return isinstance(norm, dict) and isinstance(norm.get("metric"), dict)


def signed_evidence(blocks: Blocks, rule: SignedRule) -> dict[str, Any]:
    """One leaf, and the ranges of atoms that had to be cut."""
    pairs = zip(blocks.jacobian.atoms, rule.atoms.ranges, strict=True)
    ranges = {atom: known for atom, known in pairs if known.cuts != NO_CUTS}
    writer = EvidenceWriter(blocks.problem.symbols, ranges, blocks.ranges.slopes)
    jacobian = writer.matrix(blocks.jacobian)
    return {"rule": "monolithic", "cuts": [None], **writer.data(), "jacobian": jacobian}


def verify_signed(data: Mapping[str, Any]) -> Answer:
    """Prove a certificate with a sparse metric again from its data alone; see `verify`."""
    claim = refuse_unknown(
        data["claim"], {"statement", "symbols", "kind", "bound", "norm", "trajectories"}, "claim"
    )
    if claim["kind"] not in ("flow", "step"):
        raise CertificateError("claim.kind: a sparse metric is for flows and steps.")
    problem = read_as_written(data, problem_from_data(data, claim["kind"]))
    b = bound_from_data(claim)
    n = len(problem.map)
    metric = sparse_metric_from_data(claim.get("norm"), n)
    evidence = refuse_unknown(
        data["evidence"], {"rule", "cuts", "let", "atoms", "jacobian"}, "evidence"
    )
    if cuts_from_data(evidence.get("cuts"), "evidence.cuts") != [None]:
        raise CertificateError("evidence.cuts: with a sparse metric, the region is one leaf.")
    if not is_sparse_metric(n, metric):
        return Estimated(None, "the metric of the certificate is not proved positive definite")
    if not problem.is_defined:
        return Estimated(None, "the map may be undefined somewhere in the region")
    blocks = Blocks(problem, tuple((i,) for i in range(n)))
    low, high = _known(evidence, blocks)
    if np.isnan(low).any() or not signed_proves(signed_test(blocks, metric), low, high, b):
        return Estimated(None, "the one box of the certificate is not proved")
    words = claim_of(problem, claim["kind"], b, claim["norm"])
    return Proved(bound_of(claim["kind"], b), Certificate({**data, "claim": words}))


def sparse_metric_from_data(data: object, n: int) -> Entries:
    """The entries of a sparse metric; its definiteness is for the caller to prove.

    Raises:
        CertificateError: For data that is malformed.
    """
    norm = refuse_unknown(data, {"type", "metric"}, "claim.norm")
    where = "claim.norm.metric"
    rows = refuse_unknown(norm.get("metric"), {"entries"}, where).get("entries")
    if norm.get("type") != "l2" or not isinstance(rows, list):
        raise CertificateError(f"{where}: expected type 'l2' and a list of entries.")
    metric: Entries = {}
    for row in rows:
        if not (
            isinstance(row, list)
            and len(row) == 3
            and all(type(i) is int and 0 <= i < n for i in row[:2])
            and (row[0], row[1]) not in metric
        ):
            raise CertificateError(
                f"{where}: expected [i, j, value] below {n}, each place once, got {row!r:.60}."
            )
        metric[row[0], row[1]] = Fraction(finite_from_data(row[2], where))
    if any(metric.get((j, i)) != value for (i, j), value in metric.items()):
        raise CertificateError(f"{where}: expected a symmetric matrix.")
    return metric


def _known(evidence: Mapping[str, Any], blocks: Blocks) -> tuple[Array, Array]:
    """The atoms' ranges over the region: plain ones, cut by those that the evidence proves."""
    problem, atoms = blocks.problem, blocks.jacobian.atoms
    sides = problem.lower[None], problem.upper[None]
    plain = [blocks.ranges.plain(atom, *sides) for atom in atoms]
    low = np.array([float(p[0][0]) for p in plain])
    high = np.array([float(p[1][0]) for p in plain])
    place = {atom: j for j, atom in enumerate(atoms)}
    for atom, known in ranges_from_data(evidence, problem.symbols):
        boxes = leaves_from_data(cuts_to_data(known.cuts), problem, "evidence.atoms")
        bottom, top = blocks.ranges.plain(atom, *boxes)
        if not ((bottom >= known.lower) & (top <= known.upper)).all():
            raise CertificateError(f"evidence.atoms: the range of {str(atom)[:60]} is not proved.")
        j = place.get(atom)
        if j is not None and not np.isnan(low[j]):
            low[j], high[j] = max(low[j], known.lower), min(high[j], known.upper)
    return low, high
