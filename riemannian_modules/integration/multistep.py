"""A trajectory with its sensitivities by LSODA, on one stretch where nothing jumps.

State and sensitivities are one system ``x' = f, S' = A S + F D``; Newton's method uses its block
diagonal A, a band, so that a step costs as many small factorisations as there are directions.
Source: Maly and Petzold (1996), Applied Numerical Mathematics 20, 57-79 (simultaneous corrector).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.integration.automatic import LARGEST_STEP_COUNT
from riemannian_modules.integration.linearised import Linearised
from riemannian_modules.integration.problem import StepTolerances, StoppedError
from riemannian_modules.integration.sensitivity_code import (
    MOST_PRODUCTS,
    count_products,
    product_code,
)
from riemannian_modules.spaces import Array

InputFunction = Callable[[float], list[float]]
RateFunction = Callable[[float, Array], Any]


def solve_stretch(
    linearised: Linearised,
    u: InputFunction,
    directions: Array,
    grid: Array,
    corners: Array,
    start: Array,
    tolerances: StepTolerances,
    most_steps: int = LARGEST_STEP_COUNT,
) -> Array:
    """States and sensitivities (T, n, 1 + k) at times (T,), of which the first is the start's.

    Args:
        linearised: The flow, ``(x, u) -> (f, [A, F])`` with F (n, q).
        u: The inputs over time.
        directions: D (q, k): how what the flow is differentiated in moves along each direction.
        grid: Increasing times.
        corners: Those among them that no step passes over, the last included.
        start: The state, and beside it its derivatives along the directions, (n, 1 + k).
        tolerances: Of states and of sensitivities; the absolute one (n,) for both, or (n, 1 + k).
        most_steps: From one time to the next.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity, or takes more steps.
    """
    from scipy.integrate import ODEintWarning, odeint

    (n, columns), largest = start.shape, tolerances.largest_step
    absolute = np.asarray(tolerances.atol, dtype=np.float64)
    absolute = np.broadcast_to(absolute if absolute.ndim == 2 else absolute[:, None], start.shape)
    velocity = _velocity(linearised, u, directions, n, columns - 1)
    options: dict[str, Any] = {"Dfun": lambda t, x: linearised.matrix(x.tolist(), u(t))[:, :n]}
    if columns > 1:
        options = {"Dfun": _band_matrix(linearised, u, columns), "ml": n - 1, "mu": n - 1}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ODEintWarning)
        z, told = odeint(
            velocity, start.T.ravel(), grid, tfirst=True, full_output=True, rtol=tolerances.rtol,
            atol=absolute.T.ravel(), tcrit=corners, mxstep=most_steps,
            hmax=largest if np.isfinite(largest) else 0.0, **options,
        )  # fmt: skip
    if told["message"] != "Integration successful." or not np.isfinite(z).all():
        raise StoppedError(float(told["tcur"].max()), start[:, 0], str(told["message"]))
    return np.swapaxes(z.reshape(len(grid), columns, n), 1, 2)


def _velocity(
    linearised: Linearised, u: InputFunction, directions: Array, n: int, k: int
) -> RateFunction:
    """The derivative of state and sensitivities: by Python's floats, or by matrices where many."""
    moved = tuple((int(q), int(c)) for q, c in np.argwhere(directions))
    if not k:
        return _states_alone(linearised, u)
    if count_products(n, k, linearised.places, moved) > MOST_PRODUCTS:
        return _by_matrices(linearised, u, directions, n, k)
    values = linearised.values
    product = product_code(n, k, linearised.places, moved)
    D = [float(directions[place]) for place in moved]

    def scalars(t: float, z: Array) -> Numbers:
        numbers = z.tolist()
        found = values(numbers[:n], u(t))
        if not math.isfinite(sum(found)):
            raise _undefined(t, z[:n])
        return product(found, numbers[n:], D)

    return scalars


def _states_alone(linearised: Linearised, u: InputFunction) -> RateFunction:
    rate = linearised.rate

    def velocity(t: float, z: Array) -> Numbers:
        dx = rate(z.tolist(), u(t))
        if not math.isfinite(sum(dx)):
            raise _undefined(t, z)
        return dx

    return velocity


def _by_matrices(
    linearised: Linearised, u: InputFunction, directions: Array, n: int, k: int
) -> RateFunction:
    values = linearised.values
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


def _band_matrix(
    linearised: Linearised, u: InputFunction, columns: int
) -> Callable[[float, Array], Array]:
    """The diagonal blocks alone, in the band that LSODA takes."""
    n = linearised.shape[0]
    i, j = np.indices((n, n))
    band = (i - j + n - 1).ravel().tolist(), j.ravel().tolist()

    def newton(t: float, z: Array) -> Array:
        packed = np.zeros((2 * n - 1, n))
        packed[band] = linearised.matrix(z[:n].tolist(), u(t))[:, :n].ravel()
        return np.tile(packed, columns)

    return newton
