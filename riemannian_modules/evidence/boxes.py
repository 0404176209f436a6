"""Evidence of a bound on boxes: the region cut so that the norm's test holds on each of them.

The checker derives the tested matrix from the system, proves that the written one, in atoms, is the
same, and each range on the leaves of its own cuts, and then tests every leaf of the region's cuts.
`proves` needs the cuts and ranges alone: it finds the atoms by itself, and reads no written matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, Self, final

import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic.expression_data import terms_from_data
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import L1, L2, FactorL2, FieldL2, FieldNorm, LInf, Norm
from riemannian_modules.claims.plain_data import refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.criterion import (
    Criterion,
    FieldCriterion,
    Rows,
    make_criterion,
    tested_matrix,
    tested_weight,
)
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.evidence.short_terms import in_short_terms
from riemannian_modules.terms.atom_data import EvidenceWriter, ranges_from_data
from riemannian_modules.terms.atoms import AtomForm, atom_form
from riemannian_modules.terms.constant_basis import Basis, basis_of_factor
from riemannian_modules.terms.cuts import Cuts, cuts_from_data, cuts_to_data, proving_boxes
from riemannian_modules.terms.deadline import unlimited
from riemannian_modules.terms.generalised import (
    at_successor,
    generalised_jacobian,
    product,
    regular_basis,
    symmetric_sum,
)
from riemannian_modules.terms.ranges import RangeLemma, lemma_holds

_KEYS = {
    *("rule", "cuts", "let", "atoms"),
    *("jacobian", "matrix", "weight", "after", "congruence"),
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Boxes(Evidence):
    """The norm's test holds on each of the boxes that cuts make of the region.

    Attributes:
        test: The test, with what is known of its atoms.
        cuts: The tree of the region's boxes.
    """

    word: ClassVar[str] = "monolithic"
    system: ClassVar[type[ClaimedSystem]] = Problem
    norms: ClassVar[tuple[type[Norm], ...]] = (L2, L1, LInf, FieldL2, FactorL2)

    test: Criterion
    cuts: Cuts

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        refuse_unknown(data, _KEYS, "evidence")
        problem, norm = claim.problem, claim.norm
        test = own_test(problem, norm, claim.input_norm)
        basis = _constant_basis(data, problem, norm)
        if basis is not None and isinstance(test, FieldCriterion):
            test = in_short_terms(problem, test).in_basis(basis)
        known = dict(_known(data, problem, test))
        return cls(test.with_known(known), cuts_from_data(data.get("cuts"), "evidence.cuts"))

    @override
    def proves(self, claim: Claim) -> str | None:
        problem = claim.problem
        boxes = proving_boxes(self.cuts, problem.lower, problem.upper, "evidence.cuts")
        held = boxes_prove(problem, self.test, *boxes, claim.b)
        if held.all():
            return None
        return f"{int((~held).sum())} of {len(held)} boxes of the certificate are not proved"

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        with unlimited():  # whatever time is left: it is proved already
            return {"cuts": cuts_to_data(self.cuts), **_matrices(claim, self.test)}

    @property
    @override
    def in_words(self) -> str:
        boxes = sum(cut is None for cut in self.cuts)
        cover = "1 box that covers" if boxes == 1 else f"{boxes} boxes that cover"
        return (
            f"The system as a whole: its exact Jacobian enclosed on {cover} the region, in "
            "interval arithmetic with outward rounding. How the norm was found does not matter to "
            "the proof."
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        yield TableRow("boxes", "", "", float(sum(cut is None for cut in self.cuts)))
        for k, lemma in self.test.form.known.items():
            yield TableRow("lower end", str(self.test.form.atoms[k]), "", lemma.lower)
            yield TableRow("upper end", str(self.test.form.atoms[k]), "", lemma.upper)


def own_test(problem: Problem, norm: Norm, input_norm: L2 | None = None) -> Criterion:
    """The test of a norm, in the basis in which a metric M(x) is constant, where it has one."""
    return make_criterion(problem, norm, input_norm, *changed_basis(problem, norm)[1:])


def _matrices(claim: Claim, test: Criterion) -> dict[str, Any]:
    """The tested matrices in atoms, as the checker reads them."""
    problem, norm = claim.problem, claim.norm
    ranges = {test.form.atoms[k]: lemma for k, lemma in test.form.known.items()}
    writer = EvidenceWriter((*problem.symbols, *(d.symbol for d in problem.derived)), ranges)

    def written(matrix: Rows) -> list[list[Any]]:
        return writer.matrix(atom_form(matrix, problem.derived))

    data: dict[str, Any] = {}
    if not isinstance(norm, FieldNorm):
        data["jacobian"] = written(problem.jacobian)
    else:
        K, S, W = _tested_field(problem, norm, test)
        data |= {"matrix": writer.matrix(S), "weight": writer.matrix(W)}
        if isinstance(norm, FieldL2) and not problem.is_flow:
            data["after"] = written(at_successor(problem, norm.entries))
        if K is not None:
            data["congruence"] = writer.terms([e for row in K for e in row])
    return {**writer.data(), **data}


def _tested_field(
    problem: Problem, norm: FieldNorm, criterion: Criterion
) -> tuple[Rows | None, AtomForm, AtomForm]:
    """A basis K or None, and in it the tested matrix and weight of a metric M(x)."""
    if isinstance(criterion, FieldCriterion) and criterion.basis is not None:
        rows = [[sp.Rational(v.numerator, v.denominator) for v in r] for r in criterion.basis]
        return rows, criterion.form.block(0), criterion.form.block(1)
    K, S, W = _field_in_terms(problem, norm)
    return K, atom_form(S, problem.derived), atom_form(W, problem.derived)


def _field_in_terms(problem: Problem, norm: FieldNorm) -> tuple[Rows | None, Rows, Rows]:
    if isinstance(norm, FactorL2):  # in its coordinates the metric is the identity
        weight = (2 * sp.eye(problem.size)).tolist()
        return basis_of_factor(norm.entries).inverse, tested_matrix(problem, norm), weight
    basis, matrix, weight = changed_basis(problem, norm)
    if basis is not None and matrix is not None and weight is not None:
        return basis.inverse, matrix, weight
    assert isinstance(norm, FieldL2)  # coordinates are told above
    weight = tested_weight(problem, norm) if problem.is_flow else norm.entries
    return None, tested_matrix(problem, norm), weight


def _constant_basis(
    data: Mapping[str, Any], problem: Problem, norm: Norm
) -> list[list[Fraction]] | None:
    """The basis of `whitened` that the evidence is written in; any is sound."""
    written = data.get("congruence")
    if not isinstance(norm, FieldL2) or written is None or changed_basis(problem, norm)[0]:
        return None
    where, n = "evidence.congruence", problem.size
    block = {"let": data.get("let", []), "terms": written}
    K = terms_from_data(block, problem.symbols, where, CertificateError)
    if len(K) != n * n:
        raise CertificateError(f"{where}: expected {n * n} terms, got {len(K)}.")
    if not all(e.is_Rational for e in K):
        return None
    flat = [Fraction(e.p, e.q) for e in K]
    return [flat[i * n : (i + 1) * n] for i in range(n)]


@lru_cache(maxsize=8)
def changed_basis(problem: Problem, norm: Norm) -> tuple[Basis | None, Rows | None, Rows | None]:
    """A basis in which a metric M(x) is constant, and the tested matrix and weight in it.

    A matrix is nonnegative in one basis when it is in another; all that cancels does so exactly.
    """
    if not isinstance(norm, FieldL2) or not problem.is_flow:
        return None, None, None
    basis = regular_basis(problem, norm)
    if basis is None:
        return None, None, None
    D = sp.diag(*basis.weights).tolist()
    S = symmetric_sum(product(D, generalised_jacobian(problem, basis, norm.rates)))
    return basis, S, [[2 * e for e in row] for row in D]


def _known(
    data: Mapping[str, Any], problem: Problem, criterion: Criterion
) -> list[tuple[int, RangeLemma]]:
    """The ranges of the criterion's atoms that the evidence proves by its cuts."""
    places = {atom: j for j, atom in enumerate(criterion.form.atoms)}
    proved = proved_ranges(data, problem)
    return [(places[atom], lemma) for atom, lemma in proved if atom in places]


def proved_ranges(data: Mapping[str, Any], problem: Problem) -> list[tuple[sp.Expr, RangeLemma]]:
    """The ranges of atoms in the evidence, each proved by its cuts.

    Raises:
        CertificateError: If the data is malformed or a range is not proved.
    """
    symbols = (*problem.symbols, *(d.symbol for d in problem.derived))
    found = ranges_from_data(data, symbols)
    for atom, lemma in found:
        lower, upper = proving_boxes(lemma.cuts, problem.lower, problem.upper, "evidence.atoms")
        if not lemma_holds(lemma, atom, problem.symbols, lower, upper):
            raise CertificateError(f"evidence.atoms: the range of {str(atom)[:60]} is not proved.")
    return found
