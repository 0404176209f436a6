"""Factors S of output metrics ``G = S S^T``: where the backward recursion of the metric starts.

Sources: Amari (1998), Neural Computation 10, 251-276 (Fisher); Martens (2020), JMLR 21(146)
(Fisher and Gauss-Newton of exponential families); Schraudolph (2002), Neural Computation 14.

Outputs have shape (..., d), any number of leading batch axes; factors have shape (..., d, r).
A Fisher metric depends on the coordinates of the family; the names say which.
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.door import require, whole_number
from riemannian_modules.errors import DomainError, MetricError
from riemannian_modules.metrics.array import (
    AnyArray,
    like,
    namespace_of,
    real_array,
    rounding_unit,
)
from riemannian_modules.metrics.dense import check_symmetric


def euclidean_factor(outputs: AnyArray) -> AnyArray:
    """S = I for every output; outputs (..., d), S (..., d, d). With it, Gauss-Newton.

    Args:
        outputs: (..., d); their shape counts, not their values.
    """
    y = real_array("outputs", outputs)
    _check_axes("euclidean_factor", y, 1)
    return _diagonal(namespace_of(y).ones_like(y))


def categorical_fisher_factor(probabilities: AnyArray) -> AnyArray:
    """Fisher metric of the logits, ``diag(p) - p p^T``, at probabilities p (..., d).

    Args:
        probabilities: p, (..., d), nonnegative, of sum 1 along the last axis.

    Returns:
        ``diag(sqrt p) - p sqrt(p)^T``, shape (..., d, d), of rank d - 1.

    Raises:
        DomainError: If probabilities are negative or do not sum to one.
    """
    p = real_array("probabilities", probabilities)
    _check_axes("categorical_fisher_factor", p, 1)
    xp = namespace_of(p)
    gap = float(xp.max(xp.abs(xp.sum(p, axis=-1) - 1.0)))
    if float(xp.min(p)) < 0.0 or gap > 16 * p.shape[-1] * math.sqrt(rounding_unit(p)):
        raise DomainError(
            "categorical_fisher_factor: expected probabilities, at least 0 with sum 1 along the "
            f"last axis, got minimum {float(xp.min(p)):.3g} and a sum {gap:.3g} off. For logits "
            "use categorical_fisher_factor_of_logits."
        )
    return _categorical(p / xp.sum(p, axis=-1, keepdims=True))


def categorical_fisher_factor_of_logits(logits: AnyArray) -> AnyArray:
    """The same metric from logits (..., d), by a softmax that cannot overflow; S (..., d, d).

    Args:
        logits: (..., d), along the last axis up to a constant log p.
    """
    z = real_array("logits", logits)
    _check_axes("categorical_fisher_factor_of_logits", z, 1)
    xp = namespace_of(z)
    weights = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return _categorical(weights / xp.sum(weights, axis=-1, keepdims=True))


def bernoulli_fisher_factor(probabilities: AnyArray) -> AnyArray:
    """Fisher metric of the logits, ``p (1 - p)`` each, at independent p (..., d); S (..., d, d).

    Args:
        probabilities: p, (..., d), in [0, 1].

    Raises:
        DomainError: If a probability lies outside [0, 1].
    """
    p = _in_unit_interval("bernoulli_fisher_factor", probabilities)
    return _diagonal((p * (1.0 - p)) ** 0.5)


def bernoulli_fisher_factor_of_logits(logits: AnyArray) -> AnyArray:
    """The same metric from logits (..., d), accurate where p rounds to 0 or 1; S (..., d, d).

    Args:
        logits: log(p / (1 - p)), (..., d).
    """
    z = real_array("logits", logits)
    _check_axes("bernoulli_fisher_factor_of_logits", z, 1)
    xp = namespace_of(z)
    # p (1 - p) = e^-|z| / (1 + e^-|z|)^2, and its root has half the exponent.
    return _diagonal(xp.exp(-0.5 * xp.abs(z)) / (1.0 + xp.exp(-xp.abs(z))))


def poisson_fisher_factor(rates: AnyArray) -> AnyArray:
    """Fisher metric of the log rates, ``lambda`` each, at independent rates (..., d) > 0.

    Args:
        rates: lambda, (..., d), positive.

    Returns:
        ``diag(sqrt(lambda))``, shape (..., d, d).

    Raises:
        DomainError: If a rate is not positive.
    """
    return _diagonal(_positive("poisson_fisher_factor", "rates", rates) ** 0.5)


def poisson_mean_fisher_factor(rates: AnyArray) -> AnyArray:
    """Fisher metric of the rates themselves, ``1 / lambda`` each; shapes and errors as above.

    Args:
        rates: lambda, (..., d), positive.
    """
    return _diagonal(1.0 / _positive("poisson_mean_fisher_factor", "rates", rates) ** 0.5)


def gaussian_fisher_factor(scale: AnyArray) -> AnyArray:
    """Fisher metric of the means, ``1 / scale^2`` each, at known standard deviations (..., d).

    Args:
        scale: Standard deviations, (..., d), positive, in the outputs' units.

    Returns:
        ``diag(1 / scale)``, shape (..., d, d).

    Raises:
        DomainError: If a standard deviation is not positive.
    """
    return _diagonal(1.0 / _positive("gaussian_fisher_factor", "scale", scale))


def gaussian_scale_fisher_factor(scale: AnyArray) -> AnyArray:
    """Fisher metric of means and log standard deviations, at standard deviations (..., d).

    The outputs are (mean_1 ... mean_d, log scale_1 ... log scale_d): ``1 / scale^2``, then 2 each.

    Args:
        scale: Standard deviations, (..., d), positive, in the outputs' units.

    Returns:
        Shape (..., 2 d, 2 d), diagonal.

    Raises:
        DomainError: If a standard deviation is not positive.
    """
    s = _positive("gaussian_scale_fisher_factor", "scale", scale)
    xp = namespace_of(s)
    return _diagonal(xp.concat([1.0 / s, math.sqrt(2.0) * xp.ones_like(s)], axis=-1))


def hessian_factor(hessians: AnyArray) -> AnyArray:
    """Factor of loss Hessians or any other output metrics; (..., d, d), positive semidefinite.

    Args:
        hessians: (..., d, d), symmetric, positive semidefinite.

    Returns:
        ``V diag(sqrt(lambda))`` from the eigendecomposition, shape (..., d, d); O(d^3) each.

    Raises:
        DomainError: If a Hessian holds NaN or infinities.
        MetricError: If one is not square, not symmetric, or has an eigenvalue below rounding.
    """
    H = real_array("hessians", hessians)
    _check_axes("hessian_factor", H, 2)
    if H.shape[-1] != H.shape[-2]:
        raise MetricError(f"hessian_factor: expected shape (..., d, d), got {tuple(H.shape)}.")
    check_symmetric("hessian_factor", H)
    xp = namespace_of(H)
    values, vectors = xp.linalg.eigh(0.5 * (H + xp.matrix_transpose(H)))
    noise = 16 * H.shape[-1] * rounding_unit(H) * xp.max(xp.abs(values), axis=-1)
    worst = xp.reshape(values[..., 0] + noise, (-1,))
    at = int(xp.argmin(worst))
    if float(worst[at]) < 0.0:
        vector = xp.reshape(vectors[..., :, 0], (-1, H.shape[-1]))[at, :]
        raise MetricError(
            "hessian_factor: expected positive semidefinite matrices, got eigenvalue "
            f"{float(xp.reshape(values[..., 0], (-1,))[at]):.6g} in number {at} with eigenvector "
            f"[{', '.join(f'{float(entry):.3g}' for entry in vector[:6])}]. Use the Fisher metric "
            "or Gauss-Newton, which are never indefinite."
        )
    return vectors * xp.sqrt(xp.clip(values, 0.0, None))[..., None, :]


def sketch(factors: AnyArray, rng: np.random.Generator, columns: int) -> AnyArray:
    """Mix the columns of S at random into fewer: ``S W`` with ``E[W W^T] = I``.

    W has independent random signs over ``sqrt(columns)``, afresh for every point of the batch, so
    that ``E[(S W)(S W)^T] = S S^T``.

    Args:
        factors: S, shape (..., d, r).
        rng: The randomness.
        columns: The number k of columns wanted, at least 1.

    Returns:
        Shape (..., d, k).

    Raises:
        MetricError: If ``columns`` < 1 or S is no matrix.
    """
    factors = real_array("sketch", factors)
    _check_axes("sketch", factors, 2)
    whole_number("sketch: columns", columns, 1, MetricError)
    if math.prod(factors.shape) * columns > 2**33:
        raise MetricError(f"sketch: {columns} columns do not fit in memory; take fewer.")
    require("sketch", rng, np.random.Generator, "a generator such as np.random.default_rng(0)")
    shape = (*factors.shape[:-2], factors.shape[-1], columns)
    signs = rng.integers(0, 2, shape) * 2.0 - 1.0
    return factors @ like(factors, signs / math.sqrt(columns))


def _categorical(p: AnyArray) -> AnyArray:
    # (diag(q) - p q^T)(diag(q) - q p^T) = diag(p) - 2 p p^T + p (q.q) p^T with q = sqrt p, q.q = 1.
    q = p**0.5
    return _diagonal(q) - p[..., :, None] * q[..., None, :]


def _diagonal(weights: AnyArray) -> AnyArray:
    """(..., d) as diagonal matrices (..., d, d)."""
    xp = namespace_of(weights)
    eye = like(weights, np.eye(weights.shape[-1]))
    return xp.expand_dims(weights, axis=-1) * eye


def _positive(where: str, name: str, values: AnyArray) -> AnyArray:
    array = real_array(name, values)
    _check_axes(where, array, 1)
    least = float(namespace_of(array).min(array))
    if not least > 0.0:
        raise DomainError(f"{where}: expected positive {name}, got minimum {least:.6g}.")
    return array


def _in_unit_interval(where: str, values: AnyArray) -> AnyArray:
    p = real_array("probabilities", values)
    _check_axes(where, p, 1)
    xp = namespace_of(p)
    least, most = float(xp.min(p)), float(xp.max(p))
    if least < 0.0 or most > 1.0:
        raise DomainError(
            f"{where}: expected probabilities in [0, 1], got {least:.6g} to {most:.6g}. For logits "
            "use bernoulli_fisher_factor_of_logits."
        )
    return p


def _check_axes(where: str, values: AnyArray, least: int) -> None:
    if values.ndim < least or 0 in values.shape:
        raise MetricError(
            f"{where}: expected a non-empty array of {least} or more axes, got shape "
            f"{tuple(values.shape)}."
        )
