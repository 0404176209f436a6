"""A trajectory with its sensitivities ``S' = A S + E``: what it does to move the start, or the flow.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class SensitiveProblem:
    """``dx/dt = f(t, x)`` and its partial derivatives, at several points at once.

    Attributes:
        velocity: ``f``, from times (points,) and states (points, n) to (points, n).
        differential: ``A = df/dx`` (points, n, n) and ``E`` (points, n, k), the derivatives of f in
            k directions beside the state (parameters, inputs), from the same.
    """

    velocity: Callable[[Array, Array], Array]
    differential: Callable[[Array, Array], tuple[Array, Array]]


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """What local error is allowed in each state and each sensitivity.

    Attributes:
        relative: As a share of its value.
        absolute: Besides, as a share of the largest value that it has had on the way.
    """

    relative: float
    absolute: float


def solve_with_sensitivities(
    problem: SensitiveProblem, times: Array, start: Array, d_start: Array, accuracy: Accuracy
) -> tuple[Array, Array]:
    """States (T, n) and sensitivities (T, n, k) at times (T,), of which the first is the start's.

    Args:
        problem: The flow; it must be smooth between the first and the last time.
        times: Increasing times, the start first.
        start: The state at the first time, (n,).
        d_start: Its derivatives in the problem's k directions, (n, k).
        accuracy: The local error that is allowed; it bounds that of each sensitivity as well.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    from scipy.integrate import solve_ivp

    n, k = d_start.shape

    def slope(t: float, z: Array) -> Array:
        x, S = z[:n], z[n:].reshape(k, n)
        at = np.array([t])
        (A,), (E,) = problem.differential(at, x[None])
        return np.concatenate([problem.velocity(at, x[None])[0], (S @ A.T + E.T).ravel()])

    def newton(t: float, z: Array) -> Array:
        (A,), _ = problem.differential(np.array([t]), z[None, :n])
        return np.kron(np.eye(1 + k), A)

    z0 = np.concatenate([start, d_start.T.ravel()])
    size = max(float(np.abs(start).max()), 1e-300)
    with np.errstate(all="ignore"):
        found = solve_ivp(
            slope, (times[0], times[-1]), z0, "BDF", times, jac=newton,
            rtol=accuracy.relative, atol=accuracy.absolute * size,
        )  # fmt: skip
    if not (found.success and np.isfinite(found.y).all()):
        raise StoppedError(float(found.t[-1]), start, str(found.message))
    z = found.y.T
    return z[:, :n], np.swapaxes(z[:, n:].reshape(-1, k, n), 1, 2)
