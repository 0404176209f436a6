"""A continuous module integrated over a fixed time, as a plain map with exact sensitivities.

The sensitivities solve the variational equations ``S' = A S + [0, B, E]`` along the trajectory.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, sections I.14 and
II.5 (the explicit method of order 8); volume II, section IV.8 (Radau IIA of order 5, where stiff).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import number, require
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.module import (
    Enclosure,
    LocalMetric,
    RiemannianModule,
    Time,
    euclidean_metric,
)
from riemannian_modules.modules.switched_flow_map import SwitchedFlowMap, switched_flow_map
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.space import Array, Signals, Space

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval

SMALL = 64  # unknowns up to which a dense Newton matrix is cheaper than a sparse one
# A smooth flow takes some dozen explicit steps; one that takes more than this is stiff (or long),
# and what was spent on finding out is about what the implicit method costs.
EXPLICIT_STEPS = 200
IMPLICIT_STEPS = 100_000
LEAST_TOLERANCE = 3e-14  # below this, solve_ivp's error estimate is rounding


@final
class FlowMap(RiemannianModule):
    """``(initial state, inputs) -> state after the time``, the inputs held constant.

    Its inputs are the flow's states and inputs, its outputs the flow's states, its parameters the
    flow's. A batch is integrated as one system, explicitly, or implicitly where that takes many
    steps. That takes some hundred evaluations of the flow (for the Jacobian, also of the flow's);
    where the flow is stiff, some thousand and a sparse factorisation for each step.
    The duration is no sampling time: one step of a graph may go through several maps.

    Args:
        flow: A module in continuous time with a state.
        duration: The time T > 0, in the flow's unit of time.
        relative: Local error that is allowed relative to each state and sensitivity.
        absolute: Local error that is allowed besides, in the unit of the state.

    Raises:
        SignatureError: If ``flow`` does not run in continuous time or has no state.
        DomainError: If the duration or a tolerance is not positive and finite.
        UnsupportedError: If the flow has sampled parts.
    """

    time = Time.STATIC

    def __init__(
        self,
        flow: RiemannianModule,
        duration: float,
        *,
        relative: float = 1e-10,
        absolute: float = 1e-12,
    ) -> None:
        require("FlowMap", flow, RiemannianModule, "a module in continuous time")
        s = flow.signature
        if s.time is not Time.CONTINUOUS or not s.state.size:
            raise SignatureError(
                f"FlowMap: expected a module in continuous time with a state, got "
                f"{type(flow).__name__} in {s.time.value} time with the state: "
                f"{s.state.describe()}. Steps of a discrete module are chained as they are."
            )
        if flow.has_ticks:
            raise UnsupportedError(
                f"FlowMap: {type(flow).__name__} has sampled parts, whose ticks a map would leave "
                "out. Map the plant over a sampling time, FlowMap(plant, 0.1), and compose it "
                "with the controllers in discrete time."
            )
        if time_ports(flow):
            raise SignatureError(
                f"FlowMap: {type(flow).__name__} reads the time of a run ({flow.time_input!r}), "
                "but a map over a time may begin at any. Write the clock as a state, c' = 1, whose "
                "start is an input of the map."
            )
        for name, value in (
            ("duration", duration),
            ("relative", relative),
            ("absolute", absolute),
        ):
            if not number(f"FlowMap: {name}", value) > 0.0:
                raise DomainError(f"FlowMap: {name} has to be positive and finite, got {value}.")
        self.flow, self.duration = flow, float(duration)
        self.relative, self.absolute = relative, absolute
        state, inputs, _ = s.distinct  # a state may be named like an input
        self.inputs = Space(state.ports + inputs.ports)
        self.outputs = s.state
        self.parameters = flow.parameters

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        """``(nothing, final state)``; raises ConvergenceError if the integration stops early."""
        batch, course = self._course(x, u, theta)
        if (switched := self._switched()) is not None:
            end = switched.ends(course.start, course.u, course.theta)
            return np.zeros((*batch, 0)), end.reshape(*batch, -1)
        end = self._integrate(course.velocity, course.newton_matrix, course.start[:, None, :])
        return np.zeros((*batch, 0)), end.reshape(*batch, -1)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        """Exact sensitivities; raises ConvergenceError if the integration stops early."""
        batch, course = self._course(x, u, theta)
        points, n = course.start.shape
        m, p = self.flow.signature.inputs.size, theta.shape[-1]
        if (switched := self._switched()) is not None:
            S = switched.sensitivities(course.start, course.u, course.theta)
            return self._as_jacobian(S.reshape(*batch, n, n + m + p))
        # Row 0 is the state, the others the transposed sensitivity, which starts as [I, 0, 0].
        start = np.zeros((points, 1 + n + m + p, n))
        start[:, 0], start[:, 1 : 1 + n] = course.start, np.eye(n)
        end = self._integrate(course.velocity_of_all, course.newton_matrix, start)
        return self._as_jacobian(np.swapaxes(end[:, 1:], -1, -2).reshape(*batch, n, n + m + p))

    def _as_jacobian(self, S: Array) -> Jacobian:
        """The sensitivities (..., n, n + m + p) in the parts of a Jacobian."""
        *batch, n, columns = S.shape
        m = self.inputs.size - n
        p = columns - n - m
        return Jacobian(
            np.zeros((*batch, 0, 0)), np.zeros((*batch, 0, n + m)), np.zeros((*batch, n, 0)),
            S[..., : n + m], np.zeros((*batch, 0, p)), S[..., n + m :],
        )  # fmt: skip

    def _switched(self) -> SwitchedFlowMap | None:
        return switched_flow_map(self.flow, self.duration, self.relative, self.absolute)

    def _course(self, x: Array, u: Array, theta: Array) -> tuple[tuple[int, ...], _Course]:
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
        n = self.outputs.size
        flat = np.broadcast_to(u, (*batch, u.shape[-1])).reshape(math.prod(batch), u.shape[-1])
        thetas = np.broadcast_to(theta, (*batch, theta.shape[-1])).reshape(len(flat), -1)
        return batch, _Course(self.flow, flat[:, :n], flat[:, n:], thetas)

    def _integrate(
        self, velocity: Callable[[Array], Array], matrix: Callable[[Array], Any], start: Array
    ) -> Array:
        """The end of the trajectory of ``start``, shape (points, rows, n)."""
        from scipy.integrate import DOP853, Radau

        if not start.size:
            return start
        # The solver bounds the mean square of all unknowns' errors; with tolerances divided by the
        # root of their number of blocks, it bounds that of each block.
        share = math.sqrt(start.shape[0] * start.shape[1])

        def slope(_: float, z: Array) -> Array:
            return velocity(z.reshape(start.shape)).ravel()

        def newton(_: float, z: Array) -> Any:
            return matrix(z.reshape(start.shape))

        problem = (slope, 0.0, start.ravel(), self.duration)
        relative, absolute = max(self.relative / share, LEAST_TOLERANCE), self.absolute / share
        end = _march(DOP853(*problem, rtol=relative, atol=absolute), EXPLICIT_STEPS)
        if end is None:
            end = _march(Radau(*problem, jac=newton, rtol=relative, atol=absolute), IMPLICIT_STEPS)
        if end is None:
            raise ConvergenceError(
                f"FlowMap of {type(self.flow).__name__}: the integration over {self.duration} "
                "stopped "
                "early. The flow may leave its domain or run to infinity; shorten the duration, or "
                "ask for less accuracy by `relative` and `absolute`."
            )
        return end.reshape(start.shape)

    @cached_property
    @override
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Every input reaches every output: nothing is integrated to find out more."""
        return self.signature.every_pair

    @override
    def local_metric(self) -> LocalMetric:
        metric = self.flow.local_metric().parameters
        return LocalMetric(metric, euclidean_metric(0), np.zeros((self.outputs.size, 0)))

    @property
    @override
    def owners(self) -> Mapping[str, RiemannianModule]:
        """Those of the flow: a flow in several flow maps has one set of parameters."""
        return self.flow.owners

    @override
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        return self._of(self.flow.with_owners(changed))

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        return self._of(self.flow.with_parameters(theta))

    def _of(self, flow: RiemannianModule) -> Self:
        """The same map of another flow."""
        return type(self)(flow, self.duration, relative=self.relative, absolute=self.absolute)

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        raise UnsupportedError(self._refusal())

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        raise UnsupportedError(self._refusal())

    def _refusal(self) -> str:
        return (
            f"FlowMap of {type(self.flow).__name__}: a numerical integration has no exact "
            "expressions "
            "and no rigorous enclosure, so nothing is proved about it. Certify the flow itself: a "
            "rate "
            "of contraction lambda bounds the map's gain by exp(-lambda T) in the flow's metric."
        )


def _march(solver: Any, most: int) -> Array | None:
    """The state where ``solver`` arrives within ``most`` steps, or None."""
    with np.errstate(all="ignore"):  # trial steps may leave the domain; the solver takes them back
        for _ in range(most):
            if solver.status != "running":
                break
            solver.step()
    arrived = solver.status == "finished" and np.isfinite(solver.y).all()
    return solver.y if arrived else None


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """Trajectories of a flow from several points: start (points, n), inputs and parameters."""

    flow: RiemannianModule
    start: Array
    u: Array
    theta: Array

    def velocity(self, z: Array) -> Array:
        """The rate of change of z of shape (points, 1, n)."""
        return self.flow.forward(z[:, 0], self.u, self.theta)[0][:, None]

    def velocity_of_all(self, z: Array) -> Array:
        """The same for the state and S^T, z of shape (points, 1 + n + m + p, n)."""
        x, n = z[:, 0], z.shape[-1]
        J = self.flow.jacobian(x, self.u, self.theta)
        change = np.empty_like(z)
        change[:, 0] = self.flow.forward(x, self.u, self.theta)[0]
        change[:, 1:] = z[:, 1:] @ J.A.mT
        change[:, 1 + n :] += np.concatenate([J.B, J.E], -1).mT
        return change

    def newton_matrix(self, z: Array) -> Any:
        """A along the diagonal, once for each row of z.

        For sensitivities this leaves out how A S changes with x. That block stands below the
        diagonal, so Newton's iteration still converges, one row of blocks after the other.
        """
        points, rows, n = z.shape
        A = self.flow.jacobian(z[:, 0], self.u, self.theta).A
        blocks = np.repeat(A, rows, axis=0)
        count = points * rows
        if count * n > SMALL:
            from scipy.sparse import bsr_matrix

            layout = (blocks, np.arange(count), np.arange(count + 1))
            return bsr_matrix(layout, shape=(count * n, count * n)).tocsc()
        full = np.zeros((count, n, count, n))
        full[np.arange(count), :, np.arange(count), :] = blocks
        return full.reshape(count * n, count * n)
