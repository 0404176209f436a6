"""The search for norms, by kind: untrusted floating point, whose results are proved elsewhere."""

from __future__ import annotations

import numpy as np

from riemannian_modules.certify.constant_metric import constant_metric
from riemannian_modules.certify.norms import L1, L2, FreeL2, FreeLInf, FreeNorm, LInf, Norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.samples import jacobian_vertices
from riemannian_modules.certify.weights import best_weights


def find_norm(problem: Problem, wanted: FreeNorm) -> Norm:
    """The best norm found of the kind that is wanted.

    Raises:
        ConvergenceError: If no norm of this kind was found.
    """
    J, rays = jacobian_vertices(problem)
    if isinstance(wanted, FreeL2):
        return L2(constant_metric(J, rays, condition=wanted.condition, is_flow=problem.is_flow))
    if isinstance(wanted, FreeLInf):
        return LInf(best_weights(J, rays, is_flow=problem.is_flow))
    transposed = np.swapaxes(J, -1, -2), np.swapaxes(rays, -1, -2)
    return L1(best_weights(*transposed, is_flow=problem.is_flow))
