"""What cotangents of a trajectory's end pull back to its start and to its flow's directions.

The adjoint of the implicit method's own steps: it takes the transposes of their linear equations,
last step first, and costs as much for a thousand directions as for one.
Source: Hairer and Wanner, *Solving Ordinary Differential Equations II*, section IV.8; Sandu (2006),
Lecture Notes in Computer Science 3994, 550-557.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.expected_size import expected_size
from riemannian_modules.integration.march import LARGEST_STEP_COUNT, march, members_at
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.radau import STAGES, Radau, RadauStep, stage_matrix, tableau
from riemannian_modules.integration.side_by_side import Accuracy, Flows
from riemannian_modules.integration.step import Start, TriedStep
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class PulledProblem(Flows):
    """``dx/dt = f(t, x)``, and how cotangents of its rates are pulled back, at several points.

    Attributes:
        f: ``f``, from times (points,) and states (points, n) to (points, n).
        A: ``df/dx`` (points, n, n), from the same.
        pull: From the same, and cotangents w (points, n, k) of f, to the sum over the points of
            ``E^T w`` (q, k), E being f's derivatives in q directions.
    """

    f: Callable[[Array, Array], Array]
    A: Callable[[Array, Array], Array]
    pull: Callable[[Array, Array, Array], Array]

    @override
    def velocity(self, t: Array, x: Array) -> Array:
        return self.f(t[0], x[0])[None]

    @override
    def differential(self, t: Array, x: Array) -> tuple[Array, Array]:
        A = self.A(t[0], x[0])[None]
        return A, A[..., :0]

    @override
    def only(self, kept: Any) -> Self:
        return self


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """A step that counted: from x at t, by h; stages (s, n) are what it added."""

    t: float
    h: float
    x: Array
    stages: Array

    def pulled(self, problem: PulledProblem, after: Array) -> tuple[Array, Array]:
        """Cotangents (n, k) of its start and (q, k) of the directions, by those of its end."""
        n, k = after.shape
        t, x = self.t + self.h * tableau().c, self.x + self.stages
        A = problem.A(t, x)
        of_stages = np.zeros((STAGES, n, k))
        of_stages[-1] = after
        matrix = stage_matrix(A[None], np.array([self.h]))[0]
        w = np.linalg.solve(matrix.T, of_stages.reshape(-1, k)).reshape(STAGES, n, k)
        return after + np.einsum("sij,sik->jk", A, w), problem.pull(t, x, w)


def pulled_back(
    problem: PulledProblem, duration: float, start: Array, cotangents: Array, accuracy: Accuracy
) -> tuple[Array, Array]:
    """Cotangents of the start (n, k) and of the q directions (q, k), by those of the end.

    They are exact derivatives of the end that the implicit method computes. Cost: one trajectory,
    and for each of its steps one solve with the matrix of its stages and one ``pull`` of its seven
    points; memory of its steps.

    Args:
        problem: The flow, smooth on its way: over a corner, what is pulled back is known to the
            root of the accuracy alone, for a step over it errs by h^2 in the state and by h here.
        duration: How long it flows, from time zero on.
        start: The state there, (n,).
        cotangents: Those of the end, (n, k).
        accuracy: The local error that is allowed to the states.

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    steps: list[_Taken] = []

    def watch(_: Any, good: Any, begin: Start, step: TriedStep) -> None:
        if good[0] and isinstance(step, RadauStep):
            x, stages = begin.z[:, 0, 0], step.stages[0, ..., 0]
            steps.append(_Taken(float(begin.t[0]), float(begin.h[0]), x, stages))

    t, until, z = np.zeros(1), np.full(1, duration), start[:, None, None]
    at = members_at(problem, t, until, z, expected_size(problem, t, until, z), accuracy)
    end = march(Radau(), problem, at, accuracy, watch, LARGEST_STEP_COUNT)
    if not end.have_arrived[0]:
        raise StoppedError(float(end.t[0]), end.z[:, 0, 0], "no smaller step helps.")
    of_state, of_directions = cotangents, list[Array]()
    for step in reversed(steps):
        of_state, more = step.pulled(problem, of_state)
        of_directions.append(more)
    return of_state, np.sum(of_directions, axis=0)
