"""The norms in which contraction is claimed: weighted l1, l2 and linf, given or to be found.

Metrics of the l2 norm are constant, or change with the point: as M itself, or in coordinates
``dz = Theta dx`` with ``M = Theta^T Theta``.

Source: Lohmiller and Slotine (1998) for l2; Davydov, Jafarpour and Bullo, *Non-Euclidean
contraction theory*, for the weighted l1 and linf log-norms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final, overload

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.door import brief, number, number_array
from riemannian_modules.errors import MetricError
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class L2(Shown):
    """``|z|_M = sqrt(z^T M z)`` with a constant metric M (n, n)."""

    metric: Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class L1(Shown):
    """``sum_i w_i |z_i|`` with weights w (n,) > 0."""

    weights: Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LInf(Shown):
    """``max_i |z_i| / w_i`` with weights w (n,) > 0."""

    weights: Array


Matrix = tuple[tuple[sp.Expr, ...], ...]
Written = Callable[[Any, Any, Any], Any]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldL2(Shown):
    """``|z|_M`` with a metric M(x, u, p) that changes with the point.

    Attributes:
        entries: M (n, n), symmetric, in a problem's symbols.
        rates: For inputs that M mentions, how they change with time.
    """

    entries: Matrix
    rates: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict[sp.Symbol, sp.Expr])


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FactorL2(Shown):
    """``|Theta z|_2``: the metric ``M = Theta^T Theta`` of coordinates ``dz = Theta(x, u, p) dx``.

    Attributes:
        entries: Theta (n, n), in a problem's symbols.
        rates: For inputs that Theta mentions, how they change with time.
    """

    entries: Matrix
    rates: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict[sp.Symbol, sp.Expr])


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WrittenL2(Shown):
    """A metric M as a user wrote it: ``metric(x, u, p)`` in NumPy, (n, n); traced when used.

    ``rates(x, u, p)`` gives the time derivatives of the inputs that M mentions, by their names.
    """

    metric: Written
    rates: Written | None = None


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WrittenFactor(Shown):
    """Coordinates Theta as a user wrote them: ``theta(x, u, p)`` in NumPy, (n, n)."""

    theta: Written
    rates: Written | None = None


@final
@dataclass(frozen=True, slots=True, repr=False)
class FreePolynomialL2(Shown):
    """Some metric whose entries are polynomials of the state of a degree, to be found."""

    degree: int
    condition: float = 1e12


@final
@dataclass(frozen=True, slots=True, repr=False)
class FreeLearnedL2(Shown):
    """Some smooth metric, learned from samples of the region and then proved."""

    features: int = 3


@final
@dataclass(frozen=True, slots=True, repr=False)
class FreeL2(Shown):
    """Some constant metric, to be found, with a condition number of at most ``condition``."""

    condition: float = 1e12


@final
@dataclass(frozen=True, slots=True, repr=False)
class FreeL1(Shown):
    """Some weighted l1 norm, to be found."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class FreeLInf(Shown):
    """Some weighted linf norm, to be found."""


Norm = L2 | L1 | LInf | FieldL2 | FactorL2
FreeNorm = FreeL2 | FreeL1 | FreeLInf | FreePolynomialL2 | FreeLearnedL2
WrittenNorm = WrittenL2 | WrittenFactor


@overload
def l2(metric: Written, *, rates: Written | None = None) -> WrittenL2: ...
@overload
def l2(metric: ArrayLike) -> L2: ...
@overload
def l2(metric: None = None, *, condition: float = 1e12) -> FreeL2: ...
@overload
def l2(metric: None = None, *, degree: int, condition: float = 1e12) -> FreePolynomialL2: ...
def l2(
    metric: ArrayLike | Written | None = None,
    *,
    condition: float = 1e12,
    degree: int | None = None,
    rates: Written | None = None,
) -> L2 | FreeL2 | WrittenL2 | FreePolynomialL2:
    """The l2 norm of a metric: given, or to be found.

    Args:
        metric: A matrix (n, n); a function ``metric(x, u, p)`` of the point, in NumPy as
            `equations` are, that returns one; or None for one to be found.
        condition: The largest condition number of a metric that is found.
        degree: To find a metric whose entries are polynomials of the state of this degree; None
            for a constant one.
        rates: For a metric that mentions inputs: ``rates(x, u, p)`` returns their time derivatives
            by name, such as ``{"q": u.qd}``. They may not depend on the state: two trajectories
            are compared under the same inputs.

    Raises:
        MetricError: If the matrix is not symmetric positive definite (proved, not guessed).
    """
    if metric is None:
        if not number("l2: condition", condition) >= 1:
            raise MetricError(f"Expected a condition number of at least 1, got {condition}.")
        if degree is None:
            return FreeL2(float(condition))
        if not isinstance(degree, int) or not 0 <= degree <= 12:
            raise MetricError(f"l2: expected a degree from 0 to 12, got {degree!r}.")
        return FreePolynomialL2(degree, float(condition))
    if callable(metric):
        return WrittenL2(metric, _function_or_none("l2: rates", rates))
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


def coordinates(theta: Written, *, rates: Written | None = None) -> WrittenFactor:
    """The metric ``M = Theta^T Theta`` of given coordinates ``dz = Theta(x, u, p) dx``.

    Args:
        theta: ``theta(x, u, p)`` in NumPy returns Theta (n, n), which must be regular.
        rates: Time derivatives of the inputs that Theta mentions, as for `l2`.

    Raises:
        MetricError: If ``theta`` is no function.

    Source: Lohmiller and Slotine (1998), section 3: generalised Jacobians.
    """
    if not callable(theta):
        raise MetricError(
            f"coordinates: expected a function theta(x, u, p), got {brief(theta)}. For constant "
            "coordinates pass the metric itself: l2(Theta.T @ Theta)."
        )
    return WrittenFactor(theta, _function_or_none("coordinates: rates", rates))


def learned_l2(features: int = 3) -> FreeLearnedL2:
    """A metric with so many hidden units, learned from samples of the region, then proved on it.

    Args:
        features: The number of hidden units, from 1 to 64.
    """
    if not isinstance(features, int) or not 1 <= features <= 64:
        raise MetricError(f"learned_l2: expected 1 to 64 features, got {features!r}.")
    return FreeLearnedL2(features)


def _function_or_none(where: str, value: object) -> Any:
    if value is not None and not callable(value):
        raise MetricError(f"{where}: expected a function rates(x, u, p), got {brief(value)}.")
    return value


def l1(weights: ArrayLike | None = None) -> L1 | FreeL1:
    """The weighted l1 norm; None for weights to be found. Raises MetricError for weights <= 0.

    Args:
        weights: (n,) > 0, one for each coordinate; None has them found.
    """
    return FreeL1() if weights is None else L1(_positive(weights))


def linf(weights: ArrayLike | None = None) -> LInf | FreeLInf:
    """The weighted linf norm; None for weights to be found. Raises MetricError for weights <= 0.

    Args:
        weights: (n,) > 0, one for each coordinate; None has them found.
    """
    return FreeLInf() if weights is None else LInf(_positive(weights))


def proved_norm(norm: Norm) -> Norm:
    """The norm, proved to be one: a metric symmetric positive definite, weights positive.

    Norms that a search found, or that were made without `l2`, `l1` and `linf`, pass here before any
    bound rests on them. Metrics that change with the point are proved definite box by box, with
    the bound. Raises MetricError.
    """
    if isinstance(norm, (FieldL2, FactorL2)):
        return norm
    if isinstance(norm, L2):
        return l2(norm.metric)
    found = l1(norm.weights) if isinstance(norm, L1) else linf(norm.weights)
    assert isinstance(found, (L1, LInf))  # only None gives a free norm
    return found


def _positive(weights: ArrayLike) -> Array:
    w = number_array("Weights", weights, MetricError)
    if w.ndim != 1 or not (np.isfinite(w) & (w > 0)).all():
        raise MetricError(f"Weights are a vector of positive, finite numbers; got {w.tolist()}.")
    return w
