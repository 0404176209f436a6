"""Flow maps of flows that switch: the end and its exact sensitivities, across every border.

Source: none; `riemannian_modules.modules.switched_sensitivity` cites those of the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.errors import ConvergenceError, TraceError, UnsupportedError
from riemannian_modules.integration.piecewise import NOTHING, Pieces
from riemannian_modules.integration.problem import InitialValueProblem, StepTolerances, StoppedError
from riemannian_modules.integration.scale import first_scale
from riemannian_modules.integration.sides import settled
from riemannian_modules.integration.switched import SwitchedProblem
from riemannian_modules.modules.switched_field import (
    LARGEST_PARAMETERS,
    LARGEST_STATE,
    SwitchedField,
    switched_field,
)
from riemannian_modules.modules.switched_sensitivity import Stretch, sensitive_problem
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule

EXPLICIT_STEPS = 500  # of a piece; with more, the flow is stiff or long there
LEAST_SIZE = 1e-100  # of the largest: solvers divide by tolerances, and square the quotients


@final
@dataclass(frozen=True, slots=True, eq=False)
class SwitchedFlowMap:
    """The map over a time of a flow that switches, one point after the other.

    Attributes:
        flow: The flow, for messages.
        duration: The time.
        relative: Local error that is allowed relative to each state and sensitivity.
        absolute: Local error that is allowed besides, as a share of how large each becomes.
    """

    flow: RiemannianModule
    duration: float
    relative: float
    absolute: float

    def ends(self, start: Array, u: Array, theta: Array) -> Array:
        """The states after the time from ``start`` (points, n), shape (points, n)."""
        return np.array([
            self._end(field.problem(_held(v), (0.0, self.duration), range(len(v))), x)
            for x, v, field in self._points(start, u, theta)
        ]).reshape(start.shape)  # fmt: skip

    def ends_with_sensitivities(self, start: Array, u: Array, theta: Array) -> Array:
        """Both, the end in column 0, (points, n, 1 + n + m + p)."""
        ends = self.ends(start, u, theta)
        return np.concatenate([ends[..., None], self.sensitivities(start, u, theta)], -1)

    def sensitivities(self, start: Array, u: Array, theta: Array) -> Array:
        """The derivatives of the ends in start, inputs and parameters, (points, n, n + m + p)."""
        n = start.shape[1]
        columns = n + u.shape[1] + theta.shape[1]
        unit, found = np.eye(n, columns).ravel(), list[Array]()
        directions, where = np.eye(columns)[n:], f"FlowMap of {type(self.flow).__name__}"
        for x, v, field in self._points(start, u, theta):
            stretch = Stretch(_held(v), (0.0, self.duration), range(len(v)))
            both = sensitive_problem(field, stretch, directions, where)
            found.append(self._end(both, np.append(x, unit))[n:])
        return np.array(found).reshape(len(start), n, columns)

    def _points(self, start: Array, u: Array, theta: Array) -> Any:
        e = self.flow.expressions
        fields = {p.tobytes(): p for p in theta}
        made = {key: switched_field(e, p) for key, p in fields.items()}
        return [(x, v, made[p.tobytes()]) for x, v, p in zip(start, u, theta, strict=True)]

    def _size(self, problem: SwitchedProblem, start: Array) -> Array:
        """How large each entry becomes as far as the start tells; what nothing moves, the least."""
        mode = settled(problem, 0.0, start, self.duration)
        smooth = InitialValueProblem(
            lambda t, z: problem.velocity(t, z, mode), lambda t, z: problem.slope(t, z, mode), start
        )
        size = first_scale(smooth, [0.0, self.duration])
        least = size[size > LEAST_SIZE * size.max()].min(initial=1.0)
        return np.where(size > LEAST_SIZE * size.max(), size, least)

    def _end(self, problem: SwitchedProblem, start: Array) -> Array:
        from scipy.integrate import DOP853, Radau

        tolerances = StepTolerances(
            self.relative, self.absolute * self._size(problem, start), np.inf
        )
        run = Pieces(NOTHING, tolerances, [DOP853, Radau], EXPLICIT_STEPS)
        try:
            return run.stretch(problem, start, np.array([0.0, self.duration]), [self.duration])[-1]
        except StoppedError as stopped:
            raise ConvergenceError(
                f"FlowMap of {type(self.flow).__name__}: the integration over {self.duration} "
                f"stopped at {stopped.time:.6g}: {stopped.message}"
            ) from None


def switched_flow_map(
    flow: RiemannianModule, duration: float, relative: float, absolute: float
) -> SwitchedFlowMap | None:
    """The map of a flow that jumps, or has corners at times; None of any other.

    Corners at places alone leave sensitivities right, and a batch is integrated as one without
    them: its steps become short there by error control (see `cornered_flow_map`).
    """
    from riemannian_modules.arithmetic.regularity import jumping

    field = _bordered(flow)
    if field is None:
        return None
    steady = range(len(field.inputs))
    is_timed = any(field.is_timed(border, steady) for border in field.borders)
    if not is_timed and not jumping(flow.expressions.dx):
        return None
    return SwitchedFlowMap(flow, duration, relative, absolute)


def cornered_flow_map(
    flow: RiemannianModule, duration: float, relative: float, absolute: float
) -> SwitchedFlowMap | None:
    """The same of a flow with any borders, for sensitivities that its corners switch on.

    A unit of ``max(W x, 0)`` that wakes up begins to count at once: the sensitivity to its weights
    leaves zero at a finite rate, and no step over the corner is short beside it.
    """
    is_bordered = _bordered(flow) is not None
    return SwitchedFlowMap(flow, duration, relative, absolute) if is_bordered else None


def _bordered(flow: RiemannianModule) -> SwitchedField | None:
    s = flow.signature
    if s.state.size > LARGEST_STATE or s.parameters.size > LARGEST_PARAMETERS:
        return None
    try:
        field = switched_field(flow.expressions, flow.theta)
    except (TraceError, UnsupportedError):
        return None
    return field if field.borders else None


def _held(u: Array) -> Callable[[float], list[float]]:
    values = u.tolist()
    return lambda _: values
