"""Scalar functions of activations: value, slope, their enclosures, and the exact form.

Enclosures take monotone functions at the ends of an interval, and others at the ends and at the
critical points inside.

Sources: Hendrycks and Gimpel (2016), arXiv:1606.08415 (GELU); Elfwing, Uchibe and Doya (2018),
Neural Networks 107, 3-11 (SiLU); Clevert, Unterthiner and Hochreiter (2016), arXiv:1511.07289
(ELU); Clarke (1983), Optimization and Nonsmooth Analysis (slopes at kinks).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False)
class ScalarFunction:
    """A function of one number, applied to each entry of an array.

    Attributes:
        value: The function on floats.
        slope: Its derivative on floats.
        enclose_value: Enclosure of its values over intervals, which may be infinite.
        enclose_slope: Enclosure of its derivative; at kinks all slopes between left and right.
        exact: The function in NumPy code that can be traced.
        slope_at_value: The derivative by the value, for functions whose value says it cheaply.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    enclose_value: Callable[[Interval], Interval]
    enclose_slope: Callable[[Interval], Interval]
    exact: Callable[[Any], Any]
    slope_at_value: Callable[[Array], Array] | None = None


@cache
def _special() -> Any:
    from scipy import special

    return special


@cache
def _iv() -> Any:
    from riemannian_modules.arithmetic import interval

    return interval


def _tanh_slope(t: Array) -> Array:
    return 1.0 - t * t


TANH = ScalarFunction(
    np.tanh,
    lambda u: _tanh_slope(np.tanh(u)),
    lambda u: _iv().tanh(u),
    lambda u: _iv().sech2(u),
    np.tanh,
    _tanh_slope,
)


def _sigmoid_slope(s: Array) -> Array:
    return s * (1.0 - s)


SIGMOID = ScalarFunction(
    lambda u: _special().expit(u),
    lambda u: _sigmoid_slope(_special().expit(u)),
    lambda u: _iv().sigmoid(u),
    lambda u: 0.25 * _iv().sech2(0.5 * u),
    lambda u: _special().expit(u),
    _sigmoid_slope,
)

SOFTPLUS = ScalarFunction(
    lambda u: np.logaddexp(0.0, u),
    lambda u: _special().expit(u),
    lambda u: _iv().softplus(u),
    lambda u: _iv().sigmoid(u),
    lambda u: np.logaddexp(u, 0.0),
)


def _kinked(u: Interval, left: Interval, right: float) -> Interval:
    """``left`` where u < 0, ``right`` where u > 0, the hull where the kink at zero is inside."""
    lower = np.where(
        u.lower > 0, right, np.where(u.upper < 0, left.lower, np.minimum(left.lower, right))
    )
    upper = np.where(
        u.lower > 0, right, np.where(u.upper < 0, left.upper, np.maximum(left.upper, right))
    )
    unknown = np.where(u.is_decided, 0.0, np.nan)
    return type(u)(lower + unknown, upper + unknown)


def leaky_relu(leak: float) -> ScalarFunction:
    """``u`` where positive, ``leak u`` elsewhere; its slope at zero is ``leak``."""
    return ScalarFunction(
        lambda u: np.where(u > 0, u, leak * u),
        lambda u: np.where(u > 0, 1.0, leak),
        lambda u: _iv().maximum(u, 0.0) + leak * _iv().minimum(u, 0.0),
        lambda u: _kinked(u, _iv().Interval.point(np.full(u.shape, leak)), 1.0),
        # For leak <= 1 this is the larger of both branches, with the second's slope at zero.
        lambda u: np.maximum(u, leak * u),
    )


RELU = ScalarFunction(
    lambda u: np.maximum(u, 0.0),
    lambda u: np.heaviside(u, 0.0),
    lambda u: _iv().maximum(u, 0.0),
    leaky_relu(0.0).enclose_slope,
    lambda u: np.maximum(u, 0.0),
)


def saturation(low: Array, high: Array) -> ScalarFunction:
    """``min(max(u, low), high)`` with limits (n,) for the n entries; its slope at a limit is 0."""

    def enclose_slope(u: Interval) -> Interval:
        lower = np.where((u.lower > low) & (u.upper < high), 1.0, 0.0)
        upper = np.where((u.upper < low) | (u.lower > high), 0.0, 1.0)
        unknown = np.where(u.is_decided, 0.0, np.nan)
        return type(u)(lower + unknown, upper + unknown)

    return ScalarFunction(
        lambda u: np.minimum(np.maximum(u, low), high),
        lambda u: np.where((u > low) & (u < high), 1.0, 0.0),
        lambda u: _iv().minimum(_iv().maximum(u, low), high),
        enclose_slope,
        # The limit stands second, so that the slope there is the limit's.
        lambda u: np.minimum(np.maximum(u, low), high),
    )


def elu(alpha: float) -> ScalarFunction:
    """``u`` where u >= 0, ``alpha (exp(u) - 1)`` below; smooth for alpha = 1."""
    return ScalarFunction(
        lambda u: np.where(u >= 0, u, alpha * np.expm1(np.minimum(u, 0.0))),
        lambda u: np.where(u >= 0, 1.0, alpha * np.exp(np.minimum(u, 0.0))),
        lambda u: _iv().maximum(u, 0.0) + alpha * _iv().expm1(_iv().minimum(u, 0.0)),
        lambda u: _kinked(u, alpha * _iv().exp(_iv().minimum(u, 0.0)), 1.0),
        # The branch below zero sees no positive argument, so that its enclosures stay small.
        lambda u: np.where(u >= 0, u, alpha * np.expm1(np.minimum(u, 0.0))),
    )


def _piecewise_monotone(
    function: Callable[[Any], Any],
    turns: tuple[tuple[float, float], ...],
    limits: tuple[float, float],
) -> Callable[[Interval], Interval]:
    """Enclosures of a function that is monotone between its turning points.

    Args:
        function: Encloses it over narrow intervals.
        turns: Brackets of all turning points.
        limits: Its limits at minus and plus infinity.
    """

    def enclose(u: Interval) -> Interval:
        make = type(u)
        low, high = _thin(function, u.lower, limits), _thin(function, u.upper, limits)
        lower, upper = np.minimum(low.lower, high.lower), np.maximum(low.upper, high.upper)
        for a, b in turns:
            inside = (u.lower <= b) & (u.upper >= a)
            turn = function(make(np.array(a), np.array(b)))
            lower = np.where(inside, np.minimum(lower, turn.lower), lower)
            upper = np.where(inside, np.maximum(upper, turn.upper), upper)
        return make(lower, upper)

    return enclose


def _thin(function: Callable[[Any], Any], end: Array, limits: tuple[float, float]) -> Any:
    """The function at one end of each interval, which may be infinite."""
    finite = np.where(np.isinf(end), 0.0, end)
    at = function(_iv().Interval(finite, finite))
    for infinity, limit in zip((-np.inf, np.inf), limits, strict=True):
        at = type(at)(
            np.where(end == infinity, limit, at.lower), np.where(end == infinity, limit, at.upper)
        )
    return at


def _clipped(value: Any, least: Any, most: Any) -> Any:
    """The intersection with bounds that are known otherwise; undecided stays undecided."""
    return type(value)(np.maximum(value.lower, least), np.minimum(value.upper, most))


def _normal_density(u: Any) -> Any:
    return _iv().exp(-0.5 * _iv().square(u)) * _iv().Interval(
        # 1 / sqrt(2 pi) = 0.39894228040143267794...
        np.array(0.39894228040143265), np.array(0.39894228040143270)
    )  # fmt: skip


def _normal_distribution(u: Any) -> Any:
    return 0.5 * (1.0 + _iv().erf(u / _iv().sqrt(2.0)))


def _gelu_thin(u: Any) -> Any:
    # Left of zero -phi(u) <= u Phi(u) <= 0 (Mills' ratio), which holds where 1 + erf has cancelled.
    value = u * _normal_distribution(u)
    below = np.where(u.upper <= 0, -_normal_density(u).upper, -0.17)
    return _clipped(value, np.maximum(below, -0.17), np.maximum(u.upper, 0.0))


def _gelu_slope_thin(u: Any) -> Any:
    return _clipped(_normal_distribution(u) + u * _normal_density(u), -0.13, 1.13)


# u Phi(u) turns where Phi(u) + u phi(u) = 0, its slope where (2 - u^2) phi(u) = 0.
GELU_TURN = (-0.7517915246936, -0.7517915246935)
GELU_SLOPE_TURN = (1.4142135623730949, 1.4142135623730954)


def _gelu_slope(u: Array) -> Array:
    density = np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    return _special().ndtr(u) + u * density


GELU = ScalarFunction(
    lambda u: u * _special().ndtr(u),
    _gelu_slope,
    _piecewise_monotone(_gelu_thin, (GELU_TURN,), (0.0, np.inf)),
    _piecewise_monotone(
        _gelu_slope_thin, ((-GELU_SLOPE_TURN[1], -GELU_SLOPE_TURN[0]), GELU_SLOPE_TURN), (0.0, 1.0)
    ),
    # The root is of a traced 2, so that the exact form holds sqrt(2) and not a double near it.
    lambda u: u * (1.0 + _special().erf(u / np.sqrt(np.full_like(u, 2.0)))) / 2.0,
)


def _silu_thin(u: Any) -> Any:
    return _clipped(u * _iv().sigmoid(u), -0.28, np.maximum(u.upper, 0.0))


def _silu_slope_thin(u: Any) -> Any:
    s = _iv().sigmoid(u)
    return _clipped(s * (1.0 + u * _iv().sigmoid(-u)), -0.1, 1.1)


# u s(u) turns where 1 + u s(-u) = 0, its slope where u tanh(u / 2) = 2.
SILU_TURN = (-1.27846454277, -1.27846454276)
SILU_SLOPE_TURN = (2.39935728051, 2.39935728052)


def _silu_slope(u: Array) -> Array:
    s = _special().expit(u)
    return s * (1.0 + u * _special().expit(-u))


SILU = ScalarFunction(
    lambda u: u * _special().expit(u),
    _silu_slope,
    _piecewise_monotone(_silu_thin, (SILU_TURN,), (0.0, np.inf)),
    _piecewise_monotone(
        _silu_slope_thin,
        ((-SILU_SLOPE_TURN[1], -SILU_SLOPE_TURN[0]), SILU_SLOPE_TURN),
        (0.0, 1.0),
    ),
    lambda u: u * _special().expit(u),
)
