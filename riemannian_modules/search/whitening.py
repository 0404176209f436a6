"""A basis in which the test of a metric M(x) of many atoms is tight on wide boxes: untrusted.

An interval matrix forgets how its entries move together. What that loses grows with the condition
of its centre, so that it is put in a basis K in which its mean over samples is the identity.

The congruence leaves every claim as it is: ``K^T W K > 0`` implies that K is regular, so that ``W >
0`` and, with ``K^T R K >= 0``, also ``R >= 0``. K has few bits, as the exact matrix is written out
in them.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion, FieldCriterion
from riemannian_modules.evidence.short_terms import in_short_terms
from riemannian_modules.search.samples import sample_points
from riemannian_modules.terms.atoms import MOST_CORNERS

SAMPLES = 500
BITS = 8  # of an entry of K, beside the largest of its column


def whitened(problem: Problem, criterion: Criterion, target: float | None) -> Criterion:
    """The test for the bound ``target``, or for the best, written so that it is tight.

    As it was where few atoms move: then it is made at their corners, which lose nothing.
    """
    if not isinstance(criterion, FieldCriterion) or not problem.is_flow:
        return criterion
    if criterion.form.corner_count <= MOST_CORNERS:
        return criterion
    criterion = in_short_terms(problem, criterion)
    K = _basis(problem, criterion, target)
    return criterion if K is None else criterion.in_basis(K)


def _basis(
    problem: Problem, criterion: FieldCriterion, target: float | None
) -> list[list[Fraction]] | None:
    """K of few bits with ``K^T (b W - T) K`` about the identity at points, or None."""
    points = sample_points(problem, np.random.default_rng(2), SAMPLES)
    low, high = criterion.form.ranges(problem.symbols, points, points)
    decided = np.isfinite(low).all(1) & np.isfinite(high).all(1)
    T = criterion.form.values(0.5 * low[decided] + 0.5 * high[decided])
    needed = criterion.estimate(T)
    fine = np.isfinite(needed)
    if not fine.any():
        return None
    # At a b that all points allow, every margin is nonnegative, and their mean is definite.
    b = float(needed[fine].max())
    if target is not None and target > b:
        b = target
    S, W = np.split(T[fine], 2, axis=1)
    try:
        L = np.linalg.cholesky((b * W - S).mean(0))
    except np.linalg.LinAlgError:
        return None
    K = np.linalg.inv(L).T
    scale = 2.0 ** (BITS - np.ceil(np.log2(np.abs(K).max(0))))
    return [[Fraction(v) for v in row] for row in (np.round(K * scale) / scale).tolist()]
