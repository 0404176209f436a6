"""Radau IIA with seven stages (order 13), for many stiff members at once.

Stages come from Newton's iteration with the Jacobian at the step's start, in coordinates in which
the seven stages part into a real and three complex systems of n equations. Sensitivities solve the
linear equations of the stages themselves, so they are the derivatives of what was computed. Members
come first within, each with its matrices.
Source: Hairer and Wanner, *Solving Ordinary Differential Equations II*, section IV.8;
Hairer and Wanner (1999), J. Comput. Appl. Math. 111, 93-111.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.side_by_side import (
    TINY,
    Accuracy,
    Flows,
    first,
    last,
    norm,
    rate_by,
)
from riemannian_modules.integration.step import Memory, Method, Start, TriedStep
from riemannian_modules.spaces import Array

STAGES = 7  # the error estimate is then of order 8, as that of the explicit method
NEWTON_SHARE = 0.05  # of the allowed error, for what Newton's iteration leaves
# Sensitivities of stiff flows see what it leaves multiplied by their stiffness, in E; for them
# it goes on to what rounding leaves, relative to the state.
ROUNDING = 1e-15
NEWTON_STEPS = 12


class Tableau(NamedTuple):
    """Nodes c (s,), Runge-Kutta matrix A (s, s) and what follows from it."""

    c: Array
    inverse: Any  # A^-1, (s, s)
    eigenvalues: Any  # of A^-1: the real one, then one of each pair, (q,)
    to_stages: Any  # (s, q): stages are the real part of its product with the coordinates
    to_coordinates: Any  # (q, s)
    error: Any  # error = (1/h - J/mu)^-1 (f(start) + error Z mu / h), mu the real eigenvalue
    powers: Any  # (s, s): coefficients of theta, ..., theta^s from the stages


@cache
def tableau() -> Tableau:
    """The tableau, from collocation at the right-hand Radau points."""
    from numpy.polynomial import legendre

    s = STAGES
    x = np.sort(legendre.legroots([0.0] * (s - 1) + [1.0, -1.0]).real)
    x[-1] = 1.0
    integrals = [legendre.legval(x, legendre.legint(row, lbnd=-1)) / 2.0 for row in np.eye(s)]
    A = np.stack(integrals, 1) @ np.linalg.inv(legendre.legvander(x, s - 1))
    c, inverse = (1.0 + x) / 2.0, np.linalg.inv(A)
    spectrum: Any = np.linalg.eig(inverse)
    values, T = spectrum
    upper = np.flatnonzero(values.imag > -1e-9)
    upper = upper[np.argsort(values[upper].imag)]
    pairs = np.where(np.arange(len(upper)) == 0, 1.0, 2.0)
    # The embedded formula of order s: gamma f(start) and weights b^ on the stages' slopes.
    gamma = 1.0 / values[upper[0]].real
    moments = 1.0 / np.arange(1.0, s + 1.0) - gamma * (np.arange(s) == 0)
    weights = np.linalg.solve(np.vander(c, s, increasing=True).T, moments)
    powers = np.linalg.inv(c[:, None] ** np.arange(1, s + 1))
    return Tableau(
        c, inverse, values[upper], T[:, upper] * pairs, np.linalg.inv(T)[upper],
        (weights - A[-1]) @ inverse, powers,
    )  # fmt: skip


@final
@dataclass(frozen=True, slots=True, eq=False)
class RadauStep(TriedStep):
    """A step with what its stages added to z, ``stages`` (M, s, n, 1 + k)."""

    start: Start
    end: Array
    error: Array
    memory: Memory
    stages: Array

    @override
    def between(self, members: Any, share: Array) -> Array:
        weights = share[:, None] ** np.arange(1, STAGES + 1) @ tableau().powers
        return self.start.z[..., members] + np.einsum("ps,psnc->ncp", weights, self.stages[members])


@final
class Radau(Method[Flows]):
    """Order 13, implicit; a step costs O(s n^3), with sensitivities O((s n)^3 + (s n)^2 k)."""

    @override
    def memory(self, flows: Flows, t: Array, z: Array) -> Memory:
        z = first(z)
        A, E = flows.differential(t[:, None], z[:, None, :, 0])
        v = flows.velocity(t[:, None], z[:, None, :, 0])
        M, n, _ = z.shape
        return tuple(map(last, (_rate(v, A, E, z), A[:, 0], np.zeros((M, STAGES, n)), np.ones(M))))

    @override
    def step(self, flows: Flows, start: Start, memory: Memory, accuracy: Accuracy) -> TriedStep:
        _, _, before, h_before = map(first, memory)
        return self.step_by(flows, start, memory, _guess(before, start.h / h_before), accuracy)

    def step_by(
        self, flows: Flows, start: Start, memory: Memory, guess: Array, accuracy: Accuracy
    ) -> RadauStep:
        """As `step`, from a guess (M, s, n) of what the stages add to the state."""
        begin, start = start, _members_first(start)
        rate, A = (first(kept) for kept in memory[:2])
        filtered = inverses(A, start.h)
        Z, arrived = _newton(flows, start, guess, filtered, accuracy)
        t = start.t[:, None] + start.h[:, None] * tableau().c
        x = start.z[:, None, :, 0] + Z
        if start.z.shape[-1] == 1:
            stages = Z[..., None]
            at_end = flows.differential(t[:, -1:], x[:, -1:])
        else:
            A_stages, E_stages = flows.differential(t, x)
            stages = np.concatenate(
                [Z[..., None], stage_sensitivities(start, A_stages, E_stages)], axis=-1
            )
            at_end = A_stages[:, -1:], E_stages[:, -1:]
        end = start.z + stages[:, -1]
        error = np.where(arrived, _error(flows, start, rate, stages, filtered, accuracy), np.nan)
        v = flows.velocity(t[:, -1:], x[:, -1:])
        after = _rate(v, *at_end, end), at_end[0][:, 0], Z, start.h
        return RadauStep(begin, last(end), error, tuple(map(last, after)), stages)


def _members_first(start: Start) -> Start:
    """A start whose arrays have their members first."""
    noise = np.broadcast_to(start.noise, start.z.shape)
    return Start(start.t, first(start.z), start.h, first(start.largest), first(noise))


def _allowed(accuracy: Accuracy, start: Start, moved: Array) -> Array:
    """The error that is allowed to a step of ``moved`` (M, n, 1 + k), shaped as that."""
    end = start.z + moved
    return first(accuracy.allowed(last(start.z), last(end), last(start.largest)))


def _rate(v: Array, A: Array, E: Array, z: Array) -> Array:
    """``dz/dt`` from what is known at one point of each member."""
    return v[:, 0, :, None] if z.shape[-1] == 1 else rate_by(v[:, 0], A[:, 0], E[:, 0], z)


def inverses(A: Array, h: Array) -> Any:
    """``(mu/h - A)^-1`` for the eigenvalues mu, (M, q, n, n)."""
    mu = tableau().eigenvalues / h[:, None]
    try:
        return np.linalg.inv(mu[..., None, None] * np.eye(A.shape[-1]) - A[:, None])
    except np.linalg.LinAlgError:  # singular for one member: none steps, and all shrink theirs
        return np.full((*mu.shape, *A.shape[1:]), np.nan)


def _guess(before: Array, ratio: Array) -> Array:
    """The last step's polynomial, gone on with for ``ratio`` (M,) of its length."""
    theta = 1.0 + ratio[:, None] * tableau().c
    weights = theta[..., None] ** np.arange(1, STAGES + 1) @ tableau().powers
    weights[..., -1] -= 1.0
    return weights @ before


def _newton(
    flows: Flows, start: Start, guess: Array, inverse: Any, accuracy: Accuracy
) -> tuple[Array, Any]:
    """Stages Z (M, s, n) that solve ``A^-1 Z / h = f(x + Z)``, and whether they do, (M,)."""
    tab, moved_by, x, h = tableau(), guess, start.z[:, None, :, 0], start.h[:, None, None]
    t = start.t[:, None] + start.h[:, None] * tab.c
    allowed = _allowed(accuracy, start, guess[:, -1, :, None])[:, None, :, 0]
    arrived = has_left = np.zeros(len(guess), dtype=bool)
    is_state_alone = start.z.shape[-1] == 1
    share_left = NEWTON_SHARE if is_state_alone else ROUNDING / accuracy.relative
    moved_before = np.full(len(guess), TINY)
    for i in range(NEWTON_STEPS):
        defect = flows.velocity(t, x + moved_by) - tab.inverse @ moved_by / h
        step = inverse @ (tab.to_coordinates @ defect)[..., None]
        step = (tab.to_stages @ step[..., 0]).real
        moved_by = moved_by + step
        share = step / (allowed + accuracy.relative * np.abs(moved_by))
        moved = np.sqrt(np.einsum("msn,msn->m", share, share) / share[0].size)
        ratio = moved / moved_before
        left = ratio / (1.0 - np.minimum(ratio, 0.99)) * moved
        arrived = arrived | (left < share_left) | (moved < 1e-2 * share_left)
        if i > 0:  # a first step has none to be compared with
            arrived = arrived | (ratio > 0.5) & (moved < NEWTON_SHARE)  # that is rounding
            has_left = has_left | ~(ratio < 2.0) & ~arrived
        if (arrived | has_left).all():
            break
        moved_before = np.maximum(moved, TINY)
    return moved_by, arrived & ~has_left


def stage_matrix(A: Array, h: Array) -> Array:
    """``A_rk^-1 (x) I / h - diag(A_1, ..., A_s)``, (M, s n, s n), of A at the stages."""
    M, s, n, _ = A.shape
    full: Any = np.zeros((M, s, n, s, n))
    rows = np.arange(n)
    full[:, :, rows, :, rows] = tableau().inverse / h[:, None, None]
    stages = np.arange(s)
    full[:, stages, :, stages, :] -= np.swapaxes(A, 0, 1)
    return full.reshape(M, s * n, s * n)


def stage_sensitivities(start: Start, A: Array, E: Array) -> Array:
    """What the stages add to the sensitivities, (M, s, n, k), from A and E at the stages."""
    forced = A @ start.z[:, None, :, 1:] + E
    M, s, n, k = forced.shape
    try:
        solved: Any = np.linalg.solve(stage_matrix(A, start.h), forced.reshape(M, s * n, k))
    except np.linalg.LinAlgError:
        return np.full(forced.shape, np.nan)
    return solved.reshape(forced.shape)


def _error(
    flows: Flows, start: Start, rate: Array, stages: Array, inverse: Any, accuracy: Accuracy
) -> Array:
    """The difference to the embedded formula, filtered where the flow is stiff, (M,)."""
    tab = tableau()
    filter_, mu = inverse[:, 0].real, tab.eigenvalues[0].real
    moved = mu * np.einsum("s,msnc->mnc", tab.error, stages) / start.h[:, None, None]
    allowed = _allowed(accuracy, start, stages[:, -1])
    allowed += np.abs(filter_ @ start.noise)
    difference = filter_ @ (rate + moved)
    error: Any = norm(difference, allowed)
    if (error > 1.0).any():
        # Far from where stiff states rest, the first estimate does not fall with the step size.
        again = filter_ @ (flows.rate(start.t, start.z + difference) + moved)
        error = np.where(error > 1.0, norm(again, allowed), error)
    return error
