"""The search for norms, by kind: untrusted floating point, whose results are proved elsewhere."""

from __future__ import annotations

import numpy as np

from riemannian_modules.claims.norms import L1, L2, FieldL2, LInf, Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import (
    FreeL2,
    FreeLearnedL2,
    FreeLInf,
    FreeNorm,
    FreePolynomialL2,
)
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.search.metrics.constant_metric import constant_metric
from riemannian_modules.search.metrics.weights import best_weights
from riemannian_modules.search.norms.region_search import find_on_region, is_bounded
from riemannian_modules.search.norms.sampled_metric import find_by_samples, find_learned
from riemannian_modules.search.samples import jacobian_vertices
from riemannian_modules.search.squares.polynomial_metric import find_by_squares
from riemannian_modules.spaces import Array


def find_norm(problem: Problem, wanted: FreeNorm) -> Norm:
    """The best norm found of the kind that is wanted.

    Raises:
        ConvergenceError: If no norm of this kind was found.
    """
    if isinstance(wanted, FreePolynomialL2):
        return find_polynomial_metric(problem, wanted)
    if isinstance(wanted, FreeLearnedL2):
        if not np.isfinite(np.concatenate([problem.lower, problem.upper])).all():
            raise ConvergenceError("A metric is learned on a bounded region; bound its sides.")
        return find_learned(problem, wanted)
    rays: Array = np.zeros((0, problem.size, problem.size))

    def best_at(J: Array) -> Norm:
        if isinstance(wanted, FreeL2):
            M = constant_metric(J, rays, condition=wanted.condition, is_flow=problem.is_flow)
            return L2(M)
        if isinstance(wanted, FreeLInf):
            return LInf(best_weights(J, rays, is_flow=problem.is_flow))
        transposed = np.swapaxes(J, -1, -2), np.swapaxes(rays, -1, -2)
        return L1(best_weights(*transposed, is_flow=problem.is_flow))

    if problem.constraints and is_bounded(problem):
        return find_on_region(problem, best_at)
    J, rays = jacobian_vertices(problem)
    return best_at(J)


def find_polynomial_metric(problem: Problem, wanted: FreePolynomialL2) -> FieldL2:
    """A metric whose entries are polynomials of the state: by samples where the region is bounded.

    Raises:
        ConvergenceError: If none is found.
    """
    bounded = bool(np.isfinite(problem.lower).all() and np.isfinite(problem.upper).all())
    return find_by_samples(problem, wanted) if bounded else find_by_squares(problem, wanted)
