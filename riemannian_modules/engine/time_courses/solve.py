"""A trajectory with its sensitivities by LSODA, on one stretch where nothing jumps.

State and sensitivities are one system ``x' = f, S' = A S + F D``; Newton's method uses its block
diagonal A, a band, so that a step costs as many small factorisations as there are directions.
Source: Maly and Petzold (1996), Applied Numerical Mathematics 20, 57-79 (simultaneous corrector).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.engine.time_courses.flow_field import Linearised
from riemannian_modules.engine.time_courses.sensitivity_code import (
    MOST_PRODUCTS,
    count_products,
    product_code,
)
from riemannian_modules.integration.automatic import LARGEST_STEP_COUNT
from riemannian_modules.integration.problem import Numbers, StoppedError
from riemannian_modules.space import Array

Inputs = Callable[[float], list[float]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """Local errors below ``relative |x| + absolute`` with one absolute part a state, (n,)."""

    relative: float
    absolute: Array


def solve_stretch(
    linearised: Linearised,
    u: Inputs,
    directions: Array,
    grid: Array,
    corners: Array,
    start: Array,
    d_start: Array,
    precision: Precision,
    largest_step: float,
) -> tuple[Array, Array]:
    """States (T, n) and sensitivities (T, n, k) on a grid (T,), of which the first is the start's.

    Args:
        linearised: The flow, ``(x, u) -> (f, [A, F])`` with F (n, q).
        u: The inputs over time.
        directions: D (q, k): how what the flow is differentiated in moves along each direction.
        grid: Increasing times.
        corners: Those among them that no step passes over, the last included.
        start: The state, (n,).
        d_start: Its derivative along the directions, (n, k).
        precision: Of states, and of sensitivities likewise.
        largest_step: No step is longer.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    from scipy.integrate import ODEintWarning, odeint

    n, k = d_start.shape
    velocity = _velocity(linearised, u, directions, n, k)
    band = _band(n)

    def newton(t: float, z: Array) -> Array:
        J = linearised.matrix(z[:n].tolist(), u(t))
        packed = np.zeros((2 * n - 1, n))
        packed[band] = J[:, :n].ravel()
        return np.tile(packed, 1 + k)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        z, told = odeint(
            velocity, np.concatenate([start, d_start.T.ravel()]), grid, Dfun=newton,
            ml=n - 1, mu=n - 1, tfirst=True, full_output=True,
            rtol=precision.relative, atol=np.tile(precision.absolute, 1 + k), tcrit=corners,
            mxstep=LARGEST_STEP_COUNT,
            hmax=largest_step if np.isfinite(largest_step) else 0.0,
        )  # fmt: skip
    if told["message"] != "Integration successful." or not np.isfinite(z).all():
        raise StoppedError(float(told["tcur"].max()), start, str(told["message"]))
    return z[:, :n], np.swapaxes(z[:, n:].reshape(len(grid), k, n), 1, 2)


def _velocity(
    linearised: Linearised, u: Inputs, directions: Array, n: int, k: int
) -> Callable[[float, Array], Any]:
    """The derivative of state and sensitivities: by Python's floats, or by matrices where many."""
    values = linearised.values
    moved = tuple((int(q), int(c)) for q, c in np.argwhere(directions))
    if count_products(n, k, linearised.places, moved) <= MOST_PRODUCTS:
        product = product_code(n, k, linearised.places, moved)
        D = [float(directions[place]) for place in moved]

        def scalars(t: float, z: Array) -> Numbers:
            numbers = z.tolist()
            found = values(numbers[:n], u(t))
            if not math.isfinite(sum(found)):
                raise _undefined(t, z[:n])
            return product(found, numbers[n:], D)

        return scalars
    combined = np.empty((k, n + len(directions)))  # [S^T, D^T], times [A, F]^T it is S'^T
    combined[:, n:] = directions.T
    J, index, slope = np.zeros(linearised.shape), linearised.index, np.empty((1 + k, n))

    def matrices(t: float, z: Array) -> Array:
        found = values(z[:n].tolist(), u(t))
        if not math.isfinite(sum(found)):
            raise _undefined(t, z[:n])
        J[index] = found[n:]
        combined[:, :n] = z[n:].reshape(k, n)
        slope[0] = found[:n]
        np.matmul(combined, J.T, out=slope[1:])
        return slope.ravel()

    return matrices


def _undefined(t: float, x: Array) -> StoppedError:
    return StoppedError(t, x.copy(), "the derivative is NaN or infinite.")


def _band(n: int) -> tuple[list[int], list[int]]:
    """Where the entries of an n by n matrix stand in the band that LSODA takes."""
    i, j = np.indices((n, n))
    return (i - j + n - 1).ravel().tolist(), j.ravel().tolist()
