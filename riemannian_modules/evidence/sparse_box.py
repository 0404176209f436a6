"""Evidence in a sparse metric: one box, on which a sparse matrix is definite.

Source: see `sparse_test`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import sympy as sp
from typing_extensions import override

from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import Norm, SparseL2
from riemannian_modules.claims.plain_data import refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.blocks import Blocks
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.evidence.sparse_test import sparse_proves, sparse_test
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atom_data import EvidenceWriter, ranges_from_data
from riemannian_modules.terms.cuts import NO_CUTS, cuts_from_data, cuts_to_data, proving_boxes
from riemannian_modules.terms.ranges import RangeLemma


@final
@dataclass(frozen=True, slots=True, eq=False)
class SparseBox(Evidence):
    """``2 b M - M J - J^T M >= 0`` for all values of the atoms within their ranges.

    Attributes:
        blocks: The system, in any groups.
        low: The atoms' lower ends over the region (atoms,).
        high: Their upper ends.
        ranges: Of atoms that had to be cut, what proves their ends.
    """

    word: ClassVar[str] = "monolithic"
    system: ClassVar[type[ClaimedSystem]] = Problem
    norms: ClassVar[tuple[type[Norm], ...]] = (SparseL2,)

    blocks: Blocks
    low: Array
    high: Array
    ranges: Sequence[tuple[sp.Expr, RangeLemma]]

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        refuse_unknown(data, {"rule", "cuts", "let", "atoms", "jacobian"}, "evidence")
        if cuts_from_data(data.get("cuts"), "evidence.cuts") != NO_CUTS:
            raise CertificateError("evidence.cuts: with a sparse metric, the region is one leaf.")
        problem = claim.problem
        blocks = Blocks(problem, tuple((i,) for i in range(len(problem.map))))
        ranges = ranges_from_data(data, problem.symbols)
        return cls(blocks, *_proved_ends(blocks, ranges), ranges)

    @override
    def proves(self, claim: Claim) -> str | None:
        assert isinstance(claim.norm, SparseL2)  # `norms` says so
        if not claim.problem.is_defined:
            return "the map may be undefined somewhere in the region"
        test = sparse_test(self.blocks, claim.norm.entries)
        if np.isnan(self.low).any() or not sparse_proves(test, self.low, self.high, claim.b):
            return "the one box of the certificate is not proved"
        return None

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        writer = EvidenceWriter(claim.problem.symbols, dict(self.ranges), self.blocks.ranges.slopes)
        jacobian = writer.matrix(self.blocks.jacobian)
        return {"cuts": cuts_to_data(NO_CUTS), **writer.data(), "jacobian": jacobian}

    @property
    @override
    def in_words(self) -> str:
        return (
            "The system as a whole, in a sparse metric: its exact Jacobian enclosed on 1 box that "
            "covers the region, and a sparse matrix that is definite for all values in it, "
            "rounding included."
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        """The metric's entries ("weight"), the two ends of each "range", the bound ("signed")."""
        assert isinstance(claim.norm, SparseL2)
        names = [s.name for s in claim.problem.variables]
        for (i, j), v in claim.norm.entries.items():
            if i <= j:
                yield TableRow("weight", names[i], names[j] if i != j else "", float(v))
        for atom, lemma in self.ranges:
            yield TableRow("range", str(atom), "", lemma.lower)
            yield TableRow("range", str(atom), "", lemma.upper)
        yield TableRow("signed", "", "", claim.b)


def _proved_ends(
    blocks: Blocks, ranges: Sequence[tuple[sp.Expr, RangeLemma]]
) -> tuple[Array, Array]:
    """The atoms' ends over the region: plain ones, cut by those that the evidence proves."""
    problem, atoms = blocks.problem, blocks.jacobian.atoms
    sides = problem.lower[None], problem.upper[None]
    plain = [blocks.ranges.plain(atom, *sides) for atom in atoms]
    low = np.array([float(p[0][0]) for p in plain])
    high = np.array([float(p[1][0]) for p in plain])
    place = {atom: j for j, atom in enumerate(atoms)}
    for atom, known in ranges:
        boxes = proving_boxes(known.cuts, problem.lower, problem.upper, "evidence.atoms")
        bottom, top = blocks.ranges.plain(atom, *boxes)
        if not ((bottom >= known.lower) & (top <= known.upper)).all():
            raise CertificateError(f"evidence.atoms: the range of {str(atom)[:60]} is not proved.")
        j = place.get(atom)
        if j is not None and not np.isnan(low[j]):
            low[j], high[j] = max(low[j], known.lower), min(high[j], known.upper)
    return low, high
