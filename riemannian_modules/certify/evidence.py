"""The evidence of a monolithic proof: the tested matrix, ranges of atoms, and the cuts, as data.

The checker derives the matrix from the system, proves that the written one, in atoms, is the same,
and each range on the leaves of its own cuts, and then tests every leaf of the region's cuts.
`verify` needs the cuts and ranges alone: it finds the atoms by itself, and reads no written matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data
from riemannian_modules.certify.atom_data import EvidenceWriter, ranges_from_data
from riemannian_modules.certify.atoms import AtomForm, atom_form
from riemannian_modules.certify.branching.subdivide import leaves_of
from riemannian_modules.certify.certificate_data import (
    cuts_from_data,
    cuts_to_data,
    refuse_unknown,
)
from riemannian_modules.certify.constant_basis import Basis, basis_of_factor
from riemannian_modules.certify.criterion import (
    Criterion,
    FieldCriterion,
    Rows,
    make_criterion,
    tested_matrix,
    tested_weight,
)
from riemannian_modules.certify.deadline import unlimited
from riemannian_modules.certify.generalised import (
    at_successor,
    generalised_jacobian,
    product,
    regular_basis,
    symmetric_sum,
)
from riemannian_modules.certify.norms import L2, FactorL2, FieldL2, Norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.ranges import RangeLemma, lemma_holds
from riemannian_modules.certify.whitening import in_short_terms, whitened
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array

_KEYS = {
    *("rule", "cuts", "let", "atoms"),
    *("jacobian", "matrix", "weight", "after", "congruence"),
}


def prepared_criterion(
    problem: Problem, norm: Norm, input_norm: L2 | None = None, deadline: float = np.inf,
    target: float | None = None,
) -> Criterion:  # fmt: skip
    """The test of a norm, with the ranges of its atoms on the whole region as tight as they get.

    After the ``deadline`` (of `time.monotonic`) ranges stay as they are. The test is put in a basis
    that suits the bound ``target``, or the best where it is None.
    """
    criterion = make_criterion(problem, norm, input_norm, *_changed_basis(problem, norm)[1:])
    if _changed_basis(problem, norm)[0] is None:
        criterion = whitened(problem, criterion, target)
    form = criterion.form
    return criterion.with_known(
        form.lemmas(problem.symbols, problem.lower, problem.upper, deadline)
    )


def evidence_to_data(
    problem: Problem,
    norm: Norm,
    criterion: Criterion,
    cuts: Sequence[tuple[int, float] | None],
) -> dict[str, Any]:
    """The evidence as data, whatever time is left: it is proved already."""
    with unlimited():
        return _evidence_to_data(problem, norm, criterion, cuts)


def _evidence_to_data(
    problem: Problem,
    norm: Norm,
    criterion: Criterion,
    cuts: Sequence[tuple[int, float] | None],
) -> dict[str, Any]:
    ranges = {criterion.form.atoms[k]: lemma for k, lemma in criterion.form.known.items()}
    writer = EvidenceWriter((*problem.symbols, *(d.symbol for d in problem.derived)), ranges)

    def written(matrix: Rows) -> list[list[Any]]:
        return writer.matrix(atom_form(matrix, problem.derived))

    data: dict[str, Any] = {}
    if not isinstance(norm, (FieldL2, FactorL2)):
        data["jacobian"] = written(problem.jacobian)
    else:
        K, S, W = _tested_field(problem, norm, criterion)
        data |= {"matrix": writer.matrix(S), "weight": writer.matrix(W)}
        if isinstance(norm, FieldL2) and not problem.is_flow:
            data["after"] = written(at_successor(problem, norm.entries))
        if K is not None:
            data["congruence"] = writer.terms([e for row in K for e in row])
    return {"rule": "monolithic", "cuts": cuts_to_data(cuts), **writer.data(), **data}


def _tested_field(
    problem: Problem, norm: FieldL2 | FactorL2, criterion: Criterion
) -> tuple[Rows | None, AtomForm, AtomForm]:
    """A basis K or None, and in it the tested matrix and weight of a metric M(x)."""
    if isinstance(criterion, FieldCriterion) and criterion.basis is not None:
        rows = [[sp.Rational(v.numerator, v.denominator) for v in r] for r in criterion.basis]
        return rows, criterion.form.block(0), criterion.form.block(1)
    K, S, W = _field_in_terms(problem, norm)
    return K, atom_form(S, problem.derived), atom_form(W, problem.derived)


def _field_in_terms(problem: Problem, norm: FieldL2 | FactorL2) -> tuple[Rows | None, Rows, Rows]:
    if isinstance(norm, FactorL2):  # in its coordinates the metric is the identity
        weight = (2 * sp.eye(problem.size)).tolist()
        return basis_of_factor(norm.entries).inverse, tested_matrix(problem, norm), weight
    basis, matrix, weight = _changed_basis(problem, norm)
    if basis is not None and matrix is not None and weight is not None:
        return basis.inverse, matrix, weight
    weight = tested_weight(problem, norm) if problem.is_flow else norm.entries
    return None, tested_matrix(problem, norm), weight


def evidence_from_data(
    data: Mapping[str, Any], problem: Problem, norm: Norm, input_norm: L2 | None
) -> tuple[Criterion, Array, Array]:
    """The test that a certificate's evidence makes, and its leaves (leaves, dim) each.

    Raises:
        CertificateError: If the data is malformed, or a range is not proved by its cuts.
    """
    refuse_unknown(data, _KEYS, "evidence")
    criterion = make_criterion(problem, norm, input_norm, *_changed_basis(problem, norm)[1:])
    basis = _constant_basis(data, problem, norm)
    if basis is not None and isinstance(criterion, FieldCriterion):
        criterion = in_short_terms(problem, criterion).in_basis(basis)
    known = dict(_known(data, problem, criterion))
    lower, upper = leaves_from_data(data.get("cuts"), problem, "evidence.cuts")
    return criterion.with_known(known), lower, upper


def _constant_basis(
    data: Mapping[str, Any], problem: Problem, norm: Norm
) -> list[list[Fraction]] | None:
    """The basis of `whitened` that the evidence is written in; any is sound."""
    written = data.get("congruence")
    if not isinstance(norm, FieldL2) or written is None or _changed_basis(problem, norm)[0]:
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
def _changed_basis(problem: Problem, norm: Norm) -> tuple[Basis | None, Rows | None, Rows | None]:
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
        lower, upper = leaves_from_data(cuts_to_data(lemma.cuts), problem, "evidence.atoms")
        if not lemma_holds(lemma, atom, problem.symbols, lower, upper):
            raise CertificateError(f"evidence.atoms: the range of {str(atom)[:60]} is not proved.")
    return found


def leaves_from_data(data: object, problem: Problem, where: str) -> tuple[Array, Array]:
    """The leaves (leaves, dim) that written cuts make of a problem's box."""
    try:
        return leaves_of(cuts_from_data(data, where), problem.lower, problem.upper)
    except ValueError as fault:
        raise CertificateError(f"{where}: {fault}") from None
