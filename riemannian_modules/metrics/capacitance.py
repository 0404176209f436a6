"""The triangular factor of ``mu I + W^T W``, and how far a solve with it has to be refined.

Sources: Bjorck (1987), Linear Algebra Appl. 88/89, 31-48 (corrected seminormal equations);
Golub and Van Loan (2013), Matrix Computations, 5.2 (QR by blocks of rows); Yip (1986), SIAM J. Sci.
Stat. Comput. 7, 507-513 (stability of Woodbury).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from array_api_compat import device as device_of
from array_api_compat import is_numpy_array

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of, rounding_unit
from riemannian_modules.metrics.cholesky import cholesky_factor
from riemannian_modules.metrics.factor import Factor

_GRAM_ERROR = 16.0  # roundings, in units of eps |G|, that a Gram matrix and its Cholesky make
_MOST_STEPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Capacitance:
    """``lower lower^T = mu I + W^T W``, lower (r, r); a solve takes ``steps`` of refinement.

    Where ``noisy``, a solve with it magnifies the rounding of its right-hand side enough to spoil
    what refinement has won; see ``ridge``.
    """

    lower: AnyArray
    steps: int
    noisy: bool


def capacitance(gram: AnyArray, mu: float, tall: Callable[[], Factor]) -> Capacitance:
    """Factor ``mu I + W^T W`` by Cholesky where it is safe, else by a QR of W's rows.

    With ``kappa = |W|^2 / mu``, a solve without refinement has backward error O(eps kappa). Each
    step of refinement multiplies that by rho, the relative error of the triangle: O(eps kappa) by
    Cholesky of the Gram matrix, O(eps sqrt(kappa)) by a QR of ``[W; sqrt(mu) I]``, which costs
    about ten times as much and so is kept for kappa above 3e10 (float64).

    Args:
        gram: ``W^T W``, shape (r, r).
        mu: Positive.
        tall: Gives W; called where QR is needed alone.

    Raises:
        MetricError: If mu is lost beside ``|W|^2`` (below about 1e-27 of it in float64), or the
            Gram matrix overflows.
    """
    if gram.shape[0] == 0:
        return Capacitance(gram, 0, noisy=False)
    eps = rounding_unit(gram)
    norm = _frobenius(gram)
    condition = norm / mu if mu > 0.0 else math.inf
    if not math.isfinite(norm):
        raise _overflow(norm, mu)
    rho = _GRAM_ERROR * eps * condition
    if rho <= eps ** (1.0 / (_MOST_STEPS + 1)):
        lower = cholesky_factor("mu I + W^T W", _shifted(gram, mu))
        return Capacitance(lower, _steps(rho, condition), noisy=False)
    rho = _GRAM_ERROR * eps * math.sqrt(condition)
    if rho > 0.1:
        raise MetricError(
            f"LowRankMetric: expected mu above {(160.0 * eps) ** 2:.1g} |U|^2, got mu = {mu:.3g} "
            f"beside |U|^2 = {condition * mu:.3g}: the metric is singular in floating point. "
            "Raise mu or scale U down."
        )
    return Capacitance(_lower_by_rows(tall(), mu), _steps(rho, condition), noisy=True)


def primal_lower(outer: AnyArray, mu: float, wide: Callable[[], Factor]) -> AnyArray:
    """Lower L with ``L L^T = mu I + W W^T``, W (n, r) with r >= n, in O(n^3) and O(n^2 r).

    By Cholesky where mu alone keeps the matrix definite, else by a QR of ``[W^T; sqrt(mu) I]``,
    whose triangle tells how well conditioned the matrix is: mu may be as small as it likes, even 0,
    where the columns of W span the space.

    Args:
        outer: ``W W^T``, shape (n, n).
        mu: At least 0.
        wide: Gives W^T; called where QR is needed alone.

    Raises:
        MetricError: If the matrix is singular in floating point, or overflows.
    """
    xp, size = namespace_of(outer), outer.shape[0]
    if size == 0:
        return outer
    eps, norm = rounding_unit(outer), _frobenius(outer)
    if not math.isfinite(norm):
        raise _overflow(norm, mu)
    if _GRAM_ERROR * eps * norm <= eps ** (1.0 / (_MOST_STEPS + 1)) * mu:
        return cholesky_factor("mu I + W W^T", _shifted(outer, mu))
    lower = _lower_by_rows(wide(), mu)
    sizes = xp.linalg.svdvals(lower)
    largest, least = float(sizes[0]), float(sizes[-1])
    if not _GRAM_ERROR * eps * largest <= 0.1 * least:
        raise MetricError(
            f"LowRankMetric: the metric is singular in floating point: its smallest eigenvalue is "
            f"{least**2:.3g} beside the largest, {largest**2:.3g}, with mu = {mu:.3g}. Raise mu "
            "or add columns in the directions that are missing."
        )
    return lower


def _frobenius(square: AnyArray) -> float:
    if is_numpy_array(square):  # in one product, where the other way forms all squares
        return float(np.linalg.norm(square))
    return float(namespace_of(square).linalg.matrix_norm(square))


def _shifted(square: AnyArray, mu: float) -> AnyArray:
    """``square + mu I``."""
    if is_numpy_array(square):
        shifted = square.copy()
        shifted.flat[:: len(shifted) + 1] += mu
        return shifted
    identity = namespace_of(square).eye(
        square.shape[0], dtype=square.dtype, device=device_of(square)
    )
    return square + mu * identity


def _overflow(norm: float, mu: float) -> MetricError:
    return MetricError(
        f"LowRankMetric: |U|^2 is {norm} (mu = {mu:.3g}). Expected finite numbers: scale U down "
        "or raise mu."
    )


def _steps(rho: float, condition: float) -> int:
    """The least k with ``rho^k kappa`` no more than a few: backward error at rounding level."""
    if condition <= _GRAM_ERROR:
        return 0
    return math.ceil(math.log(condition / _GRAM_ERROR) / -math.log(rho))


def _lower_by_rows(W: Factor, mu: float) -> AnyArray:
    # Each step folds a block of rows into the triangle: R^T R + B^T B = R'^T R'. So the memory
    # beside W is that of one block.
    xp, size, prototype = namespace_of(W.prototype), W.columns, W.prototype
    upper = math.sqrt(mu) * xp.eye(size, dtype=prototype.dtype, device=device_of(prototype))
    height = max(4 * size, 256)
    for start in range(0, W.dim, height):
        block = W.rows(start, min(start + height, W.dim))
        upper = xp.linalg.qr(xp.concat([upper, block], axis=0), mode="reduced")[1]
    signs = xp.where(xp.linalg.diagonal(upper) < 0, -1.0, 1.0)
    return xp.tril((xp.astype(signs, upper.dtype)[:, None] * upper).T)
