"""Verified bounds of the eigenvalues of interval matrices.

All speak of the symmetric part ``(A + A^T) / 2`` of every matrix ``A`` in the interval matrix,
symmetric or not: they bound ``x^T A x``. An undecided entry, or one that is unbounded on a side
that counts, gives False, or an infinite bound, never a decision. Cholesky with its rounding bound,
the radius' share by Perron and sign corners are in `triangles`.

*Eigenbasis.* For any float ``V`` and ``|V^T V - I|_2 <= e < 1``, ``V`` is regular and with ``x = V
y``, ``x^T A x = y^T (V^T A V) y`` and ``(1 - e) |y|^2 <= |x|^2 <= (1 + e) |y|^2``. So a Gershgorin
bound g of ``V^T A V`` gives ``g / (1 - e)`` if ``g >= 0``, ``g / (1 + e)`` if not.

Source: Rump (2006), Verification of positive definiteness, BIT 46, 433-452; Rump (2010), Acta
Numerica 19, 287-449.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.interval_array import Interval
from riemannian_modules.arithmetic.interval_matrix import (
    MatrixBall,
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
from riemannian_modules.arithmetic.threads import each_chunk
from riemannian_modules.arithmetic.triangles import (
    CORNER_ORDER,
    are_positive_definite,
    centres_factorise,
    chunk_length,
    compiled_loops,
    lower_triangle,
)
from riemannian_modules.errors import DomainError

_SMALLEST = 2.0**-500
_CHUNK = 16_384  # matrices that a thread takes at once


def is_negative_definite(S: Interval | Array) -> Mask:
    """Whether each ``S`` (..., n, n) is proved negative definite (its members' symmetric part).

    Cheapest test first: Cholesky with the radius' share, then sign corners (n <= 10) or the
    eigenbasis for those whose centre alone is definite. O(n^3) a matrix, vectorised over the batch.
    False means *not proved*.
    """
    return is_positive_definite(-S)


def is_positive_definite(S: Interval | Array) -> Mask:
    """Whether each ``S`` (..., n, n) is proved positive definite (its members' symmetric part)."""
    lower, upper = S.bounds if isinstance(S, Interval) else (np.asarray(S),) * 2
    n = _order(lower)
    # One form of arrays alone, so that the loops are compiled for no other.
    ends = [
        np.require(end.reshape(-1, n, n), np.float64, ["C", "W"])
        for end in ([lower] if lower is upper else [lower, upper])
    ]
    proved = np.zeros(len(ends[0]), dtype=bool)
    loops = compiled_loops(len(proved), n)

    def decide(part: slice) -> None:
        if loops is None:
            proved[part] = _proves(*(end[part] for end in ends))
        else:
            loops.bounds_prove(ends[0][part], ends[-1][part], proved[part], CORNER_ORDER)

    each_chunk(decide, len(proved), chunk_length(n) if loops is None else _CHUNK)
    if n > CORNER_ORDER and lower is not upper:
        left = np.flatnonzero(~proved)
        proved[left] = _eigenbasis_proves(Interval(ends[0][left], ends[1][left]))
    return proved.reshape(lower.shape[:-2])


def _proves(lower: Array, *upper: Array) -> Mask:
    """The decision on bounds (batch, n, n); exact matrices come without upper ones."""
    low = _batch_last(lower)
    return are_positive_definite(lower_triangle(low, _batch_last(upper[0]) if upper else low))


def _eigenbasis_proves(S: Interval) -> Mask:
    # Where the centre alone fails the cheap test, every sound test must fail.
    centres = lower_triangle(_batch_last(S.lower), _batch_last(S.upper))
    left = np.flatnonzero(centres_factorise(centres))
    proved = np.zeros(len(S), dtype=bool)
    proved[left] = largest_eigenvalue_bound(-S[left]) < 0
    return proved


def _batch_last(matrices: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(matrices, 0, -1))


def _order(matrices: Array) -> int:
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise DomainError(
            f"Definiteness: expected square matrices (..., n, n), got shape {matrices.shape}. "
            "Only spectral norms speak of rectangular ones."
        )
    return matrices.shape[-1]


@quiet
def largest_eigenvalue_bound(S: Interval | MatrixBall | Array) -> Array:
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
    V = MatrixBall(_approximate_eigenvectors(H), np.zeros_like(H))
    n = H.shape[-1]
    defect = ball_matmul(V.mT, V)
    defect_radius = sum_up(np.abs(defect.centre - np.eye(n))) + defect.radius
    # Row sums bound the spectral norm of a symmetric matrix; doubling covers the roundings of this
    # line.
    e = 2.0 * _row_sums_up(defect_radius).max(axis=-1)
    rotated = ball_matmul(V.mT, ball_matmul(MatrixBall(H, np.zeros_like(H)), V))
    share = nonnegative_matmul_up(
        np.abs(V.centre).swapaxes(-1, -2), nonnegative_matmul_up(ball.radius, np.abs(V.centre))
    )
    together = _unrotated(
        _gershgorin(MatrixBall(rotated.centre, sum_up(rotated.radius + share))), e
    )
    apart = sum_up(_unrotated(_gershgorin(rotated), e) + _perron_bound(ball.radius))
    bound = np.minimum(together, apart)
    return np.where(finite & (e < 0.5) & ~np.isnan(bound), bound, np.inf)


def smallest_eigenvalue_bound(S: Interval | Array) -> Array:
    """Lower bound of the smallest eigenvalue over each ``S``; ``-inf`` where undecided."""
    return -largest_eigenvalue_bound(-S)


@quiet
def spectral_norm_bound(A: Interval | MatrixBall | Array) -> Array:
    """Upper bound of the spectral norm over each ``A`` (..., n, m); ``inf`` where undecided.

    The smaller of two: ``|A| <= |centre| + |radius|``, each squared being the largest eigenvalue of
    a Gram matrix of the smaller side; and ``|A|_2^2 <= |A|_1 |A|_inf`` of the magnitudes, which is
    exact for diagonal matrices however wide.
    """
    ball = as_ball(A)
    if ball.centre.shape[-1] > ball.centre.shape[-2]:
        ball = ball.mT
    centre = MatrixBall(ball.centre, np.zeros_like(ball.centre))
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


def _symmetric_part(ball: MatrixBall) -> MatrixBall:
    H, R = ball.centre, ball.radius
    _order(H)
    transposed_H, transposed_R = H.swapaxes(-1, -2), R.swapaxes(-1, -2)
    if np.array_equal(H, transposed_H) and np.array_equal(R, transposed_R):
        return ball
    # Halving is exact but for underflow, which product_up pads; the sum is off by at most ulp / 2.
    centre = 0.5 * (H + transposed_H)
    radius = sum_up(product_up(0.5 * sum_up(R + transposed_R)) + product_up(ULP * np.abs(centre)))
    return MatrixBall(centre, radius)


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


def _gershgorin(ball: MatrixBall) -> Array:
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
