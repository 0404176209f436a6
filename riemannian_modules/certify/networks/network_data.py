"""Certificates of large systems in blocks: written, and proved again from their data alone.

Two shapes. By the network rule: a block norm, a check for every block of the Jacobian that is not
zero, and ``C r <= b r`` in exact rationals. By the signed rule: a monolithic certificate whose l2
metric is sparse, decided on one leaf by sparse definiteness. Nothing is searched here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.expression_data import PLAIN, expressions_to_data
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.atom_data import EvidenceWriter
from riemannian_modules.certify.branching.subdivide import leaves_of
from riemannian_modules.certify.certificate import FORMAT, VERSION, Certificate
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    bound_from_data,
    cuts_from_data,
    cuts_to_data,
    number_from_data,
    refuse_unknown,
    region_to_data,
)
from riemannian_modules.certify.evidence import proved_ranges
from riemannian_modules.certify.networks.blocks import BlockBound, Blocks
from riemannian_modules.certify.networks.comparison import (
    Comparison,
    Weights,
    sparse_comparison_bound,
)
from riemannian_modules.certify.networks.leaves import NO_CUTS
from riemannian_modules.certify.networks.network_claim import claim_of
from riemannian_modules.certify.networks.network_proof import NetworkRule, Rule
from riemannian_modules.certify.networks.signed_data import signed_evidence, sparse_norm
from riemannian_modules.certify.problem_data import problem_from_data
from riemannian_modules.certify.statement import bound_of
from riemannian_modules.certify.written_certificate import read_as_written
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array

_CLAIM = {"statement", "symbols", "kind", "bound", "norm", "trajectories"}


@final
@dataclass(frozen=True, slots=True, eq=False)
class BlockNorm:
    """``max |z_k|_{M_k} / r_k`` (linf) or ``sum l_k |z_k|_{M_k}`` (l1) over groups of the state."""

    combine: Literal["linf", "l1"]
    groups: tuple[tuple[int, ...], ...]
    metrics: Sequence[Array]
    weights: Weights


def network_to_data(blocks: Blocks, rule: Rule, b: float) -> dict[str, Any]:
    """A certificate's data for a rule's proof of the bound b."""
    problem, kind = blocks.problem, "flow" if blocks.problem.is_flow else "step"
    if isinstance(rule, NetworkRule):
        norm, evidence = _blocks_norm(blocks, rule), _network_evidence(blocks, rule)
    else:
        norm, evidence = sparse_norm(rule.metric), signed_evidence(blocks, rule)
    return {
        "format": FORMAT,
        "version": VERSION,
        "claim": claim_of(problem, kind, b, norm),
        "region": region_to_data(
            problem.coordinates, problem.lower, problem.upper, problem.constraints
        ),
        "system": {"type": "expressions", **expressions_to_data(problem.expressions, PLAIN)},
        "evidence": evidence,
    }


def _blocks_norm(blocks: Blocks, rule: NetworkRule) -> dict[str, Any]:
    weights = rule.weights
    norm: dict[str, Any] = {
        "type": "blocks",
        "combine": "linf",
        "groups": [list(group) for group in blocks.groups],
        "metrics": [M.tolist() for M in rule.metrics],
    }
    plain = weights.floats
    if plain is not None:
        return norm | {"weights": plain.tolist()}
    # Down a long cascade weights grow beyond doubles: each is its number times 2^exponent.
    return norm | {"weights": weights.values.tolist(), "exponents": weights.exponents.tolist()}


def _network_evidence(blocks: Blocks, rule: NetworkRule) -> dict[str, Any]:
    writer = EvidenceWriter(blocks.problem.symbols, slopes=blocks.ranges.slopes)
    jacobian = writer.matrix(blocks.jacobian)
    return {
        "rule": "network",
        "checks": [
            {"to": a, "from": b, "bound": check.bound, "cuts": cuts_to_data(check.cuts)}
            for (a, b), check in rule.checks.items()
        ],
        **writer.data(),
        "jacobian": jacobian,
    }


def verify_network(data: Mapping[str, Any]) -> Answer:
    """Prove a network certificate again from its data alone; see `verify`."""
    claim = refuse_unknown(data["claim"], _CLAIM, "claim")
    if claim["kind"] not in ("flow", "step"):
        raise CertificateError("claim.kind: the network rule is for flows and steps.")
    problem = read_as_written(data, problem_from_data(data, claim["kind"]))
    b = bound_from_data(claim)
    norm = block_norm_from_data(claim.get("norm"), len(problem.map))
    groups, metrics, weights = norm.groups, norm.metrics, norm.weights
    evidence = refuse_unknown(
        data["evidence"], {"rule", "checks", "let", "atoms", "jacobian"}, "evidence"
    )
    checks = _checks(evidence.get("checks"), len(groups))
    proved_ranges(evidence, problem)  # the blocks need none of them: a file is proved as a whole
    for a, M in enumerate(metrics):
        if not (np.array_equal(M, M.T) and is_positive_definite(M)):
            return Estimated(None, f"the metric of block {a} is not proved positive definite")
    blocks = Blocks(problem, groups)
    reason = _unproved(blocks, metrics, checks)
    if reason is None:
        entries = {place: check.bound for place, check in checks.items()}
        C = Comparison(len(groups), entries)
        own = sparse_comparison_bound(C if norm.combine == "linf" else C.transposed, weights)
        reason = None if own <= b else f"the network rule gives {own:.17g}, not {b:.17g}"
    if reason is not None:
        return Estimated(None, reason)
    words = claim_of(problem, claim["kind"], b, claim["norm"])
    return Proved(bound_of(claim["kind"], b), Certificate({**data, "claim": words}))


def _unproved(
    blocks: Blocks, metrics: Sequence[Array], checks: Mapping[tuple[int, int], BlockBound]
) -> str | None:
    """Why the checks do not prove the comparison matrix, or None where they do."""
    problem = blocks.problem
    if not problem.is_defined:
        return "the map may be undefined somewhere in the region"
    missing = [place for place in blocks.forms if place not in checks]
    if missing:
        return f"the Jacobian's block {missing[0]} has no check"
    known: dict[Any, bool] = {}
    for (a, b), check in checks.items():
        key = blocks.key(a, b, metrics[a], metrics[b], check)
        if key not in known:
            try:
                boxes = leaves_of(list(check.cuts), problem.lower, problem.upper)
            except ValueError as fault:
                raise CertificateError(f"evidence.checks: {fault}") from None
            known[key] = blocks.proves(a, b, metrics[a], metrics[b], check.bound, boxes)
        if not known[key]:
            return f"the bound {check.bound:.17g} of the Jacobian's block {(a, b)} is not proved"
    return None


def block_norm_from_data(data: object, size: int) -> BlockNorm:
    """The norm that a network certificate claims its bound in; definiteness is for the caller.

    Raises:
        CertificateError: For data that is malformed.
    """
    norm = refuse_unknown(
        data, {"type", "combine", "groups", "metrics", "weights", "exponents"}, "claim.norm"
    )
    combine = norm.get("combine")
    if norm.get("type") != "blocks" or combine not in ("linf", "l1"):
        raise CertificateError("claim.norm: expected the type 'blocks', combined 'linf' or 'l1'.")
    groups = _groups(norm.get("groups"), size)
    metrics = _metrics(norm.get("metrics"), groups)
    return BlockNorm(combine, groups, metrics, _weights(norm, len(groups)))


def _groups(data: object, size: int) -> tuple[tuple[int, ...], ...]:
    rows = data if isinstance(data, list) else []
    flat = [i for row in rows if isinstance(row, list) for i in row]
    if (
        not all(isinstance(row, list) and row for row in rows)
        or not all(type(i) is int for i in flat)
        or sorted(flat) != list(range(size))
    ):
        raise CertificateError("claim.norm.groups: expected every state once, none group empty.")
    return tuple(tuple(row) for row in rows)


def _metrics(data: object, groups: Sequence[Sequence[int]]) -> list[Array]:
    rows = data if isinstance(data, list) else []
    if len(rows) != len(groups):
        raise CertificateError("claim.norm.metrics: expected one metric a group.")
    return [
        array_from_data(M, (len(g), len(g)), "claim.norm.metrics")
        for M, g in zip(rows, groups, strict=True)
    ]


def _weights(norm: Mapping[str, Any], count: int) -> Weights:
    values = array_from_data(norm.get("weights"), (count,), "claim.norm.weights")
    exponents = norm.get("exponents", [0] * count)
    if not (values > 0).all():
        raise CertificateError("claim.norm.weights: expected positive numbers.")
    if (
        not isinstance(exponents, list)
        or len(exponents) != count
        or not all(type(e) is int and abs(e) <= 2**20 for e in exponents)
    ):
        raise CertificateError("claim.norm.exponents: expected one whole number a group.")
    return Weights(values, np.array(exponents, dtype=np.int64))


def _checks(data: object, count: int) -> dict[tuple[int, int], BlockBound]:
    where = "evidence.checks"
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list.")
    found: dict[tuple[int, int], BlockBound] = {}
    for entry in data:
        part = refuse_unknown(entry, {"to", "from", "bound", "cuts"}, where)
        place = part.get("to"), part.get("from")
        if not all(type(i) is int and 0 <= i < count for i in place) or place in found:
            raise CertificateError(f"{where}: expected each pair of blocks once, got {place}.")
        bound = number_from_data(part.get("bound"), f"{where}.bound")
        a, b = int(str(place[0])), int(str(place[1]))
        if a != b and not bound >= 0:
            raise CertificateError(f"{where}: a gain is not negative, got {bound}.")
        cuts = part.get("cuts")
        tree = NO_CUTS if cuts == [None] else tuple(cuts_from_data(cuts, f"{where}.cuts"))
        found[a, b] = BlockBound(bound, tree)
    return found
