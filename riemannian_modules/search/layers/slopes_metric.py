"""The joint search for a metric and multipliers: untrusted floating point, proved elsewhere.

At a given b the inequality ``F_b(M, t) > 0`` is linear in (M, t). A barrier method minimises r in
``F_b(M, t) + r E > 0, I / condition < M < I, t > 0``, E the identity on x; at each centre b falls
to a little above the smallest value that (M, t) allow, so that r starts again at zero.

Source: Boyd and El Ghaoui (1993), Method of centers for minimizing generalized eigenvalues, Linear
    Algebra Appl. 188, 63-111; Crouzeix and Ferland (1991), Math. Programming 52, 191-207, for the
    parametric method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.arithmetic.blocked import cholesky
from riemannian_modules.claims.slopes_matrix import nearest
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.search.layers.slopes_packed import Packing
from riemannian_modules.search.layers.slopes_pencil import pencil_of
from riemannian_modules.search.layers.slopes_search import (
    LARGEST_RATIO,
    feasible_start,
    follow_centres,
    solved_definite,
)
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import limited_to, time_left

FIRST = 0.3  # of the time, for multipliers in the first metric
LARGEST = 2_500  # variables: entries of M, and multipliers
MOST_CENTRES = 100
MOST_STEPS = 100  # Newton steps for one centre
GROWTH = 10.0  # of the weight of r, from one centre to the next
GAP = 1e-7  # of b, relative: where the search ends
SHARE = 0.1  # of the way from the smallest b back to the last one
SLACK = 2e-4  # of b, given up for a better condition of M where none is asked for
CONDITION = 1e8  # where none is asked for


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A smallest b, the metric that allows it, and its condition number."""

    b: float
    M: Array
    condition: float


def find_metric(form: SlopesForm, condition: float, target: float | None = None) -> Array | None:
    """A metric (n, n) in which the bound is nearly the smallest, None if none is found.

    Where a target is given and reached, the best conditioned one found that reaches it.

    A step costs O((n^2 / 2 + m)^3); systems that are too large give None.
    """
    n, m = form.A.shape[0], len(form.slopes)
    if n * (n + 1) // 2 + m > LARGEST or n == 0:
        return None
    if condition <= 1.0:
        return np.eye(n)
    is_free = condition > CONDITION
    with np.errstate(all="ignore"):  # what overflows here is refused by the proof
        found = _descend(_Family(form, min(condition, CONDITION)))
    if not found:
        return None
    best = min(f.b for f in found)
    allowed = best + (SLACK * abs(best) if is_free and target is None else 0.0)
    if target is not None and is_free:
        allowed = max(best, target - 1e-7 * abs(target))
    chosen = min((f for f in found if f.b <= allowed), key=lambda f: f.condition)
    scale = 2.0 ** -np.floor(np.log2(np.linalg.eigvalsh(chosen.M)[0]))
    return scale * chosen.M


@final
class _Family:
    """``F_b(M, t)`` and its derivatives, packed: r, the lower triangle of M, t."""

    def __init__(self, form: SlopesForm, condition: float) -> None:
        self.form, self.condition = form, condition
        self.n, self.m = form.A.shape[0], len(form.slopes)
        self.is_flow = form.time is Time.CONTINUOUS
        self.most = np.inf  # for multipliers
        self.packing = Packing(self.n)
        self.first = 1 + self.packing.count  # where the multipliers begin
        self.pencil = pencil_of(form, np.eye(self.n), None, None)
        self.out = np.hstack([nearest(form.A), nearest(form.B)])
        self.corner = np.eye(self.n, self.n + self.m)

    def metric(self, y: Array) -> Array:
        """M from the packed variables."""
        return self.packing.matrix(y[1 : self.first])

    def factors(self, b: float) -> list[tuple[Array, Array, float]]:
        """(X, Y, c) with ``F_b(M) = sum c X^T M Y``; X and Y are (n, s)."""
        if not self.is_flow:
            return [(self.corner, self.corner, b * b), (self.out, self.out, -1.0)]
        moving = b * self.corner - self.out
        return [(self.corner, moving, 1.0), (moving, self.corner, 1.0)]

    def matrix(self, b: float, y: Array) -> Array:
        """``F_b(M, t) + r E`` at packed variables."""
        M = self.metric(y)
        total = self.pencil.turned(0.0, y[self.first :]) + y[0] * (self.corner.T @ self.corner)
        for X, Y, c in self.factors(b):
            total = total + c * (X.T @ M @ Y)
        return total

    def smallest(self, y: Array) -> float:
        """The smallest b for which F_b is not negative at y."""
        n = self.n
        F = self.matrix(0.0, np.concatenate([[0.0], y[1:]]))
        across = F[:n, n:] @ np.linalg.solve(F[n:, n:], F[n:, :n]) if self.m else 0.0
        needed = across - F[:n, :n]
        L = np.linalg.cholesky(self.metric(y) * (2.0 if self.is_flow else 1.0))
        inner = np.linalg.solve(L, np.linalg.solve(L, 0.5 * (needed + needed.T)).T)
        largest = float(np.linalg.eigvalsh(inner)[-1])
        return largest if self.is_flow else float(np.sqrt(max(largest, 0.0)))


def _descend(family: _Family) -> list[_Found]:
    start = feasible_start(family.form, family.pencil)
    if start is None:
        return []
    # The best multipliers for the identity are where the joint search begins.
    with limited_to(FIRST * time_left()):
        points = follow_centres(family.pencil, start)
    t = points[max(len(points) - 6, 0)][1]
    family.most = LARGEST_RATIO * float(t.max(initial=1.0))
    middle = 0.5 * (1.0 + 1.0 / family.condition)
    y = np.concatenate([[0.0], middle * family.packing.packed(np.eye(family.n)), middle * t])
    low = family.smallest(y)
    b = low + 0.1 * max(abs(low), 1e-3)
    found: list[_Found] = []
    weight = 0.0
    for _ in range(MOST_CENTRES):
        if weight == 0.0:
            weight = max(-_newton(family, b, y, 0.0)[2], 1e-6)
        try:
            y = _centre(family, b, y, weight)
            low = family.smallest(y)
        except np.linalg.LinAlgError:  # rounding has put an end to it
            break
        values = np.linalg.eigvalsh(family.metric(y))
        found.append(_Found(low, family.metric(y), float(values[-1] / values[0])))
        # r lies above the least one by about gap: a large fall of r asks for the same weight again.
        gap, fallen = (family.n + len(y)) / weight, -float(y[0])
        if time_left() < 0 or max(gap, fallen) <= GAP * max(abs(low), 1e-9):
            break
        if low < b:
            b = low + SHARE * (b - low)
            y = np.concatenate([[0.0], y[1:]])
        if fallen <= 3.0 * gap:
            weight *= GROWTH
    return found


def _centre(family: _Family, b: float, y: Array, weight: float) -> Array:
    """Newton's method for one centre, from a strictly feasible y."""
    for _ in range(MOST_STEPS):
        step, decrement, _ = _newton(family, b, y, weight)
        if not decrement > 0.2 or time_left() < 0:
            break
        value, length = _value(family, b, y), 1.0
        while length > 1e-9:
            change = weight * length * step[0] + _value(family, b, y + length * step) - value
            if change <= -0.01 * length * decrement:
                break
            length *= 0.5
        else:
            break
        y = y + length * step
    return y


def _metric_blocks(family: _Family, y: Array) -> list[tuple[Array, float]]:
    """What is to be definite besides: ``M - I / condition``, ``I - M``, with the sign of M."""
    M, eye = family.metric(y), np.eye(family.n)
    return [(M - eye / family.condition, 1.0), (eye - M, -1.0)]


def _value(family: _Family, b: float, y: Array) -> float:
    """The barrier at a point, infinite outside."""
    t = y[family.first :]
    if not ((t > 0).all() and (t < family.most).all()):
        return np.inf
    total = -float((np.log(t) + np.log1p(-t / family.most)).sum())
    for matrix in (family.matrix(b, y), *(block for block, _ in _metric_blocks(family, y))):
        L = cholesky(matrix)
        if L is None:
            return np.inf
        total -= 2.0 * float(np.log(np.diagonal(L)).sum())
    return total


def _newton(family: _Family, b: float, y: Array, weight: float) -> tuple[Array, float, float]:
    """The Newton step, the squared decrement, and the gradient by r."""
    gradient, H = np.zeros(len(y)), np.zeros((len(y), len(y)))
    L = cholesky(family.matrix(b, y))
    if L is None:
        return np.zeros(len(y)), 0.0, 0.0
    _add_main(family, b, _inverse(L), gradient, H)
    packing, k = family.packing, family.first
    for matrix, sign in _metric_blocks(family, y):
        if cholesky(matrix) is None:
            return np.zeros(len(y)), 0.0, 0.0
        inverse = _inverse(matrix)
        gradient[1:k] -= sign * packing.traces(inverse)
        H[1:k, 1:k] += packing.pair_traces(inverse, inverse)
    room = family.most - y[k:]
    gradient[k:] += 1.0 / room - 1.0 / y[k:]
    H[np.arange(k, len(y)), np.arange(k, len(y))] += y[k:] ** -2 + room**-2
    at_rest = float(gradient[0])
    gradient[0] += weight
    scale = 1.0 / np.sqrt(np.diagonal(H))
    step = -scale * solved_definite(scale[:, None] * H * scale, scale * gradient)
    return step, float(-(gradient @ step)), at_rest


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _add_main(family: _Family, b: float, white: Array, gradient: Array, H: Array) -> None:
    """The share of ``-logdet (F_b + r E)``, for the inverse of its Cholesky factor."""
    packing, k = family.packing, family.first
    factors = [(white @ X.T, white @ Y.T, c) for X, Y, c in family.factors(b)]
    P, Q = white @ family.pencil.above.T, white @ family.pencil.below.T
    U, PQ = white @ family.corner.T, P.T @ Q
    UP, UQ = U.T @ P, U.T @ Q
    gradient[0] = -(U**2).sum()
    gradient[k:] = 2.0 * np.diagonal(PQ)
    H[0, 0] = ((U.T @ U) ** 2).sum()
    H[0, k:] = -2.0 * (UP * UQ).sum(axis=0)
    H[k:, k:] = 2.0 * ((P.T @ P) * (Q.T @ Q) + PQ * PQ.T)
    for X, Y, c in factors:
        gradient[1:k] -= c * packing.traces(Y.T @ X)
        H[0, 1:k] += c * packing.traces(Y.T @ U @ (U.T @ X))
        H[1:k, k:] -= 2.0 * c * packing.column_traces(X.T @ P, Y.T @ Q)
        for other_X, other_Y, d in factors:
            H[1:k, 1:k] += c * d * packing.pair_traces(Y.T @ other_X, other_Y.T @ X)
    H[1:, 0] = H[0, 1:]
    H[k:, 1:k] = H[1:k, k:].T
