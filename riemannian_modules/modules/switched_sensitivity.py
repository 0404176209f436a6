"""The sensitivities of a flow that switches and jumps, along given directions.

Where a border or an event g(x, u, t, p) = 0 is met, the time tau of meeting it moves by
``dtau = -dg / (dg/dt)``, along the trajectory; the state there moves by ``S + f- dtau``, what
resets make of it by their own derivatives, and at a fixed time after by ``f+ dtau`` less:
saltation.

Source: Leine and Nijmeijer (2004), *Dynamics and Bifurcations of Non-Smooth Mechanical Systems*,
section 7.2; Hiskens and Pai (2000), IEEE Transactions on Circuits and Systems I 47, 204-220.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.errors import ConvergenceError, UnsupportedError
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.modules.switched_field import SwitchedField
from riemannian_modules.spaces import Array

GRAZING = 1e-12  # relative rate at which a border is touched and not crossed


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch of time on which inputs do not jump.

    Attributes:
        u: The inputs at a time.
        ends: Its start and its end.
        steady: The inputs that are constant on it.
    """

    u: Callable[[float], list[float]]
    ends: tuple[float, float]
    steady: Collection[int]


@final
class MovedTerms:
    """Terms along trajectories: how they move with the state, along directions, and in time.

    Args:
        field: The flow whose symbols the terms are of.
        terms: The terms, (l,).
        directions: How inputs, then parameters, move along each direction, (m + p, k).
        stretch: The time.
    """

    def __init__(
        self, field: SwitchedField, terms: Sequence[Any], directions: Array, stretch: Stretch
    ) -> None:
        felt = np.flatnonzero(directions.any(axis=1))
        others = (*field.inputs, *field.parameters)
        self._n, self._D, self._u = len(field.state), directions[felt], stretch.u
        self._slopes = field.matrix(terms, (*field.state, *(others[i] for i in felt)))
        self._rates = field.slopes(terms, stretch.u, stretch.ends, stretch.steady)

    def moved(self, t: float, x: list[float], S: Array, signs: Numbers) -> Array:
        """Their derivatives (l, k) at a fixed time, where the state moves by S (n, k)."""
        J = self._slopes(x, [*self._u(t), t, *signs])
        return J[:, : self._n] @ S + J[:, self._n :] @ self._D

    def drifts(self, t: float, x: list[float], signs: Numbers) -> Array:
        """How fast they change where the state stays, (l,)."""
        return self._rates(t, x, signs)[1]

    def rate(self, t: float, x: list[float], signs: Numbers, dx: Array) -> tuple[Array, Array]:
        """How fast they change along the flow, and to what size of rounding, (l,) each."""
        slopes, drifts = self._rates(t, x, signs)
        return slopes @ dx + drifts, np.abs(slopes) @ np.abs(dx) + np.abs(drifts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Jumps:
    """What events do on a stretch, and what they have just done.

    Attributes:
        whens: What is zero at each.
        resets: For each the state after it.
        start_moves: How the time at which the stretch begins moves, (k,): that of events which
            what was done at its start has carried through zero.
        happened: Each event since the last piece began, and the state before it.
    """

    whens: MovedTerms
    resets: Sequence[MovedTerms]
    start_moves: Array
    happened: list[tuple[int, list[float]]]

    def taken(self) -> list[tuple[int, list[float]]]:
        """What has happened, from now on forgotten."""
        found = [*self.happened]
        self.happened.clear()
        return found


def sensitive_problem(
    field: SwitchedField, stretch: Stretch, directions: Array, where: str,
    jumps: Jumps | None = None,
) -> SwitchedProblem:  # fmt: skip
    """The problem of the state and of its sensitivity, z = (x, S) with S (n, k).

    Args:
        field: The flow.
        stretch: The time.
        directions: How inputs, then parameters, move along each direction, (m + p, k).
        where: Whose sensitivities these are, for messages.
        jumps: Events, whose resets of x `Pieces` has carried out when they are asked for S.
    """
    plain = field.problem(stretch.u, stretch.ends, stretch.steady)
    f = MovedTerms(field, field.dx, directions, stretch)
    borders = MovedTerms(field, field.borders, directions, stretch)
    n, k = len(field.state), directions.shape[1]

    def derivative(t: float, z: list[float], signs: Numbers) -> Numbers:
        x = z[:n]
        change = f.moved(t, x, np.array(z[n:]).reshape(n, k), signs)
        return [*plain.derivative(t, x, signs), *change.ravel().tolist()]

    def newton(t: float, z: list[float], signs: Numbers) -> Array:
        # How A S changes with x stands below the diagonal and is left out: Newton's iteration
        # converges all the same.
        A = plain.jacobian(t, z[:n], signs)
        full = np.zeros((n * (1 + k), n * (1 + k)))
        full[:n, :n], full[n:, n:] = A, np.kron(A, np.eye(k))
        return full

    def slopes(t: float, z: list[float], signs: Numbers) -> tuple[Array, Array]:
        in_x, in_time = plain.slopes(t, z[:n], signs)
        return np.pad(in_x, ((0, 0), (0, n * k))), in_time

    def crossed(t: float, z: Array, before: Mode, after: Mode) -> Array:
        if before.sliding or after.sliding:
            raise UnsupportedError(
                f"{where}: from t = {t:.6g} on it slides along a border, where its sensitivities "
                "are not computed. Replace the jump by a steep slope such as tanh(v / 0.01), or "
                "fit by finite differences."
            )
        x, S = z[:n].tolist(), z[n:].reshape(n, k)
        happened = [] if jumps is None else jumps.taken()
        start = happened[0][1] if happened else x
        old = np.array(plain.velocity(t, start, before))
        new = np.array(plain.velocity(t, x, after))
        if jumps is None or not happened:
            if not (old - new).any():
                return z
            place = _crossed_border(plain, t, x, before, after)
            d_time = moving_time(borders, place, (t, x, before, old), S)
        elif t <= stretch.ends[0]:
            d_time = jumps.start_moves
        else:
            d_time = moving_time(jumps.whens, happened[0][0], (t, start, before, old), S)
        moved: Array = S + old[:, None] * d_time
        for event, at in happened:
            assert jumps is not None
            reset = jumps.resets[event]
            drift = reset.drifts(t, at, before.signs)[:, None] * d_time
            moved = reset.moved(t, at, moved, before.signs) + drift
        return np.append(z[:n], moved - new[:, None] * d_time)

    def moving_time(
        terms: MovedTerms, place: int, at: tuple[float, list[float], Mode, Array], S: Array
    ) -> Array:
        """How the time at which one of the terms is zero moves, (k,)."""
        t, x, mode, dx = at
        rates, sizes = terms.rate(t, x, mode.signs, dx)
        if abs(rates[place]) <= GRAZING * sizes[place]:
            raise ConvergenceError(
                f"{where}: at t = {t:.6g} the trajectory touches a border without crossing it, "
                "where the end has no derivative. Move the start or a parameter."
            )
        return -terms.moved(t, x, S, mode.signs)[place] / rates[place]

    return SwitchedProblem(
        plain.count, derivative, newton,
        lambda t, z, signs: plain.borders(t, z[:n], signs),
        lambda t, z, signs: plain.sizes(t, z[:n], signs),
        slopes, crossed, lambda t, z, end: plain.separators(t, z[:n], end),
    )  # fmt: skip


def _crossed_border(
    plain: SwitchedProblem, t: float, x: list[float], before: Mode, after: Mode
) -> int:
    """Of the borders whose sides changed the one nearest to zero; others changed because it did."""
    values = np.abs(plain.borders(t, x, before.signs))
    changed = np.array([a != b for a, b in zip(before.signs, after.signs, strict=True)])
    return int(np.argmin(np.where(changed, values, np.inf)))
