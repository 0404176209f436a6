"""Trajectories with their sensitivities: what it does to move the start, or the flow.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.passed_times import PassedTimes
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.side_by_side import Accuracy, Flows
from riemannian_modules.integration.solve import solve
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class SensitiveProblem(Flows):
    """``dx/dt = f(t, x)`` and its partial derivatives, at several points at once.

    Attributes:
        f: ``f``, from times (points,) and states (points, n) to (points, n).
        derivatives: ``A = df/dx`` (points, n, n) and ``E`` (points, n, k), the derivatives of f in
            k directions beside the state (parameters, inputs), from the same.
    """

    f: Callable[[Array, Array], Array]
    derivatives: Callable[[Array, Array], tuple[Array, Array]]

    @override
    def velocity(self, t: Array, x: Array) -> Array:
        return self.f(t[0], x[0])[None]

    @override
    def differential(self, t: Array, x: Array) -> tuple[Array, Array]:
        A, E = self.derivatives(t[0], x[0])
        return A[None], E[None]

    @override
    def only(self, kept: Any) -> Self:
        return self


def solve_with_sensitivities(
    problem: SensitiveProblem, times: Array, start: Array, d_start: Array, accuracy: Accuracy
) -> tuple[Array, Array]:
    """States (T, n) and sensitivities (T, n, k) at times (T,), of which the first is the start's.

    One trajectory whatever T is: values between its steps are those of the interpolants.

    Args:
        problem: The flow; it must be smooth between the first and the last time.
        times: Increasing times, the start first.
        start: The state at the first time, (n,).
        d_start: Its derivatives in the problem's k directions, (n, k).
        accuracy: The local error that is allowed; it bounds that of each sensitivity as well.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    z0 = np.concatenate([start[:, None], d_start], axis=1)
    passed, t0, t1 = PassedTimes(times, z0[..., None]), times[:1], times[-1:]
    end = solve(problem, t0, t1, z0[..., None], accuracy, passed.watch)
    if not (end.have_arrived[0] and np.isfinite(end.z).all()):
        raise StoppedError(float(end.t[0]), end.z[:, 0, 0], "no smaller step helps.")
    found = passed.ended(end)[..., 0]
    return found[..., 0], found[..., 1:]
