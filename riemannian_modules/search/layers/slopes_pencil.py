"""The matrix that multipliers make definite, linear in them, and what a step of its search needs.

``F(r, t) = r N + F_0 - sum t_i (p_i q_i^T + q_i p_i^T)``: each constraint matrix has rank two, so
that traces of products with them are entries of a few dense products.

Source: Fazlyab et al. (2019), arXiv:1906.04893, theorem 2; Benson, Ye and Zhang (2000), SIAM J.
    Optim. 10, 443-461, for constraint matrices of low rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from riemannian_modules.arithmetic.blocked import blocked_product, cholesky, inverse_of_lower
from riemannian_modules.claims.slopes_matrix import nearest
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.evidence.slope_multipliers import can_compress
from riemannian_modules.modules.module import Time
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class Pencil:
    """``F(r, t) = r root root^T + constant - sum t_i (p_i q_i^T + q_i p_i^T)``, of order s.

    Attributes:
        root: (s, k).
        constant: (s, s).
        above: The vectors p_i, (m, s).
        below: The vectors q_i, (m, s).
    """

    root: Array
    constant: Array
    above: Array
    below: Array

    @cached_property
    def limit(self) -> Array:
        """``N = root root^T``, (s, s)."""
        return self.root @ self.root.T

    @cached_property
    def is_plain(self) -> bool:
        """Whether ``p_i`` picks out neuron i: the least slopes are zero, as for ReLU and tanh."""
        m, size = self.above.shape
        return np.array_equal(self.above, np.eye(m, size, size - m))

    def turned(self, r: float, t: Array) -> Array:
        """The part that is linear in r and t, (s, s)."""
        out, weighted = r * self.limit, t[:, None] * self.below
        if self.is_plain:
            own = len(out) - len(t)
            out[own:] -= weighted
            out[:, own:] -= weighted.T
            return out
        half = blocked_product(self.above.T, weighted)
        return out - half - half.T

    def at(self, r: float, t: Array) -> Array:
        """The matrix, (s, s)."""
        return self.turned(r, t) + self.constant

    def traces(self, Y: Array) -> Array:
        """``<N, Y>`` and ``-<p_i q_i^T + q_i p_i^T, Y>`` for symmetric Y, (1 + m,)."""
        out = np.empty(len(self.above) + 1)
        out[0] = inner(self.root, blocked_product(Y, self.root))
        out[1:] = -2.0 * (self._above_times(Y) * self.below).sum(axis=1)
        return out

    def pair_traces(self, G: Array, X: Array) -> Array:
        """``<A_k, G A_l X>`` for the matrices of `traces` and symmetric G and X, (1 + m, 1 + m)."""
        (PP, PQ, QQ, RP, RQ, RR), (pp, pq, qq, rp, rq, rr) = self._grams(G), self._grams(X)
        H = np.empty((len(PP) + 1,) * 2)
        H[0, 0] = inner(RR, rr)
        H[0, 1:] = H[1:, 0] = -(RP * rq + RQ * rp).sum(axis=1)
        H[1:, 1:] = PP * qq + QQ * pp + PQ * pq.T + PQ.T * pq
        return H

    def _grams(self, G: Array) -> tuple[Array, ...]:
        # Products of rows of P, Q and R = root^T in the inner product G.
        GP, GQ, GR = (
            self._above_times(G).T,
            blocked_product(G, self.below.T),
            blocked_product(G, self.root),
        )
        return (
            self._above_times(GP), self._above_times(GQ), blocked_product(self.below, GQ),
            self._above_times(GR), blocked_product(self.below, GR),
            blocked_product(self.root.T, GR),
        )  # fmt: skip

    def _above_times(self, Y: Array) -> Array:
        m = len(self.above)
        return Y[len(Y) - m :] if self.is_plain else blocked_product(self.above, Y)

    def factor(self, r: float, t: Array) -> Array | None:
        """Its lower Cholesky factor, or None if it is not positive definite."""
        return cholesky(self.at(r, t))


def pencil_of(form: SlopesForm, M: Array, N: Array | None, compression: Array | None) -> Pencil:
    """The pencil of a form with metric M of the outputs and N of the inputs (None: identity)."""
    through, B, entering, D = (nearest(matrix) for matrix in (form.A, form.B, form.C, form.D))
    n, m = through.shape[1], len(form.slopes)
    if compression is not None:
        # s = C0 x = half y with |y| <= |x|: the best H, in coordinates that scale it to one.
        C0 = entering[form.touched]
        half = cholesky(_ridged(blocked_product(C0, C0.T)))
        assert half is not None
        n, limit = len(half), np.eye(len(half))
        through, entering = np.zeros((len(through), n)), np.zeros((m, n))
        entering[form.touched] = half
    else:
        is_step = form.time is not Time.STATIC
        limit = M if is_step else (np.eye(n) if N is None else N)
    out, reads = np.hstack([through, B]), np.hstack([entering, D])
    if form.time is Time.CONTINUOUS:
        limit = 2.0 * limit
        motion = np.vstack([M @ out, np.zeros((m, n + m))])
        motion = motion + motion.T
    else:
        motion = out.T @ M @ out
    alpha, beta = form.slope_bounds
    own = np.hstack([np.zeros((m, n)), np.eye(m)])
    root = np.zeros((n + m, n))
    factor = cholesky(limit)
    assert factor is not None  # metrics are definite, and proved so
    root[:n] = factor
    return Pencil(root, -motion, own - alpha[:, None] * reads, beta[:, None] * reads - own)


def compression_of(form: SlopesForm) -> Array | None:
    """H, nearly the inverse of ``C0 C0^T``, where inputs are wider than what they feed."""
    if not can_compress(form) or len(form.touched) >= form.A.shape[1]:
        return None
    C0 = nearest(form.C)[form.touched]
    H = inverse_of(_ridged(blocked_product(C0, C0.T)))
    # The loss is quadratic in H's error, and short numbers are quick to multiply exactly.
    return None if H is None else shortened(symmetric_part(H), 26)


def _ridged(G: Array) -> Array:
    # A little more on the diagonal keeps directions that x cannot reach expensive.
    return G + 1e-12 * np.trace(G) / len(G) * np.eye(len(G))


def shortened(values: Array, bits: int) -> Array:
    """The numbers rounded to so many bits each."""
    mantissas, exponents = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissas, bits)), exponents - bits)


def inverse_of(matrix: Array) -> Array | None:
    """The inverse of a symmetric matrix, None if it is not definite in floating point."""
    L = cholesky(matrix)
    if L is None:
        return None
    white = inverse_of_lower(L)
    return blocked_product(white.T, white)


def symmetric_part(matrix: Array) -> Array:
    """``(A + A^T) / 2``."""
    return 0.5 * (matrix + matrix.T)


def inner(P: Array, Q: Array) -> float:
    """``<P, Q>``, the sum of products of entries."""
    # OpenBLAS wakes its threads for products of more than 10,000 numbers; np.einsum has none.
    return float(np.vdot(P, Q) if P.size <= 10_000 else np.einsum("ij,ij->", P, Q))
