"""The test of a norm as a search uses it: with tight ranges, in a basis that suits it."""

from __future__ import annotations

import numpy as np

from riemannian_modules.claims.norms import L2, Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.boxes import changed_basis, own_test
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.search.whitening import whitened


def prepared_criterion(
    problem: Problem, norm: Norm, input_norm: L2 | None = None, deadline: float = np.inf,
    target: float | None = None,
) -> Criterion:  # fmt: skip
    """The test of a norm, with the ranges of its atoms on the whole region as tight as they get.

    After the ``deadline`` (of `time.monotonic`) ranges stay as they are. The test is put in a basis
    that suits the bound ``target``, or the best where it is None.
    """
    criterion = own_test(problem, norm, input_norm)
    if changed_basis(problem, norm)[0] is None:
        criterion = whitened(problem, criterion, target)
    form = criterion.form
    return criterion.with_known(
        form.lemmas(problem.symbols, problem.lower, problem.upper, deadline)
    )
