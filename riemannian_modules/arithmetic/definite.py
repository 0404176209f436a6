"""Verified bounds of the eigenvalues of interval matrices.

All speak of the symmetric part ``(A + A^T) / 2`` of every matrix ``A`` in the interval matrix,
symmetric or not: they bound ``x^T A x``. An undecided or unbounded entry gives False, or an
infinite bound, never a decision.

*Radius.* For ``|D| <= R``, R symmetric, and any ``v > 0``: ``|x^T D x| <= |x|^T R |x| <= sum_i
x_i^2 (R v)_i / v_i``, as the matrix ``diag((R v)_i / v_i) - R`` has nonpositive off-diagonal
entries and maps ``v > 0`` to 0, so is positive semidefinite (Perron).

*Cholesky* (Demmel 1989; Rump 2006). If the floating-point Cholesky factorisation of ``B`` (order n,
in any order of summation) runs to its end, then ``L L^T = B + E`` with ``|E_ij| <= g sqrt(B_ii
B_jj)``, ``g = gamma_{n+1} / (1 - gamma_{n+1})``, so ``x^T B x >= -n g sum_i B_ii x_i^2``. If the
diagonal of ``B`` lies below that of ``A`` by more than ``n g A_ii`` plus a radius' share, all ``A +
D`` are positive definite. Diagonals within ``2^-500 .. 2^500`` keep underflow, at most ``(n + max
sqrt(B_ii)) 2^-1074`` an entry, a factor ``2^200`` below that margin; others are refused.

*Eigenbasis.* For any float ``V`` and ``|V^T V - I|_2 <= e < 1``, ``V`` is regular and with ``x = V
y``, ``x^T A x = y^T (V^T A V) y`` and ``(1 - e) |y|^2 <= |x|^2 <= (1 + e) |y|^2``. So a Gershgorin
bound g of ``V^T A V`` gives ``g / (1 - e)`` if ``g >= 0``, ``g / (1 + e)`` if not.

*Sign corners* (Hertz 1992; Rohn 1994). ``x^T A x`` over ``|A - H| <= R`` is largest at ``H + R o s
s^T``, ``s = sign(x)``: a finite, exact test.

Source: Rump (2006), Verification of positive definiteness, BIT 46, 433-452; Rump (2010), Acta
Numerica 19, 287-449.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.interval_matrix import (
    Ball,
    as_ball,
    ball_matmul,
    nonnegative_matmul_up,
)
from riemannian_modules.arithmetic.rounding import (
    ULP,
    Array,
    Mask,
    product_up,
    quiet,
    sum_down,
    sum_up,
)
from riemannian_modules.errors import DomainError

_CORNER_ORDER = 10  # 2^9 Cholesky factorisations at most
_CHUNK = 1024  # matrices factorised at once: keeps them in the cache
_SMALLEST, _LARGEST = 2.0**-500, 2.0**500


def is_negative_definite(S: Interval | Array) -> Mask:
    """Whether each ``S`` (..., n, n) is proved negative definite (its members' symmetric part).

    Cheapest test first: Cholesky with the radius' share, then sign corners (n <= 10) or the
    eigenbasis for those whose centre alone is definite. O(n^3) a matrix, vectorised over the batch.
    False means *not proved*.
    """
    return is_positive_definite(-S)


def is_positive_definite(S: Interval | Array) -> Mask:
    """Whether each ``S`` (..., n, n) is proved positive definite (its members' symmetric part)."""
    flat = S.reshape(-1, *S.shape[-2:])
    proved = np.zeros(flat.shape[0], dtype=bool)
    for start in range(0, len(proved), _CHUNK):
        part = slice(start, start + _CHUNK)
        proved[part] = _proves(_symmetric_part(as_ball(flat[part])))
    return proved.reshape(S.shape[:-2])


@quiet
def _proves(ball: Ball) -> Mask:
    H, R = ball.centre, ball.radius
    proved = _cholesky_proves(H, R)
    # Where the centre itself fails, every sound test must fail.
    left = np.flatnonzero(~proved & R.any(axis=(-1, -2)))
    left = left[_cholesky_proves(H[left], np.zeros_like(H[left]))]
    if left.size and H.shape[-1] <= _CORNER_ORDER:
        proved[left] = _corners_prove(H[left], R[left])
    elif left.size:
        proved[left] = largest_eigenvalue_bound(Ball(-H[left], R[left])) < 0
    return proved


@quiet
def largest_eigenvalue_bound(S: Interval | Ball | Array) -> Array:
    """Upper bound of the largest eigenvalue of the symmetric part over each ``S`` (..., n, n).

    The smaller of two bounds in an approximate eigenbasis of the centre: the radius rotated into
    it, and the centre's eigenvalue plus the radius' norm. For thin ``S`` the excess is about ``n^2
    2^-52 |S|``. O(n^3) a matrix.

    Returns:
        Bounds, shape (...); ``inf`` where an entry is undecided or unbounded.
    """
    ball = _symmetric_part(as_ball(S))
    finite = np.asarray(np.isfinite(ball.centre + ball.radius).all(axis=(-1, -2)))
    H = np.where(finite[..., None, None], ball.centre, 0.0)
    V = Ball(_approximate_eigenvectors(H), np.zeros_like(H))
    n = H.shape[-1]
    defect = ball_matmul(V.mT, V)
    defect_radius = sum_up(np.abs(defect.centre - np.eye(n))) + defect.radius
    # Row sums bound the spectral norm of a symmetric matrix; doubling covers the roundings of this
    # line.
    e = 2.0 * _row_sums_up(defect_radius).max(axis=-1)
    rotated = ball_matmul(V.mT, ball_matmul(Ball(H, np.zeros_like(H)), V))
    share = nonnegative_matmul_up(
        np.abs(V.centre).swapaxes(-1, -2), nonnegative_matmul_up(ball.radius, np.abs(V.centre))
    )
    together = _unrotated(_gershgorin(Ball(rotated.centre, sum_up(rotated.radius + share))), e)
    apart = sum_up(_unrotated(_gershgorin(rotated), e) + _perron_bound(ball.radius))
    bound = np.minimum(together, apart)
    return np.where(finite & (e < 0.5) & ~np.isnan(bound), bound, np.inf)


def smallest_eigenvalue_bound(S: Interval | Array) -> Array:
    """Lower bound of the smallest eigenvalue over each ``S``; ``-inf`` where undecided."""
    return -largest_eigenvalue_bound(-S)


@quiet
def spectral_norm_bound(A: Interval | Ball | Array) -> Array:
    """Upper bound of the spectral norm over each ``A`` (..., n, m); ``inf`` where undecided.

    The smaller of two: ``|A| <= |centre| + |radius|``, each squared being the largest eigenvalue of
    a Gram matrix of the smaller side; and ``|A|_2^2 <= |A|_1 |A|_inf`` of the magnitudes, which is
    exact for diagonal matrices however wide.
    """
    ball = as_ball(A)
    if ball.centre.shape[-1] > ball.centre.shape[-2]:
        ball = ball.mT
    centre = Ball(ball.centre, np.zeros_like(ball.centre))
    squared = largest_eigenvalue_bound(ball_matmul(centre.mT, centre))
    norm = sum_up(np.sqrt(np.maximum(squared, 0.0)))
    if ball.radius.any():
        # The Gram matrix of a nonnegative matrix is nonnegative and symmetric: its Perron bound
        # serves.
        gram = nonnegative_matmul_up(ball.radius.swapaxes(-1, -2), ball.radius)
        norm = sum_up(norm + sum_up(np.sqrt(_perron_bound(gram))))
    magnitude = sum_up(np.abs(ball.centre) + ball.radius)
    sums = [_row_sums_up(part).max(axis=-1) for part in (magnitude, magnitude.swapaxes(-1, -2))]
    # np.fmin: where the product overflows or is undecided, the other bound stands.
    norm = np.fmin(norm, sum_up(np.sqrt(product_up(sums[0] * sums[1]))))
    return np.where(np.isfinite(ball.radius).all(axis=(-1, -2)) & ~np.isnan(norm), norm, np.inf)


def _symmetric_part(ball: Ball) -> Ball:
    H, R = ball.centre, ball.radius
    if H.shape[-1] != H.shape[-2]:
        raise DomainError(
            f"Definiteness: expected square matrices (..., n, n), got shape {H.shape}. "
            "Only spectral norms speak of rectangular ones."
        )
    transposed_H, transposed_R = H.swapaxes(-1, -2), R.swapaxes(-1, -2)
    if np.array_equal(H, transposed_H) and np.array_equal(R, transposed_R):
        return ball
    # Halving is exact but for underflow, which product_up pads; the sum is off by at most ulp / 2.
    centre = 0.5 * (H + transposed_H)
    radius = sum_up(product_up(0.5 * sum_up(R + transposed_R)) + product_up(ULP * np.abs(centre)))
    return Ball(centre, radius)


def _perron_vector(R: Array, start: Array) -> Array:
    # One step of the power method from a positive start; any positive vector gives a valid bound.
    # The floor keeps rows of zeros positive.
    image = (R @ start[..., None])[..., 0]
    return image + (0.05 * image.max(axis=-1, keepdims=True) + _SMALLEST) * np.ones_like(start)


def _radius_shares(R: Array, v: Array) -> Array:
    # (R v)_i / v_i, rounded up.
    return product_up(nonnegative_matmul_up(R, v[..., None])[..., 0] / v)


def _perron_bound(R: Array) -> Array:
    """Upper bound of the norm of each nonnegative symmetric ``R``."""
    v = _perron_vector(R, np.ones(R.shape[:-1]))
    v = _perron_vector(R, v / v.max(axis=-1, keepdims=True))
    return np.where(R.any(axis=(-1, -2)), _radius_shares(R, v).max(axis=-1), 0.0)


def _row_sums_up(R: Array) -> Array:
    return nonnegative_matmul_up(R, np.ones((R.shape[-1], 1)))[..., 0]


def _gershgorin(ball: Ball) -> Array:
    # Largest diagonal entry plus the magnitudes of its row, over symmetric members.
    n = ball.centre.shape[-1]
    off_diagonal = np.where(np.eye(n, dtype=bool), 0.0, np.abs(ball.centre))
    rows = _row_sums_up(sum_up(off_diagonal + ball.radius))
    diagonal = np.diagonal(ball.centre, axis1=-2, axis2=-1)
    return np.asarray(sum_up(diagonal + rows).max(axis=-1))


def _unrotated(bound: Array, e: Array) -> Array:
    return product_up(bound / np.where(bound >= 0, sum_down(1.0 - e), sum_up(1.0 + e)))


def _approximate_eigenvectors(H: Array) -> Array:
    try:
        return np.linalg.eigh(H)[1]
    except np.linalg.LinAlgError:
        # Any basis is sound; the identity leaves plain Gershgorin.
        return np.broadcast_to(np.eye(H.shape[-1]), H.shape).copy()


def _cholesky_proves(H: Array, R: Array) -> Mask:
    # Whether H plus anything within R is positive definite, for symmetric (b, n, n) batches.
    return _factorises(*_lowered(H, R))


def _lowered(H: Array, R: Array) -> tuple[Array, Mask]:
    # H with its diagonal lowered by the radius' share and by the margin of the factorisation; (n,
    # n, b).
    n = H.shape[-1]
    diagonal = np.diagonal(H, axis1=-2, axis2=-1)
    inside = np.asarray(np.all((diagonal >= _SMALLEST) & (diagonal <= _LARGEST), axis=-1))
    lowered = diagonal
    if R.any():
        # Scaled by the diagonal, the radius is measured against the margin that it eats.
        scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        weights = scale * _perron_vector(
            scale[..., :, None] * R * scale[..., None, :], np.ones_like(scale)
        )
        lowered = sum_down(diagonal - _radius_shares(R, weights))
    # n g <= n (n + 1) u (1 + 4 n u) < n (n + 3) 2^-53; twice that leaves room for the roundings
    # here.
    margin = sum_up(n * (n + 3) * ULP * diagonal)
    lowered = sum_down(lowered - margin)
    matrices = np.moveaxis(H, 0, -1).copy()
    matrices[np.arange(n), np.arange(n)] = lowered.T
    return matrices, inside


def _factorises(A: Array, inside: Mask) -> Mask:
    # Outer-product Cholesky on (n, n, b), all of b at once; A is overwritten. NaN makes pivots
    # fail.
    proved = inside.copy()
    for j in range(len(A)):
        pivot = A[j, j]
        proved &= pivot > 0
        if j + 1 < len(A):
            column = A[j + 1 :, j] / np.sqrt(pivot)
            A[j + 1 :, j + 1 :] -= column[:, None] * column[None, :]
    # An infinite entry leaves NaN or -inf on a later pivot; a pivot of inf is refused here.
    return proved & np.isfinite(A).all(axis=(0, 1))


def _corners_prove(H: Array, R: Array) -> Mask:
    # Signs of x and -x give the same corner. Each corner is a float matrix with the radius of its
    # rounding.
    n = H.shape[-1]
    rounding = product_up(ULP * (np.abs(H) + R))
    proved = np.ones(len(H), dtype=bool)
    for code in range(2 ** (n - 1)):
        signs = np.where((code >> np.arange(n)) & 1, -1.0, 1.0)
        left = np.flatnonzero(proved)
        corner = H[left] - signs[:, None] * R[left] * signs[None, :]
        proved[left] = _cholesky_proves(corner, rounding[left])
    return proved
