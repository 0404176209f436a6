"""What is computed of any module at a point, in the cheapest way that it has.

Source: Griewank and Walther (2008), Evaluating Derivatives, 2nd edition, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riemannian_modules.modules.capability import (
    JointMap,
    StagedMap,
    StatedAccuracy,
    TangentMap,
)
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array

_ROUNDING = float(np.finfo(np.float64).eps)


def output_then_differential(
    module: RiemannianModule, x: Array, u: Array, theta: Array
) -> tuple[Array, Callable[[], Differential]]:
    """The outputs (..., q), and what gives the differential if it is called."""
    if isinstance(module, StagedMap):
        return module.output_then_differential(x, u, theta)
    return module.output(x, u, theta), lambda: module.differential(x, u, theta)


def output_with_differential(
    module: RiemannianModule, x: Array, u: Array, theta: Array
) -> tuple[Array, Differential]:
    """The outputs (..., q) and the differential, where both are needed."""
    if isinstance(module, JointMap):
        return module.output_with_differential(x, u, theta)
    y, differential = output_then_differential(module, x, u, theta)
    return y, differential()


def push_forward(
    module: RiemannianModule, x: Array, u: Array, theta: Array, t_x: Array, t_u: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Values ``(dx, y)`` and their tangents along ``t_x`` (..., n, k), ``t_u`` (..., m, k).

    Tangents that are the same at every point of a batch may come back without its axes.
    """
    if isinstance(module, TangentMap):
        return module.push_forward(x, u, theta, t_x, t_u)
    return module.forward(x, u, theta), module.differential(x, u, theta).push(t_x, t_u)


def accuracy_of(module: RiemannianModule) -> float:
    """How exactly outputs are computed, relative to their size: rounding, unless it says more."""
    return module.accuracy if isinstance(module, StatedAccuracy) else _ROUNDING
