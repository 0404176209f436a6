"""The norms that are asked for: given as numbers or as functions of the point, or to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final, overload

from numpy.typing import ArrayLike

from riemannian_modules.claims.norms import (
    L1,
    L2,
    LInf,
    definite_matrix,
    positive_weights,
)
from riemannian_modules.door import brief, number
from riemannian_modules.errors import MetricError
from riemannian_modules.shown import Shown

Written = Callable[[Any, Any, Any], Any]


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
    return L2(definite_matrix(metric))


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

    Raises:
        MetricError: For another number of features.
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
    return FreeL1() if weights is None else L1(positive_weights(weights))


def linf(weights: ArrayLike | None = None) -> LInf | FreeLInf:
    """The weighted linf norm; None for weights to be found. Raises MetricError for weights <= 0.

    Args:
        weights: (n,) > 0, one for each coordinate; None has them found.
    """
    return FreeLInf() if weights is None else LInf(positive_weights(weights))
