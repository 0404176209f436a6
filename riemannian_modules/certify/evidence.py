"""The evidence of a monolithic proof: the tested matrix, ranges of atoms, and the cuts, as data.

A reader recomputes the tested matrix from the system, checks that the written one is the same,
checks each range on the leaves of its own cuts, and then tests every leaf of the region's cuts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data, terms_to_data
from riemannian_modules.certify.branching.subdivide import leaves_of
from riemannian_modules.certify.certificate_data import (
    cuts_from_data,
    cuts_to_data,
    number_from_data,
    number_to_data,
    refuse_unknown,
)
from riemannian_modules.certify.criterion import (
    Criterion,
    Rows,
    make_criterion,
    tested_matrix,
    tested_weight,
)
from riemannian_modules.certify.generalised import congruent, constant_pivots, same_terms
from riemannian_modules.certify.norms import L2, FactorL2, FieldL2, Norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.ranges import RangeLemma, lemma_holds
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array

_KEYS = {"rule", "cuts", "matrix", "ranges", "congruence", "weight"}


def prepared_criterion(
    problem: Problem, norm: Norm, input_norm: L2 | None = None, deadline: float = np.inf
) -> Criterion:
    """The test of a norm, with the ranges of its atoms on the whole region as tight as they get.

    After the ``deadline`` (of `time.monotonic`) ranges stay as they are.
    """
    criterion = make_criterion(problem, norm, input_norm, *_changed_basis(problem, norm)[1:])
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
    """The evidence as data."""
    data: dict[str, Any] = {"rule": "monolithic", "cuts": cuts_to_data(cuts)}
    if isinstance(norm, (FieldL2, FactorL2)):
        K, matrix, weight = _changed_basis(problem, norm)
        parts = {"congruence": K, "matrix": matrix, "weight": weight}
        if K is None:
            parts = {"matrix": tested_matrix(problem, norm)}
        data |= {
            key: terms_to_data(problem.symbols, [e for row in rows or () for e in row])
            for key, rows in parts.items()
        }
    if criterion.form.known:
        data["ranges"] = [
            {
                "term": terms_to_data(problem.symbols, [criterion.form.atoms[j]]),
                "lower": number_to_data(lemma.lower),
                "upper": number_to_data(lemma.upper),
                "cuts": cuts_to_data(lemma.cuts),
            }
            for j, lemma in criterion.form.known.items()
        ]
    return data


def evidence_from_data(
    data: Mapping[str, Any], problem: Problem, norm: Norm, input_norm: L2 | None
) -> tuple[Criterion, Array, Array]:
    """The test that a certificate's evidence makes, and its leaves (leaves, dim) each.

    Raises:
        CertificateError: If the matrix is not the system's, or a range is not proved by its cuts.
    """
    refuse_unknown(data, _KEYS, "evidence")
    criterion = make_criterion(problem, norm, input_norm, *_tested(data, problem, norm))
    known = dict(_known(data.get("ranges", []), problem, criterion))
    lower, upper = _leaves(data.get("cuts"), problem, "evidence.cuts")
    return criterion.with_known(known), lower, upper


@lru_cache(maxsize=8)
def _changed_basis(problem: Problem, norm: Norm) -> tuple[Rows | None, Rows | None, Rows | None]:
    """A basis in which a metric M(x) is constant, and the tested matrix and weight in it.

    A matrix is nonnegative in one basis when it is in another; all that cancels does so exactly.
    """
    K = constant_pivots(norm.entries) if isinstance(norm, FieldL2) and problem.is_flow else None
    if K is None or not isinstance(norm, FieldL2):
        return None, None, None
    S, W = tested_matrix(problem, norm), tested_weight(problem, norm)
    return K, congruent(K, S), congruent(K, W)


def _tested(
    data: Mapping[str, Any], problem: Problem, norm: Norm
) -> tuple[Rows | None, Rows | None]:
    """The tested matrix and weight as they are written, proved to be those of the system."""
    if "matrix" not in data:
        return None, None
    S = tested_matrix(problem, norm)
    if "congruence" not in data:
        return _same(data["matrix"], S, problem, "matrix"), None
    if not (isinstance(norm, FieldL2) and problem.is_flow):
        raise CertificateError("evidence.congruence: it is for metrics M(x) of flows.")
    n = problem.size
    K = _rows(data["congruence"], n, n, problem, "congruence")
    if sp.expand(sp.Matrix(K).det(method="berkowitz")) not in (1, -1):
        raise CertificateError("evidence.congruence: its determinant is not proved to be 1 or -1.")
    weight = congruent(K, tested_weight(problem, norm))
    return (
        _same(data["matrix"], congruent(K, S), problem, "matrix"),
        _same(data.get("weight"), weight, problem, "weight"),
    )


def _rows(data: object, n: int, m: int, problem: Problem, key: str) -> list[list[Any]]:
    flat = terms_from_data(data, problem.symbols, f"evidence/{key}", CertificateError)
    if len(flat) != n * m:
        raise CertificateError(f"evidence.{key}: expected {n * m} terms, got {len(flat)}.")
    return [list(flat[i * m : (i + 1) * m]) for i in range(n)]


def _same(data: object, own: Rows, problem: Problem, key: str) -> Rows:
    given = _rows(data, len(own), len(own[0]), problem, key)
    for i, (row, own_row) in enumerate(zip(given, own, strict=True)):
        for j, (a, b) in enumerate(zip(row, own_row, strict=True)):
            if not same_terms(a, b):
                raise CertificateError(
                    f"evidence.{key}: entry ({i}, {j}) is not that of the system and norm."
                )
    return given


def _known(data: object, problem: Problem, criterion: Criterion) -> list[tuple[int, RangeLemma]]:
    where = "evidence.ranges"
    if not isinstance(data, list):
        raise CertificateError(f"{where}: expected a list.")
    known: list[tuple[int, RangeLemma]] = []
    places = {atom: j for j, atom in enumerate(criterion.form.atoms)}
    for entry in data:
        part = refuse_unknown(entry, {"term", "lower", "upper", "cuts"}, where)
        terms = terms_from_data(part.get("term"), problem.symbols, where, CertificateError)
        if len(terms) != 1 or terms[0] not in places:
            raise CertificateError(f"{where}: expected one term of the tested matrix.")
        low, high = (number_from_data(part.get(key), where) for key in ("lower", "upper"))
        lemma = RangeLemma(low, high, tuple(cuts_from_data(part.get("cuts"), where)))
        lower, upper = _leaves(part.get("cuts"), problem, where)
        if not lemma_holds(lemma, terms[0], problem.symbols, lower, upper):
            raise CertificateError(f"{where}: the range of {str(terms[0])[:60]} is not proved.")
        known.append((places[terms[0]], lemma))
    return known


def _leaves(data: object, problem: Problem, where: str) -> tuple[Array, Array]:
    try:
        return leaves_of(cuts_from_data(data, where), problem.lower, problem.upper)
    except ValueError as fault:
        raise CertificateError(f"{where}: {fault}") from None
