"""Bounds of slope-restricted systems in weighted l1 and linf norms: sums over corners of slopes.

With ``dw = S dv`` for a diagonal S of slopes in their bounds, and no loops among neurons, ``out =
J(S) dx`` with ``J(S) = A + B (I - S D)^-1 S C``, a polynomial that is affine in each slope. A
weighted row sum of J is convex in each slope, and so is largest at a corner of the slopes that the
row depends on. Rows with too many are bounded by the ranges of their entries, in a single layer.
l1 is linf of the transposed system, ``(C^T, B^T, D^T)`` for ``(B, C, D)``, with the same weights.

*Rounding.* Matrices are balls, entries and sums are rounded up.

Source: Davydov, Proskurnikov and Bullo (2022), Non-Euclidean contractivity of recurrent neural
    networks, arXiv:2110.08298, for one layer and monotone slopes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.interval_matrix import (
    Ball,
    as_ball,
    as_bounds,
    ball_difference,
    ball_matmul,
    ball_scaled,
)
from riemannian_modules.arithmetic.log_norm import norm_inf
from riemannian_modules.arithmetic.rounding import quiet, sum_up
from riemannian_modules.certify.atoms import corners
from riemannian_modules.certify.deadline import require_time
from riemannian_modules.certify.neural.slopes_matrix import Matrix, enclosed, nearest
from riemannian_modules.certify.neural.slopes_system import SlopesForm
from riemannian_modules.certify.norms import L1, FreeL1, FreeLInf, LInf
from riemannian_modules.certify.searching.weights import best_weights
from riemannian_modules.modules.module import Time
from riemannian_modules.space import Array

MOST_CORNERS = 12  # slopes of a row whose corners are all tried
SAMPLES = 500  # corners from which weights are sought
LARGEST = 20_000_000  # entries of all of their matrices

Sums = L1 | LInf
Flags = NDArray[np.bool_]


@quiet
def sums_bound(form: SlopesForm, norm: Sums) -> float:
    """A proved log-norm of a flow, or Lipschitz constant of a step; inf where there is none.

    Cost: O(2^k m n) a row that depends on k slopes, k <= 12.
    """
    if form.depths is None:
        return np.inf
    A, B, C, D = _oriented(form, isinstance(norm, L1))
    w, depth = norm.weights, int(form.depths.max(initial=0))
    low, high = form.slope_bounds
    # Rows that depend on the same neurons share their corners.
    patterns, which = np.unique(_reached(B != 0, D != 0, depth), axis=0, return_inverse=True)
    worst = -np.inf
    for k, pattern in enumerate(patterns):
        own = np.flatnonzero(pattern)
        free = own[low[own] < high[own]]
        through = as_ball(enclosed(C[own]))
        if len(free) <= MOST_CORNERS:
            S = np.repeat(low[None, own], 2 ** len(free), axis=0)
            S[:, np.searchsorted(own, free)] = corners(low[None, free], high[None, free])[0]
            driven = _driven(S[..., None], through, as_ball(enclosed(D[np.ix_(own, own)])), depth)
        elif depth > 0:
            return np.inf
        else:
            slopes = Interval(low[own, None], high[own, None])
            driven = as_ball(slopes * as_bounds(through))
        for i in np.flatnonzero(which == k):
            require_time()
            past_neurons = ball_matmul(as_ball(enclosed(B[i : i + 1, own])), driven)
            row = as_bounds(_total(as_ball(enclosed(A[i : i + 1])), past_neurons))
            worst = max(worst, _row_sum(row, int(i), w, is_flow=form.time is Time.CONTINUOUS))
    return worst


def find_weights(form: SlopesForm, norm: FreeL1 | FreeLInf) -> Sums:
    """Weights of the smallest bound over sampled corners of layers; untrusted.

    Raises:
        ConvergenceError: If none are found.
    """
    is_l1 = isinstance(norm, FreeL1)
    A, B, C, D = (nearest(matrix) for matrix in _oriented(form, is_l1))
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


def _oriented(form: SlopesForm, is_l1: bool) -> tuple[Matrix, Matrix, Matrix, Matrix]:  # noqa: FBT001
    if is_l1:
        return form.A.T, form.C.T, form.B.T, form.D.T
    return form.A, form.B, form.C, form.D


def _reached(B: Flags, D: Flags, depth: int) -> Flags:
    """The neurons (q, m) that each row depends on."""
    found = B
    for _ in range(depth):
        found = found | (found @ D)
    return found


def _driven(S: Array, C: Ball, D: Ball, depth: int) -> Ball:
    """``(I - S D)^-1 S C``, which ``U = S (C + D U)`` reaches in a step a layer."""
    driven = ball_scaled(S, C)
    for _ in range(depth):
        driven = ball_scaled(S, _total(C, ball_matmul(D, driven)))
    return driven


def _total(P: Ball, Q: Ball) -> Ball:
    return ball_difference(P, Ball(-Q.centre, Q.radius))


def _row_sum(row: Interval, i: int, w: Array, *, is_flow: bool) -> float:
    """The largest weighted sum of rows (..., 1, n)."""
    if not is_flow:
        return float(norm_inf(row, w[i : i + 1], w).max())
    others = row * (np.arange(len(w)) != i).astype(float)
    sums = sum_up(row.upper[..., 0, i] + norm_inf(others, w[i : i + 1], w))
    return float(np.where(np.isnan(sums), np.inf, sums).max())
