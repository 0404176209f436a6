"""Evidence by parts: a bound of each block of the Jacobian, composed by a comparison matrix.

With the block's own bounds (log-norms, or norms of steps) on the diagonal of C and the gains
``|P_i J_ij P_j^-1|`` off it, ``C r <= b r`` bounds the whole in ``max_i |z_i|_{M_i} / r_i``, and
``l^T C <= b l^T`` in ``sum_i l_i |z_i|_{M_i}``. Each block is bounded on the boxes of its own cuts;
C is compared in exact rationals.

Source: Strom (1975); Russo, di Bernardo and Sontag (2013), IEEE TAC 58; THEORY section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import BlockNorm, Norm
from riemannian_modules.claims.plain_data import number_from_data, refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.blocks import BlockBound, Blocks
from riemannian_modules.evidence.boxes import proved_ranges
from riemannian_modules.evidence.comparison import (
    Comparison,
    comparison_rows,
    rounded_up,
    sparse_comparison_bound,
)
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.terms.atom_data import EvidenceWriter
from riemannian_modules.terms.cuts import cuts_from_data, cuts_to_data, proving_boxes

Place = tuple[int, int]


@final
@dataclass(frozen=True, slots=True, eq=False)
class BlockChecks(Evidence):
    """A proved bound of each block of the Jacobian that is not zero.

    Attributes:
        blocks: The system in the groups of the norm.
        checks: For each block (to, from) its bound and the cuts that prove it.
    """

    word: ClassVar[str] = "network"
    system: ClassVar[type[ClaimedSystem]] = Problem
    norms: ClassVar[tuple[type[Norm], ...]] = (BlockNorm,)

    blocks: Blocks
    checks: Mapping[Place, BlockBound]

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        known = {"rule", "checks", "let", "atoms", "jacobian"}
        refuse_unknown(data, known, "evidence")
        norm = _blocks_of(claim)
        checks = _checks(data.get("checks"), len(norm.groups))
        proved_ranges(data, claim.problem)  # blocks need none: a file is proved as a whole
        return cls(Blocks(claim.problem, norm.groups), checks)

    @override
    def proves(self, claim: Claim) -> str | None:
        norm = _blocks_of(claim)
        reason = self._unproved(norm)
        if reason is not None:
            return reason
        own = sparse_comparison_bound(self._oriented(norm), norm.weights)
        return None if own <= claim.b else f"the network rule gives {own:.17g}, not {claim.b:.17g}"

    @property
    def comparison(self) -> Comparison:
        """C."""
        entries = {place: check.bound for place, check in self.checks.items()}
        return Comparison(len(self.blocks.groups), {p: v for p, v in entries.items() if v})

    def _oriented(self, norm: BlockNorm) -> Comparison:
        """The matrix whose rows a norm weighs."""
        return self.comparison if norm.combine == "linf" else self.comparison.transposed

    @property
    def names(self) -> list[str]:
        """The blocks' names, see `node_names`."""
        states = [s.name for s in self.blocks.problem.variables]
        return node_names(self.blocks.groups, states)

    def _unproved(self, norm: BlockNorm) -> str | None:
        """Why the checks do not prove the comparison matrix, or None where they do."""
        blocks, M = self.blocks, norm.metrics
        problem = blocks.problem
        if not problem.is_defined:
            return "the map may be undefined somewhere in the region"
        missing = [place for place in blocks.forms if place not in self.checks]
        if missing:
            return f"the Jacobian's block {missing[0]} has no check"
        known: dict[Any, bool] = {}
        for (a, b), check in self.checks.items():
            key = blocks.key(a, b, M[a], M[b], check)
            if key not in known:
                boxes = proving_boxes(check.cuts, problem.lower, problem.upper, "evidence.checks")
                known[key] = blocks.proves(a, b, M[a], M[b], check.bound, boxes)
            if not known[key]:
                return f"the bound {check.bound:.17g} of the Jacobian's block {a, b} is not proved"
        return None

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        writer = EvidenceWriter(claim.problem.symbols, slopes=self.blocks.ranges.slopes)
        jacobian = writer.matrix(self.blocks.jacobian)
        return {
            "checks": [
                {"to": a, "from": b, "bound": check.bound, "cuts": cuts_to_data(check.cuts)}
                for (a, b), check in self.checks.items()
            ],
            **writer.data(),
            "jacobian": jacobian,
        }

    @property
    @override
    def in_words(self) -> str:
        return (
            "By parts: each part's own bound and the gains between parts, composed by the network "
            "rule; every number rounded upwards"
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        """Each block's own bound ("node") and each "gain"; the "weight" r_i as base-2 logarithm.

        Last, each row of ``(C r)_i / r_i`` ("total"), the largest of which is the bound.
        """
        norm, C, names = _blocks_of(claim), self.comparison, self.names
        for (i, j), v in C.entries.items():
            yield TableRow("node" if i == j else "gain", names[i], "" if i == j else names[j], v)
        logs = np.log2(norm.weights.values) + norm.weights.exponents
        for name, v in zip(names, logs.tolist(), strict=True):
            yield TableRow("weight", name, "", v)
        totals = comparison_rows(self._oriented(norm), norm.weights)
        for name, total in zip(names, totals, strict=True):
            yield TableRow("total", name, "", rounded_up(total))


def node_names(groups: tuple[tuple[int, ...], ...], states: list[str]) -> list[str]:
    """Names of blocks: what all their states have before the last dot, else the first state."""
    heads = [{states[i].rpartition(".")[0] for i in group} for group in groups]
    names = [
        next(iter(head)) if len(head) == 1 and head != {""} else states[group[0]]
        for head, group in zip(heads, groups, strict=True)
    ]
    return names if len(set(names)) == len(names) else [states[group[0]] for group in groups]


def _blocks_of(claim: Claim) -> BlockNorm:
    assert isinstance(claim.norm, BlockNorm)  # `norms` says so
    return claim.norm


def _checks(data: object, count: int) -> dict[Place, BlockBound]:
    where = "evidence.checks"
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list.")
    found: dict[Place, BlockBound] = {}
    for entry in data:
        part = refuse_unknown(entry, {"to", "from", "bound", "cuts"}, where)
        place = part.get("to"), part.get("from")
        if not all(type(i) is int and 0 <= i < count for i in place) or place in found:
            raise CertificateError(f"{where}: expected each pair of blocks once, got {place}.")
        bound = number_from_data(part.get("bound"), f"{where}.bound")
        a, b = int(str(place[0])), int(str(place[1]))
        if a != b and not bound >= 0:
            raise CertificateError(f"{where}: a gain is not negative, got {bound}.")
        found[a, b] = BlockBound(bound, cuts_from_data(part.get("cuts"), f"{where}.cuts"))
    return found
