"""A continuous module integrated over a fixed time, as a plain map with exact sensitivities.

The sensitivities solve the variational equations ``S' = A S + [0, B, E]`` along the trajectory.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, sections I.14 and
II.5 (the explicit method of order 8); volume II, section IV.8 (Radau IIA, where stiff).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self, final

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
from riemannian_modules.integration.march import Members
from riemannian_modules.integration.side_by_side import Accuracy, first
from riemannian_modules.integration.solve import solve
from riemannian_modules.modules.capability import JointMap, RefusedForm
from riemannian_modules.modules.delay import has_delays
from riemannian_modules.modules.differential import DenseDifferential, Differential, Jacobian
from riemannian_modules.modules.flow_courses import FlowCourses
from riemannian_modules.modules.flow_differential import WORTH, FlowDifferential
from riemannian_modules.modules.flow_members import FlowMembers
from riemannian_modules.modules.module import LocalMetric, RiemannianModule, Time, euclidean_metric
from riemannian_modules.modules.ownership import Compound, owners_of, with_owners
from riemannian_modules.modules.readings import readings_of
from riemannian_modules.modules.sampled import has_ticks
from riemannian_modules.modules.switched_flow_map import (
    SwitchedFlowMap,
    cornered_flow_map,
    switched_flow_map,
)
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array, Space

LEAST_TOLERANCE = 3e-14  # below this, error estimates are rounding
ROOM = 8_000_000  # numbers that a step may hold; larger batches are integrated in parts


@final
class FlowMap(RiemannianModule, Compound, JointMap, RefusedForm):
    """``(initial state, inputs) -> state after the time``, the inputs held constant.

    Its inputs are the flow's states and inputs, its outputs the flow's states, its parameters the
    flow's. The points of a batch are integrated side by side, each by steps of its own size, so
    that each comes out as it would alone: explicitly, in O(n) a step, or implicitly where its flow
    is stiff, in O(n^3). Points on at most four stiff courses, those that differ in how fast time
    runs among them (``x' = T f(x)`` with an input T), are found by LSODA, and their sensitivities
    by implicit steps over its course, all at once. What is pulled back through a map of many
    parameters goes by the adjoint where that is cheaper; the differential says so. A
    call costs what its slowest point does, for a small flow; some hundred
    evaluations of the flow, for the Jacobian also of the flow's.
    The duration is no sampling time: one step of a graph may go through several maps.

    Args:
        flow: A module in continuous time with a state.
        duration: The time T > 0, in the flow's unit of time.
        relative: Local error that is allowed relative to each state and sensitivity.
        absolute: Local error that is allowed besides, as a share of the largest value that each
            has on its way; it has no unit.

    Raises:
        SignatureError: If ``flow`` does not run in continuous time or has no state.
        DomainError: If the duration or a tolerance is not positive and finite.
        UnsupportedError: If the flow has sampled parts or exact delays.
    """

    time = Time.STATIC

    def __init__(
        self,
        flow: RiemannianModule,
        duration: float,
        *,
        relative: float = 1e-10,
        absolute: float = 1e-14,
    ) -> None:
        require("FlowMap", flow, RiemannianModule, "a module in continuous time")
        s = flow.signature
        if s.time is not Time.CONTINUOUS or not s.state.size:
            raise SignatureError(
                f"FlowMap: expected a module in continuous time with a state, got "
                f"{type(flow).__name__} in {s.time.value} time with the state: "
                f"{s.state.describe()}. Steps of a discrete module are chained as they are."
            )
        if has_ticks(flow):
            raise UnsupportedError(
                f"FlowMap: {type(flow).__name__} has sampled parts, whose ticks a map would leave "
                "out. Map the plant over a sampling time, FlowMap(plant, 0.1), and compose it "
                "with the controllers in discrete time."
            )
        if has_delays(flow):
            raise UnsupportedError(
                f"FlowMap: {type(flow).__name__} has exact delays, whose past is no state that a "
                "map could take. Put a PadeDelay of the same delay in the place of each."
            )
        if clocks := time_ports(flow):
            raise SignatureError(
                f"FlowMap: {type(flow).__name__} reads the time of a run ({', '.join(clocks)}), "
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
        batch, members = self._members(x, u, theta)
        if (switched := self._switched()) is not None:
            end = switched.ends(*members.by_point())
        else:
            end = self._ends(members, members.start.T[:, None])
        return np.zeros((*batch, 0)), end.reshape(*batch, self.outputs.size)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        """Exact sensitivities; raises ConvergenceError if the integration stops early."""
        return self._output_with_jacobian(x, u, theta)[1]

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> Differential:
        """The derivative; what is pulled back through it goes the cheaper way, see `way`."""
        if self._is_pulled_dearly(x, u, theta):
            return DenseDifferential(self.jacobian(x, u, theta))
        return self._flow_differential(x, u, theta)

    @override
    def output_with_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Differential]:
        if self._is_pulled_dearly(x, u, theta):
            y, J = self._output_with_jacobian(x, u, theta)
            return y, DenseDifferential(J)
        return self.output(x, u, theta), self._flow_differential(x, u, theta)

    def _flow_differential(self, x: Array, u: Array, theta: Array) -> FlowDifferential:
        accuracy, at = self._accuracy_of_steps, (x, u, theta)
        return FlowDifferential(self, self.flow, self.duration, accuracy, at)

    def _is_pulled_dearly(self, x: Array, u: Array, theta: Array) -> bool:
        """Whether the adjoint of no cotangent is cheaper than all sensitivities."""
        points = math.prod(np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1]))
        columns = self.inputs.size + theta.shape[-1]
        return columns < WORTH * max(points, 1) or self._switched() is not None

    def _output_with_jacobian(self, x: Array, u: Array, theta: Array) -> tuple[Array, Jacobian]:
        batch, members = self._members(x, u, theta)
        points, n = members.start.shape
        m, p = self.flow.signature.inputs.size, theta.shape[-1]
        if (switched := self._switched()) is not None:
            end = switched.ends_with_sensitivities(*members.by_point())
        else:
            # Column 0 is the state, the others the sensitivity, which starts as [I, 0, 0].
            start = np.zeros((n, 1 + n + m + p, points))
            start[:, 0], start[:, 1 : 1 + n] = members.start.T, np.eye(n)[..., None]
            try:
                end = self._ends(members, start)
            except ConvergenceError:
                cornered = cornered_flow_map(self.flow, self.duration, self.relative, self.absolute)
                if cornered is None:
                    raise
                end = cornered.ends_with_sensitivities(*members.by_point())
        end = end.reshape(*batch, n, 1 + n + m + p)
        S = end[..., 1:]
        return end[..., 0], Jacobian(
            np.zeros((*batch, 0, 0)), np.zeros((*batch, 0, n + m)), np.zeros((*batch, n, 0)),
            S[..., : n + m], np.zeros((*batch, 0, p)), S[..., n + m :],
        )  # fmt: skip

    def _switched(self) -> SwitchedFlowMap | None:
        return switched_flow_map(self.flow, self.duration, self.relative, self.absolute)

    def _members(self, x: Array, u: Array, theta: Array) -> tuple[tuple[int, ...], FlowMembers]:
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
        n, points = self.outputs.size, math.prod(batch)
        flat = np.broadcast_to(u, (*batch, u.shape[-1])).reshape(points, u.shape[-1])
        if theta.ndim > 1:
            theta = np.broadcast_to(theta, (*batch, theta.shape[-1]))
            theta = theta.reshape(points, 1, theta.shape[-1])
        return batch, FlowMembers(self.flow, flat[:, :n], flat[:, None, n:], theta)

    @cached_property
    def _last(self) -> dict[int, tuple[Any, Array]]:
        """The last ends by their number of columns, and of what: descents ask for some thrice."""
        return {}

    @cached_property
    def _courses(self) -> FlowCourses:
        return FlowCourses(self.duration, self._accuracy_of_steps)

    @property
    def _accuracy_of_steps(self) -> Accuracy:
        """The local error that is allowed, not below rounding."""
        return Accuracy(max(self.relative, LEAST_TOLERANCE), self.absolute)

    def _ends(self, members: FlowMembers, start: Array) -> Array:
        """The ends (points, n, 1 + k) of the trajectories of ``start`` (n, 1 + k, points)."""
        numbers = (members.start, members.u, members.theta)
        asked = (*((a.shape, a.tobytes()) for a in numbers), readings_of(self.flow))
        known, end = self._last.get(start.shape[1], (None, start))
        if known != asked:
            members = members.compiled()
            found = self._courses.ends(members, start, asked)
            end = self._side_by_side(members, start) if found is None else found
            end = np.ascontiguousarray(first(end))
            self._last[start.shape[1]] = asked, end
        return end.copy()

    def _side_by_side(self, members: FlowMembers, start: Array) -> Array:
        end = np.empty_like(start)
        most = max(1, ROOM // _numbers(*start.shape[:-1]))
        for i in range(0, len(members.start), most):
            part = np.arange(i, min(i + most, len(members.start)))
            zero, until = np.zeros(len(part)), np.full(len(part), self.duration)
            ends = solve(members.only(part), zero, until, start[..., part], self._accuracy_of_steps)
            if not ends.have_arrived.all():
                raise self._stopped(int(part[~ends.have_arrived][0]), members, ends)
            end[..., part] = ends.z
        return end

    def _stopped(self, point: int, members: FlowMembers, ends: Members) -> ConvergenceError:
        stopped = ~ends.have_arrived
        return ConvergenceError(
            f"FlowMap of {type(self.flow).__name__}: the integration over {self.duration} stopped "
            f"early for {np.count_nonzero(stopped)} of {len(members.start)} points, first for that "
            f"of index {point} at t = {ends.t[stopped][0]:.6g}. The flow may leave its domain or "
            "run to infinity; shorten the duration, or begin elsewhere."
        )

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
        return owners_of(self.flow)

    @override
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        return self._of(with_owners(self.flow, changed))

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        return self._of(self.flow.with_parameters(theta))

    def _of(self, flow: RiemannianModule) -> Self:
        """The same map of another flow."""
        return type(self)(flow, self.duration, relative=self.relative, absolute=self.absolute)

    @override
    def _refusal(self) -> str:
        return (
            f"FlowMap of {type(self.flow).__name__}: a numerical integration has no exact "
            "expressions "
            "and no rigorous enclosure, so nothing is proved about it. Certify the flow itself: a "
            "rate "
            "of contraction lambda bounds the map's gain by exp(-lambda T) in the flow's metric."
        )


def _numbers(n: int, columns: int) -> int:
    """How many numbers a step of one point holds."""
    return 32 * n * columns + 16 * n * n + (50 * n * n if columns > 1 else 0)
