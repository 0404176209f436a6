"""Weights in which sums over corners of slopes are small; untrusted."""

from __future__ import annotations

import numpy as np

from riemannian_modules.claims.norms import L1, LInf
from riemannian_modules.claims.slopes_matrix import nearest
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.claims.wanted_norms import FreeL1, FreeLInf
from riemannian_modules.evidence.slope_sums import oriented
from riemannian_modules.modules.module import Time
from riemannian_modules.search.metrics.weights import best_weights

SAMPLES = 500  # corners from which weights are sought
LARGEST = 20_000_000  # entries of all of their matrices


def find_weights(form: SlopesForm, norm: FreeL1 | FreeLInf) -> L1 | LInf:
    """Weights of the smallest bound over sampled corners of layers; untrusted.

    Raises:
        ConvergenceError: If none are found.
    """
    is_l1 = isinstance(norm, FreeL1)
    A, B, C, D = (nearest(matrix) for matrix in oriented(form, is_l1))
    low, high = form.slope_bounds
    count = max(2, min(SAMPLES, LARGEST // max(C.size, 1)))
    chosen = np.random.default_rng(0).integers(0, 2, size=(count, len(low))).astype(bool)
    chosen[0], chosen[1] = False, True
    S = np.where(np.unique(chosen, axis=0), high, low)[..., None]
    depth = 0 if form.depths is None else int(form.depths.max(initial=0))
    driven = S * C
    for _ in range(depth):
        driven = S * (C + D @ driven)
    J = A + B @ driven
    w = best_weights(J, np.zeros((0, *A.shape)), is_flow=form.time is Time.CONTINUOUS)
    return L1(w) if is_l1 else LInf(w)
