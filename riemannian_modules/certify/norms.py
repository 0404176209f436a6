"""The norms in which contraction is claimed: weighted l1, l2 and linf, given or to be found.

Source: Lohmiller and Slotine (1998) for l2; Davydov, Jafarpour and Bullo, *Non-Euclidean
contraction theory*, for the weighted l1 and linf log-norms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.door import number, number_array
from riemannian_modules.errors import MetricError
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class L2:
    """``|z|_M = sqrt(z^T M z)`` with a constant metric M (n, n)."""

    metric: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class L1:
    """``sum_i w_i |z_i|`` with weights w (n,) > 0."""

    weights: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class LInf:
    """``max_i |z_i| / w_i`` with weights w (n,) > 0."""

    weights: Array


@final
@dataclass(frozen=True, slots=True)
class FreeL2:
    """Some constant metric, to be found, with a condition number of at most ``condition``."""

    condition: float = 1e12


@final
@dataclass(frozen=True, slots=True)
class FreeL1:
    """Some weighted l1 norm, to be found."""


@final
@dataclass(frozen=True, slots=True)
class FreeLInf:
    """Some weighted linf norm, to be found."""


Norm = L2 | L1 | LInf
FreeNorm = FreeL2 | FreeL1 | FreeLInf


def l2(metric: ArrayLike | None = None, *, condition: float = 1e12) -> L2 | FreeL2:
    """The l2 norm of a metric: a matrix (n, n), or None for one to be found.

    Raises:
        MetricError: If the matrix is not symmetric positive definite (proved, not guessed).
    """
    if metric is None:
        if not number("l2: condition", condition) >= 1:
            raise MetricError(f"Expected a condition number of at least 1, got {condition}.")
        return FreeL2(float(condition))
    M = number_array("l2", metric, MetricError)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or not np.isfinite(M).all():
        raise MetricError(f"A metric is a finite square matrix; got shape {M.shape}.")
    if not np.array_equal(M, M.T):
        i, j = np.unravel_index(int(np.argmax(np.abs(M - M.T))), M.shape)
        raise MetricError(
            f"A metric is symmetric; entries ({i}, {j}) and ({j}, {i}) are {M[i, j]} and "
            f"{M[j, i]}. Pass (M + M.T) / 2."
        )
    if not is_positive_definite(M):
        values, vectors = np.linalg.eigh(M)
        raise MetricError(
            "A metric is positive definite; this one could not be proved so: smallest eigenvalue "
            f"about {values[0]:.6g} along {np.round(vectors[:, 0], 4).tolist()}."
        )
    return L2(M)


def l1(weights: ArrayLike | None = None) -> L1 | FreeL1:
    """The weighted l1 norm; None for weights to be found. Raises MetricError for weights <= 0."""
    return FreeL1() if weights is None else L1(_positive(weights))


def linf(weights: ArrayLike | None = None) -> LInf | FreeLInf:
    """The weighted linf norm; None for weights to be found. Raises MetricError for weights <= 0."""
    return FreeLInf() if weights is None else LInf(_positive(weights))


def proved_norm(norm: Norm) -> Norm:
    """The norm, proved to be one: a metric symmetric positive definite, weights positive.

    Norms that a search found, or that were made without `l2`, `l1` and `linf`, pass here before any
    bound rests on them. Raises MetricError.
    """
    if isinstance(norm, L2):
        found = l2(norm.metric)
    else:
        found = l1(norm.weights) if isinstance(norm, L1) else linf(norm.weights)
    assert not isinstance(found, (FreeL2, FreeL1, FreeLInf))  # only None gives a free norm
    return found


def _positive(weights: ArrayLike) -> Array:
    w = number_array("Weights", weights, MetricError)
    if w.ndim != 1 or not (np.isfinite(w) & (w > 0)).all():
        raise MetricError(f"Weights are a vector of positive, finite numbers; got {w.tolist()}.")
    return w
