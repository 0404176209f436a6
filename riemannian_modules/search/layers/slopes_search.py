"""The search for multipliers at a given metric: untrusted floating point, proved elsewhere.

``minimise r subject to F(r, t) = r N + F_0 - sum t_i (p_i q_i^T + q_i p_i^T) > 0, t > 0`` by a
primal-dual interior-point method, a dozen steps from any strictly feasible start. Each constraint
matrix has rank two, so that a step costs a few factorisations and dense products, O(s^3 + m s^2 +
m^2 s) for order s = n + m, where a general solver forms and factors a matrix of order s^2 / 2.

Source: Helmberg, Rendl, Vanderbei and Wolkowicz (1996), SIAM J. Optim. 6, 342-361 (the direction);
    Mehrotra (1992), SIAM J. Optim. 2, 575-601 (predictor and corrector); Benson, Ye and Zhang
    (2000), SIAM J. Optim. 10, 443-461, for constraint matrices of low rank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.arithmetic.blocked import (
    blocked_product,
    cholesky,
    inverse_of_lower,
    lapack,
)
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.search.layers.slopes_pencil import (
    Pencil,
    inner,
    inverse_of,
    symmetric_part,
)
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import time_left

GAP = 1e-9  # of r, relative: where the search ends
MOST_STEPS = 100
MOST_POWER = 40  # of four, by which multipliers are raised to start with
LENGTHS = (1.0, 0.9, 0.7, 0.4, 0.1, 0.01, 1e-3)  # of a step, tried
LEAST_SHARE = 0.02  # of the gap, that a step aims at; the more, the less far the last one went
REACH = 0.95  # of the way to where a step would leave what is feasible
LARGEST_RATIO = 1e8  # of multipliers to where they start: linear neurons ask for infinite ones

Point = tuple[float, Array]  # r and t


def feasible_start(form: SlopesForm, pencil: Pencil) -> Point | None:
    """Some strictly feasible point, with all neurons' own block definite; None if none is found.

    Neurons in layers: multipliers that fall off with depth. Neurons in loops: a search for
    multipliers that prove that the loops have one solution. Their common factor is nearly the best.
    """
    m = len(form.slopes)
    k = len(pencil.constant) - m
    own = Pencil(np.eye(m), np.zeros((m, m)), pencil.above[:, k:], pencil.below[:, k:])
    t = _falling(form, own)
    if t is None:
        t = _loops(own)
    if t is None:
        return None
    # The least r is a convex function of the factor, infinite where that is too small.
    size = float(np.abs(pencil.constant).max(initial=0.0)) or 1.0
    power, t = 0, size * t
    r = _least(pencil, t)
    while not np.isfinite(r) and power < MOST_POWER:
        power, r = power + 1, _least(pencil, 4.0 ** (power + 1) * t)
    for way in (1, -1):
        while abs(power) < MOST_POWER:
            ahead = _least(pencil, 4.0 ** (power + way) * t)
            if not ahead < r - 0.1 * abs(r):
                break
            power, r = power + way, ahead
    t = 4.0**power * t
    for room in max(abs(r), 1e-9 * size) * 4.0 ** np.arange(20.0):
        if pencil.factor(r + room, t) is not None:
            return r + room, t
    return None


def _least(pencil: Pencil, t: Array) -> float:
    """The r beyond which the matrix is definite, infinite if there is none."""
    k = len(pencil.constant) - len(t)
    F = pencil.at(0.0, t)
    if cholesky(F[k:, k:]) is None:
        return np.inf
    white = inverse_of_lower(pencil.root[:k])  # a Cholesky factor in `pencil_of`
    needed = F[:k, k:] @ np.linalg.solve(F[k:, k:], F[k:, :k]) - F[:k, :k]
    needed = symmetric_part(white @ needed @ white.T)
    return float(np.linalg.eigvalsh(needed)[-1]) if np.isfinite(needed).all() else np.inf


def _falling(form: SlopesForm, own: Pencil) -> Array | None:
    depths = form.depths
    if depths is None:
        return None
    for base in 4.0 ** -np.arange(0.0, 12.0):
        t = base**depths
        if own.factor(0.0, t) is not None:
            return t
    return None


def _loops(own: Pencil) -> Array | None:
    """Multipliers with a definite block, by minimising r in ``r I + block(t) > 0`` below zero."""
    t = np.ones(own.above.shape[0])
    r = 1.0 + float(np.abs(own.at(0.0, t)).sum(axis=1).max())
    points = follow_centres(own, (r, t), lambda point: point[0] < 0)
    good = [p for p in points if p[0] < 0 and own.factor(0.0, p[1]) is not None]
    return good[-1][1] if good else None


def follow_centres(
    pencil: Pencil,
    start: Point,
    stop: Callable[[Point], bool] | None = None,
    gap: float = GAP,
) -> list[Point]:
    """Feasible points along the path of centres to the least r, the best one last.

    It ends when the time is over, when ``stop`` says so, or when r is within ``gap`` (relative) of
    the least one.
    """
    r, t = start
    most = LARGEST_RATIO * float(t.max(initial=1e-300))
    at = _central(pencil, pencil.at(r, t), np.concatenate([t, most - t]))
    first = left = at.gap
    astray, length = 1.0, REACH
    points: list[Point] = [start]
    for _ in range(MOST_STEPS):
        weight = max((1.0 - length) ** 1.5, LEAST_SHARE) * left / (len(at.F) + len(at.room))
        step = _step(pencil, at, weight)
        if step is None:
            break
        ahead = _longest(at.F, step.dF, at.room, step.droom)
        aside = _longest(at.X, step.dX, at.z, step.dz)
        length = min(ahead, aside)
        r, t = float(r + ahead * step.dr), t + ahead * step.droom[: len(t)]
        matrix = pencil.at(r, t)
        inverse = inverse_of(matrix)
        if inverse is None or length == 0.0:  # rounding has put an end to it
            break
        X, z = at.X + aside * step.dX, at.z + aside * step.dz
        at = _Place(matrix, inverse, X, np.concatenate([t, most - t]), z)
        points.append((r, t))
        # By so much X and z miss the equations of `_step`, beside where they began.
        astray, left = astray * (1.0 - aside), at.gap
        is_over = left + astray * first <= gap * max(abs(r), 1e-12) or time_left() < 0
        if is_over or (stop is not None and stop((r, t))):
            break
    return points


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where the search is.

    Attributes:
        F: The matrix at (r, t), (s, s).
        G: Its inverse.
        X: Its multiplier, positive definite.
        room: t and how far below their limits they are, (2 m,).
        z: The multipliers of that, positive.
    """

    F: Array
    G: Array
    X: Array
    room: Array
    z: Array

    @property
    def gap(self) -> float:
        """``<F, X> + <room, z>``: r less what X and z prove to be least, once they fit."""
        return inner(self.F, self.X) + float(self.room @ self.z)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """Changes of r, F, X, the room and z."""

    dr: float
    dF: Array
    dX: Array
    droom: Array
    dz: Array


def _central(pencil: Pencil, F: Array, room: Array) -> _Place:
    """A strictly feasible point with the multipliers of a centre, r weighted as it fits there."""
    G = inverse_of(F)
    assert G is not None
    weight = 1.0 / inner(pencil.limit, G)
    return _Place(F, G, weight * G, room, weight / room)


def _step(pencil: Pencil, at: _Place, weight: float) -> _Step | None:
    """The step to the centre of a weight, to second order; None where its equations are singular.

    With ``A_0 = N, A_i`` the derivatives of F, centres solve ``<A_0, X> = 1``, ``<A_i, X> + z_i =
    z_{m + i}``, ``F X = w I``, ``room z = w`` for the weight w. To first order, the third one made
    symmetric, the new ``X = Y - sym(G dF X)`` and ``z = (c - z droom) / room``, with ``Y = w G``
    and ``c = w`` less what the predicted step (w = 0) leaves to second order, after Mehrotra.
    """
    G, X, room, z = at.G, at.X, at.room, at.z
    m = len(room) // 2
    H, stiff = pencil.pair_traces(G, X), z / room
    places = np.arange(1, m + 1)
    H[places, places] += stiff[:m] + stiff[m:]
    L = cholesky(H)
    if L is None:
        return None

    def towards(right: Array, Y: Array | float, c: Array | float) -> _Step:
        change: Array = lapack().dpotrs(L, right - first, lower=1)[0]
        dr, dt = float(change[0]), change[1:]
        dF, droom = pencil.turned(dr, dt), np.concatenate([dt, -dt])
        dX = Y - X - symmetric_part(blocked_product(G, blocked_product(dF, X)))
        return _Step(dr, dF, dX, droom, (c - z * droom) / room - z)

    first = np.zeros(m + 1)
    first[0] = 1.0
    p = towards(np.zeros(m + 1), 0.0, 0.0)
    Y = weight * G - symmetric_part(blocked_product(G, blocked_product(p.dF, p.dX)))
    c = weight - p.droom * p.dz
    right, push = pencil.traces(Y), c / room
    right[1:] += push[:m] - push[m:]
    return towards(right, Y, c)


def _longest(matrix: Array, turn: Array, room: Array, change: Array) -> float:
    """The part of a step that keeps a matrix definite and numbers positive; 0 if none is found."""
    steepest = float((change / room).min(initial=0.0))
    for length in LENGTHS:
        if 1.0 + length * steepest > 0.0 and cholesky(matrix + length * turn) is not None:
            return length if length == 1.0 else REACH * length
    return 0.0


def solved_definite(matrix: Array, right: Array) -> Array:
    """The solution of a definite system, slightly shifted where rounding asks for it, else NaN."""
    for shift in (0.0, 1e-14, 1e-11, 1e-8):
        shifted = matrix + shift * np.eye(len(matrix)) if shift else matrix
        if cholesky(shifted) is not None:
            return np.asarray(np.linalg.solve(shifted, right), dtype=np.float64)
    return np.full(right.shape, np.nan)
