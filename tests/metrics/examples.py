"""One example of every metric and factor, with its dense matrix by the slow formula."""

from collections.abc import Callable

import numpy as np

from riemannian_modules.metrics import (
    KhatriRaoFactor,
    Metric,
    WeightedFactor,
    add,
    block_diagonal_metric,
    dense_metric,
    diagonal_metric,
    downdated,
    join,
    kronecker_metric,
    low_rank_metric,
    scaled_identity_metric,
    stack,
)
from riemannian_modules.metrics.factor import DenseFactor, Factor

Pair = tuple[Metric, np.ndarray]
DIM = 6


def plain(values):
    """The arrays as they are: the examples in NumPy."""
    return values


def definite(rng, n=DIM):
    A = rng.standard_normal((n, n))
    return A @ A.T / n + 0.5 * np.eye(n)


def scaled_identity(rng, array) -> Pair:
    s = rng.uniform(0.5, 3.0)
    return scaled_identity_metric(DIM, array(np.asarray(s))), s * np.eye(DIM)


def diagonal(rng, array) -> Pair:
    w = rng.uniform(0.5, 3.0, DIM)
    return diagonal_metric(array(w)), np.diag(w)


def dense(rng, array) -> Pair:
    M = definite(rng)
    return dense_metric(array(M)), M


def block_diagonal(rng, array) -> Pair:
    w, B, U = rng.uniform(0.5, 2.0, 1), definite(rng, 2), rng.standard_normal((3, 1))
    low = low_rank_metric(scaled_identity_metric(3, array(np.asarray(1.0))), 0.7, array(U))
    M = np.zeros((DIM, DIM))
    M[:1, :1], M[1:3, 1:3], M[3:, 3:] = w, B, 0.7 * np.eye(3) + U @ U.T
    return block_diagonal_metric([diagonal_metric(array(w)), dense_metric(array(B)), low]), M


def kronecker(rng, array) -> Pair:
    A, w = definite(rng, 2), rng.uniform(0.5, 2.0, 3)
    return kronecker_metric(dense_metric(array(A)), diagonal_metric(array(w))), np.kron(
        A, np.diag(w)
    )


def low_rank_on(base: Callable[..., Pair], columns: int) -> Callable[..., Pair]:
    def build(rng, array) -> Pair:
        R, dense_R = base(rng, array)
        U, mu = rng.standard_normal((DIM, columns)), rng.uniform(0.1, 2.0)
        return low_rank_metric(R, mu, array(U)), mu * dense_R + U @ U.T

    return build


def low_rank_khatri_rao_on(base: Callable[..., Pair]) -> Callable[..., Pair]:
    def build(rng, array) -> Pair:
        R, dense_R = base(rng, array)
        U, dense_U = khatri_rao(rng, array, batch=2, n_out=2, n_in=3, k=2)
        return low_rank_metric(R, 0.5, U), 0.5 * dense_R + dense_U @ dense_U.T

    return build


def joint(rng, array) -> Pair:
    """All layers coupled: their metrics along the diagonal, one factor through all of them."""
    A, w, v = definite(rng, 2), rng.uniform(0.5, 2.0, 2), rng.uniform(0.5, 2.0, 2)
    layer = kronecker_metric(dense_metric(array(A)), diagonal_metric(array(w)))
    base = block_diagonal_metric([layer, diagonal_metric(array(v))])
    (top, U), V = khatri_rao(rng, array, 2, 2, 2, 2), rng.standard_normal((2, 4))
    M = np.vstack([U, V]) @ np.vstack([U, V]).T
    M[:4, :4] += 0.5 * np.kron(A, np.diag(w))
    M[4:, 4:] += 0.5 * np.diag(v)
    return low_rank_metric(base, 0.5, stack([top, DenseFactor(array(V))])), M


def less_columns(rng, array) -> Pair:
    metric, base = low_rank_on(diagonal, 3)(rng, array)
    V = rng.standard_normal((DIM, 2))
    # V^T M^{-1} V is the share of M that is taken away, here up to 0.8.
    V *= np.sqrt(0.8 / np.linalg.norm(V.T @ np.linalg.solve(base, V), 2))
    return downdated(metric, array(V)), base - V @ V.T


METRICS: dict[str, Callable[..., Pair]] = {
    "scaled identity": scaled_identity,
    "diagonal": diagonal,
    "dense": dense,
    "block diagonal": block_diagonal,
    "kronecker": kronecker,
    "low rank, dual": low_rank_on(scaled_identity, 2),
    "low rank, primal": low_rank_on(scaled_identity, 8),
    "low rank, empty": low_rank_on(scaled_identity, 0),
    "low rank on diagonal": low_rank_on(diagonal, 3),
    "low rank on dense": low_rank_on(dense, 3),
    "low rank on blocks": low_rank_on(block_diagonal, 3),
    "low rank on low rank": low_rank_on(low_rank_on(diagonal, 2), 3),
    "Khatri-Rao on identity": low_rank_khatri_rao_on(scaled_identity),
    "Khatri-Rao on Kronecker": low_rank_khatri_rao_on(kronecker),
    "joint over layers": joint,
    "downdated": less_columns,
}


def khatri_rao(rng, array, batch, n_out, n_in, k) -> tuple[Factor, np.ndarray]:
    A, D = rng.standard_normal((batch, n_in)), rng.standard_normal((batch, n_out, k))
    scale = 1.0 / np.sqrt(batch)
    columns = [scale * np.outer(D[b, :, j], A[b]).ravel() for b in range(batch) for j in range(k)]
    return KhatriRaoFactor(array(A), array(D), scale), np.stack(columns, axis=1)


def dense_factor(rng, array) -> tuple[Factor, np.ndarray]:
    U = rng.standard_normal((DIM, 4))
    return DenseFactor(array(U), 0.5), 0.5 * U


def khatri_rao_factor(rng, array) -> tuple[Factor, np.ndarray]:
    return khatri_rao(rng, array, batch=2, n_out=3, n_in=2, k=2)


def joined(rng, array) -> tuple[Factor, np.ndarray]:
    parts = [khatri_rao_factor(rng, array), dense_factor(rng, array), khatri_rao_factor(rng, array)]
    return join([part for part, _ in parts]), np.hstack([U for _, U in parts])


def summed(rng, array) -> tuple[Factor, np.ndarray]:
    parts = [khatri_rao_factor(rng, array), dense_factor(rng, array), khatri_rao_factor(rng, array)]
    return add([part for part, _ in parts]), sum(U for _, U in parts)


def stacked(rng, array) -> tuple[Factor, np.ndarray]:
    (top, U), (low, V) = khatri_rao(rng, array, 2, 1, 4, 2), khatri_rao(rng, array, 2, 2, 1, 2)
    return stack([top, low]), np.vstack([U, V])


def weighted(rng, array) -> tuple[Factor, np.ndarray]:
    factor, U = khatri_rao_factor(rng, array)
    w = rng.uniform(0.5, 2.0, len(U))
    return WeightedFactor(factor, array(w)), w[:, None] * U


FACTORS: dict[str, Callable[..., tuple[Factor, np.ndarray]]] = {
    "dense": dense_factor,
    "Khatri-Rao": khatri_rao_factor,
    "joined": joined,
    "sum": summed,
    "stacked": stacked,
    "weighted": weighted,
}
