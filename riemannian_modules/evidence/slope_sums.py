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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.interval_matrix import (
    MatrixBall,
    as_ball,
    as_bounds,
    ball_difference,
    ball_matmul,
    ball_scaled,
)
from riemannian_modules.arithmetic.log_norm import norm_inf
from riemannian_modules.arithmetic.rounding import quiet, sum_up
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import L1, LInf, Norm
from riemannian_modules.claims.plain_data import refuse_unknown
from riemannian_modules.claims.slopes_matrix import Matrix, enclosed
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.evidence.slope_multipliers import layered
from riemannian_modules.modules.signature import Time
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import corners
from riemannian_modules.terms.deadline import require_time

MOST_CORNERS = 12  # slopes of a row whose corners are all tried

Sums = L1 | LInf
Flags = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True, eq=False)
class SlopeSums(Evidence):
    """Sums over corners of slopes, which the system itself gives: nothing has to be known."""

    word: ClassVar[str] = "sums"
    system: ClassVar[type[ClaimedSystem]] = SlopesForm
    norms: ClassVar[tuple[type[Norm], ...]] = (L1, LInf)

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        refuse_unknown(data, {"rule"}, "evidence")
        if claim.system.time is Time.STATIC:
            raise CertificateError("evidence: sums of slopes are for flows and steps.")
        return cls()

    @override
    def proves(self, claim: Claim) -> str | None:
        assert isinstance(claim.norm, (L1, LInf))  # `norms` says so
        if sums_bound(layered(claim), claim.norm) <= claim.b:
            return None
        return "the sums over corners of slopes exceed the bound"

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        return {}

    @property
    @override
    def in_words(self) -> str:
        return (
            "Layers by their slopes: rows or columns of the Jacobian are largest where each "
            "neuron's slope is at an end of its range; these corners are added up, rounded upwards."
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        assert isinstance(claim.norm, (L1, LInf))
        for name, w in zip(claim.system.coordinates, claim.norm.weights.tolist(), strict=False):
            yield TableRow("weight", name, "", w)


@quiet
def sums_bound(form: SlopesForm, norm: Sums) -> float:
    """A proved log-norm of a flow, or Lipschitz constant of a step; inf where there is none.

    Cost: O(2^k m n) a row that depends on k slopes, k <= 12.
    """
    if form.depths is None:
        return np.inf
    A, B, C, D = oriented(form, isinstance(norm, L1))
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


def oriented(form: SlopesForm, is_l1: bool) -> tuple[Matrix, Matrix, Matrix, Matrix]:  # noqa: FBT001
    """A, B, C, D of the system whose rows are summed: for l1, of the transposed one."""
    if is_l1:
        return form.A.T, form.C.T, form.B.T, form.D.T
    return form.A, form.B, form.C, form.D


def _reached(B: Flags, D: Flags, depth: int) -> Flags:
    """The neurons (q, m) that each row depends on."""
    found = B
    for _ in range(depth):
        found = found | (found @ D)
    return found


def _driven(S: Array, C: MatrixBall, D: MatrixBall, depth: int) -> MatrixBall:
    """``(I - S D)^-1 S C``, which ``U = S (C + D U)`` reaches in a step a layer."""
    driven = ball_scaled(S, C)
    for _ in range(depth):
        driven = ball_scaled(S, _total(C, ball_matmul(D, driven)))
    return driven


def _total(P: MatrixBall, Q: MatrixBall) -> MatrixBall:
    return ball_difference(P, MatrixBall(-Q.centre, Q.radius))


def _row_sum(row: Interval, i: int, w: Array, *, is_flow: bool) -> float:
    """The largest weighted sum of rows (..., 1, n)."""
    if not is_flow:
        return float(norm_inf(row, w[i : i + 1], w).max())
    others = row * (np.arange(len(w)) != i).astype(float)
    sums = sum_up(row.upper[..., 0, i] + norm_inf(others, w[i : i + 1], w))
    return float(np.where(np.isnan(sums), np.inf, sums).max())
