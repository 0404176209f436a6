"""Certificates of the signed rule: a monolithic claim in a sparse l2 metric, on one leaf."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.expression_data import terms_from_data, terms_to_data
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.branching.subdivide import leaves_of
from riemannian_modules.certify.certificate import Certificate
from riemannian_modules.certify.certificate_data import (
    cuts_from_data,
    cuts_to_data,
    finite_from_data,
    number_from_data,
    number_to_data,
    refuse_unknown,
)
from riemannian_modules.certify.networks.blocks import Blocks
from riemannian_modules.certify.networks.leaves import NO_CUTS
from riemannian_modules.certify.networks.network_claim import claim_of
from riemannian_modules.certify.networks.network_proof import SignedRule
from riemannian_modules.certify.networks.signed import is_sparse_metric, signed_proves, signed_test
from riemannian_modules.certify.networks.sparse_form import Entries
from riemannian_modules.certify.problem_data import problem_from_data
from riemannian_modules.certify.statement import bound_of
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array


def sparse_norm(size: int, metric: Entries) -> dict[str, Any]:
    """The metric by its entries on and above the diagonal; they are doubles."""
    return {
        "type": "l2",
        "size": size,
        "entries": [[i, j, float(v)] for (i, j), v in metric.items() if i <= j],
    }


def is_sparse_claim(data: Mapping[str, Any]) -> bool:
    """Whether a certificate claims its bound in a sparse metric."""
    norm = data["claim"].get("norm")
    return isinstance(norm, dict) and "entries" in norm


def signed_evidence(blocks: Blocks, rule: SignedRule) -> dict[str, Any]:
    """One leaf, and the ranges of atoms that had to be cut."""
    evidence: dict[str, Any] = {"rule": "monolithic", "cuts": [None]}
    ranges = [
        {
            "term": terms_to_data(_used(atom), [atom]),
            "lower": number_to_data(known.lower),
            "upper": number_to_data(known.upper),
            "cuts": cuts_to_data(known.cuts),
        }
        for atom, known in zip(blocks.jacobian.atoms, rule.atoms.ranges, strict=True)
        if known.cuts != NO_CUTS
    ]
    return evidence | ({"ranges": ranges} if ranges else {})


def _used(atom: Any) -> list[Any]:
    return sorted(atom.free_symbols, key=lambda s: s.name)


def verify_signed(data: Mapping[str, Any]) -> Answer:
    """Prove a certificate with a sparse metric again from its data alone; see `verify`."""
    claim = refuse_unknown(
        data["claim"], {"statement", "symbols", "kind", "bound", "norm"}, "claim"
    )
    if claim["kind"] not in ("flow", "step"):
        raise CertificateError("claim.kind: a sparse metric is for flows and steps.")
    problem = problem_from_data(data, claim["kind"])
    b = finite_from_data(claim.get("bound"), "claim.bound")
    n = len(problem.map)
    metric = _metric(claim.get("norm"), n)
    evidence = refuse_unknown(data["evidence"], {"rule", "cuts", "ranges"}, "evidence")
    if cuts_from_data(evidence.get("cuts"), "evidence.cuts") != [None]:
        raise CertificateError("evidence.cuts: with a sparse metric, the region is one leaf.")
    if not is_sparse_metric(n, metric):
        return Estimated(None, "the metric of the certificate is not proved positive definite")
    if not problem.is_defined:
        return Estimated(None, "the map may be undefined somewhere in the region")
    blocks = Blocks(problem, tuple((i,) for i in range(n)))
    low, high = _known(evidence.get("ranges", []), blocks)
    if np.isnan(low).any() or not signed_proves(signed_test(blocks, metric), low, high, b):
        return Estimated(None, "the one box of the certificate is not proved")
    words = claim_of(problem, claim["kind"], b, claim["norm"])
    return Proved(bound_of(claim["kind"], b), Certificate({**data, "claim": words}))


def _metric(data: object, n: int) -> Entries:
    norm = refuse_unknown(data, {"type", "size", "entries"}, "claim.norm")
    rows = norm.get("entries")
    if norm.get("type") != "l2" or norm.get("size") != n or not isinstance(rows, list):
        raise CertificateError(f"claim.norm: expected type 'l2', size {n} and a list of entries.")
    metric: Entries = {}
    for row in rows:
        if not (
            isinstance(row, list)
            and len(row) == 3
            and all(type(i) is int for i in row[:2])
            and 0 <= row[0] <= row[1] < n
            and (row[0], row[1]) not in metric
        ):
            raise CertificateError(
                f"claim.norm.entries: expected [i, j, value] with i <= j, once, got {row!r:.60}."
            )
        value = Fraction(finite_from_data(row[2], "claim.norm.entries"))
        metric[row[0], row[1]] = metric[row[1], row[0]] = value
    return metric


def _known(data: object, blocks: Blocks) -> tuple[Array, Array]:
    """The atoms' ranges over the region: plain ones, cut by those that the evidence proves."""
    where, problem, atoms = "evidence.ranges", blocks.problem, blocks.jacobian.atoms
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list.")
    sides = problem.lower[None], problem.upper[None]
    plain = [blocks.ranges.plain(atom, *sides) for atom in atoms]
    low = np.array([float(p[0][0]) for p in plain])
    high = np.array([float(p[1][0]) for p in plain])
    place = {atom: j for j, atom in enumerate(atoms)}
    for entry in data:
        part = refuse_unknown(entry, {"term", "lower", "upper", "cuts"}, where)
        terms = terms_from_data(part.get("term"), problem.symbols, where, CertificateError)
        if len(terms) != 1 or terms[0] not in place:
            raise CertificateError(f"{where}: expected one term of the Jacobian.")
        ends = [number_from_data(part.get(key), where) for key in ("lower", "upper")]
        try:
            boxes = leaves_of(cuts_from_data(part.get("cuts"), where), *(s[0] for s in sides))
        except ValueError as fault:
            raise CertificateError(f"{where}: {fault}") from None
        bottom, top = blocks.ranges.plain(terms[0], *boxes)
        if not ((bottom >= ends[0]) & (top <= ends[1])).all():
            raise CertificateError(f"{where}: the range of {str(terms[0])[:60]} is not proved.")
        j = place[terms[0]]
        if not np.isnan(low[j]):
            low[j], high[j] = max(low[j], ends[0]), min(high[j], ends[1])
    return low, high
