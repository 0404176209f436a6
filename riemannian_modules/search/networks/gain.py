"""The gain of an interval matrix between two metrics, ``|P_out J P_in^{-1}|``, rounded upwards."""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.definite import spectral_norm_bound
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matmul
from riemannian_modules.spaces import Array


def weighted_gain(J: Interval, M_out: Array, M_in: Array) -> float:
    """Upper bound of ``|P_out J P_in^{-1}|`` over an interval matrix; 0 where J is exactly zero.

    With approximate Cholesky factors P ~ sqrt(M), ``|P_out J P_in^{-1}|`` is bounded by three
    norms: the middle one of the rounded ``R_out J R_in^{-1}``, the outer ones of how far R^T R is
    from M.
    """
    if not J.lower.any() and not J.upper.any():
        return 0.0
    R_out: Array = np.linalg.cholesky(M_out).T.astype(np.float64)
    X: Array = np.linalg.inv(np.linalg.cholesky(M_in).T).astype(np.float64)
    # |z|_M <= s |R z| when M <= s^2 R^T R, and |X R z| small: both proved below.
    over_out = _relative_factor(R_out, M_out)
    over_in = _relative_factor_inverse(X, M_in)
    middle = spectral_norm_bound(matmul(matmul(Interval.point(R_out), J), Interval.point(X)))
    return product_up(product_up(float(middle), over_out), over_in)


def exact(value: Array | float) -> Interval:
    """A float as a scalar interval of no width."""
    return Interval.point(np.array(float(value)))


def _relative_factor(R: Array, M: Array) -> float:
    # M <= s^2 R^T R, with Y ~ R^{-1}: |Y^T (M) Y| bounds M in the coordinates w = Y^{-1} z, and
    # |Y^{-1} z| = |R z + (Y^{-1} - R) z| is compared with |R z| through E = R Y - I: |w| <= |R
    # z|/(1-|E|).
    Y = np.linalg.inv(R)
    E = spectral_norm_bound(matmul(Interval.point(R), Interval.point(Y)) - np.eye(len(R)))
    inner = spectral_norm_bound(
        matmul(matmul(Interval.point(Y.T), Interval.point(M)), Interval.point(Y))
    )
    if not E < 0.5:
        return np.inf
    return float((iv.sqrt(exact(inner)) / (1.0 - exact(E))).upper)


def _relative_factor_inverse(X: Array, M: Array) -> float:
    # z = X w reaches every z, and |z|_M^2 = w^T (X^T M X) w >= (1 - |X^T M X - I|) |w|^2, so that
    # |w| <= |z|_M / sqrt(1 - d).
    G = matmul(matmul(Interval.point(X.T), Interval.point(M)), Interval.point(X))
    d = spectral_norm_bound(G - np.eye(len(M)))
    if not d < 0.5:
        return np.inf
    return float((1.0 / iv.sqrt(1.0 - exact(d))).upper)


def product_up(a: float, b: float) -> float:
    """The product of two numbers, not below it; inf where one is not finite."""
    return float((exact(a) * exact(b)).upper) if np.isfinite(a) and np.isfinite(b) else np.inf
