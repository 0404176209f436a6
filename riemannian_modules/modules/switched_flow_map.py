"""Flow maps of flows that switch: the end and its exact sensitivities, across every border.

Where a border g(x, u, p) = 0 is crossed, the time tau of crossing depends on the start, the inputs
and the parameters by ``dtau = -dg / (g_x f-)``, along the trajectory, and the sensitivity jumps by
``(f- - f+) dtau``: the saltation term.

Source: Leine and Nijmeijer (2004), *Dynamics and Bifurcations of Non-Smooth Mechanical Systems*,
section 7.2; Hiskens and Pai (2000), IEEE Transactions on Circuits and Systems I 47, 204-220.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.errors import (
    ConvergenceError,
    TraceError,
    UnsupportedError,
)
from riemannian_modules.integration.piecewise import NOTHING, Pieces
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StoppedError,
    Tolerances,
)
from riemannian_modules.integration.scale import first_scale
from riemannian_modules.integration.sides import settled
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.modules.switched_field import (
    LARGEST_PARAMETERS,
    LARGEST_STATE,
    SwitchedField,
    switched_field,
)
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule

EXPLICIT_STEPS = 500  # of a piece; with more, the flow is stiff or long there
LEAST_SIZE = 1e-100  # of the largest: solvers divide by tolerances, and square the quotients
GRAZING = 1e-12  # relative rate at which a border is touched and not crossed


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

    def sensitivities(self, start: Array, u: Array, theta: Array) -> Array:
        """The derivatives of the ends in start, inputs and parameters, (points, n, n + m + p)."""
        n = start.shape[1]
        columns = n + u.shape[1] + theta.shape[1]
        unit, found = np.eye(n, columns).ravel(), list[Array]()
        for x, v, field in self._points(start, u, theta):
            both = _variational(field, v, self.duration, self.flow)
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

        tolerances = Tolerances(self.relative, self.absolute * self._size(problem, start), np.inf)
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
    them: its steps become short there by error control.
    """
    from riemannian_modules.arithmetic.regularity import jumping

    s = flow.signature
    if s.state.size > LARGEST_STATE or s.parameters.size > LARGEST_PARAMETERS:
        return None
    try:
        field = switched_field(flow.expressions, flow.theta)
        jumps = bool(field.borders) and bool(jumping(flow.expressions.dx))
    except (TraceError, UnsupportedError):
        return None
    steady = range(len(field.inputs))
    if not jumps and not any(field.is_timed(border, steady) for border in field.borders):
        return None
    return SwitchedFlowMap(flow, duration, relative, absolute)


def _held(u: Array) -> Callable[[float], list[float]]:
    values = u.tolist()
    return lambda _: values


def _variational(
    field: SwitchedField, u: Array, duration: float, flow: RiemannianModule
) -> SwitchedProblem:
    """The problem of the state and of its sensitivity S, z = (x, S) with S (n, n + m + p)."""
    plain = field.problem(_held(u), (0.0, duration), range(len(u)))
    columns = (*field.state, *field.inputs, *field.parameters)
    J, G = field.matrix(field.dx, columns), field.matrix(field.borders, columns)
    n, c, held = len(field.state), len(columns), u.tolist()

    def derivative(t: float, z: list[float], signs: Numbers) -> Numbers:
        x = z[:n]
        slopes = J(x, [*held, t, *signs])
        change = slopes[:, :n] @ np.array(z[n:]).reshape(n, c)
        change[:, n:] += slopes[:, n:]
        return [*plain.derivative(t, x, signs), *change.ravel().tolist()]

    def newton(t: float, z: list[float], signs: Numbers) -> Array:
        # How A S changes with x stands below the diagonal and is left out: Newton's iteration
        # converges all the same.
        A = plain.jacobian(t, z[:n], signs)
        full = np.zeros((n * (1 + c), n * (1 + c)))
        full[:n, :n], full[n:, n:] = A, np.kron(A, np.eye(c))
        return full

    def slopes(t: float, z: list[float], signs: Numbers) -> tuple[Array, Array]:
        in_x, in_time = plain.slopes(t, z[:n], signs)
        return np.pad(in_x, ((0, 0), (0, n * c))), in_time

    def crossed(t: float, z: Array, before: Mode, after: Mode) -> Array:
        if before.sliding or after.sliding:
            raise UnsupportedError(
                f"FlowMap of {type(flow).__name__}: from t = {t:.6g} on it slides along a border, "
                "where its sensitivities are not computed. Replace the jump by a steep slope such "
                "as tanh(v / 0.01), or fit by finite differences."
            )
        x = z[:n].tolist()
        old = np.array(plain.velocity(t, x, before))
        gap = old - np.array(plain.velocity(t, x, after))
        if not gap.any():
            return z
        S = z[n:].reshape(n, c)
        salted = S + np.outer(gap, _crossing_time(plain, G, (t, x, held), S, before, after, flow))
        return np.append(z[:n], salted)

    return SwitchedProblem(
        plain.count, derivative, newton,
        lambda t, z, signs: plain.borders(t, z[:n], signs),
        lambda t, z, signs: plain.sizes(t, z[:n], signs),
        slopes, crossed, lambda t, z, end: plain.separators(t, z[:n], end),
    )  # fmt: skip


def _crossing_time(
    plain: SwitchedProblem,
    G: Callable[[Numbers, Numbers], Array],
    at: tuple[float, list[float], list[float]],
    S: Array,
    before: Mode,
    after: Mode,
    flow: RiemannianModule,
) -> Array:
    """The derivative of the time at which a border is crossed, shape (n + m + p,)."""
    (t, x, u), n = at, len(S)
    values = np.abs(plain.borders(t, x, before.signs))
    changed = np.array([a != b for a, b in zip(before.signs, after.signs, strict=True)])
    # The one that is nearest to zero was crossed; others changed because it did.
    border = int(np.argmin(np.where(changed, values, np.inf)))
    rate, size = plain.rate(t, x, before, border)
    if abs(rate) <= GRAZING * size:
        raise ConvergenceError(
            f"FlowMap of {type(flow).__name__}: at t = {t:.6g} the trajectory touches a border "
            "without crossing it, where the end has no derivative. Move the start or a parameter."
        )
    row = G(x, [*u, t, *before.signs])[border]
    along = row[:n] @ S
    along[n:] += row[n:]
    return -along / rate
