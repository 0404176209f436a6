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
from time import monotonic
from typing import final

import numpy as np

from riemannian_modules.certify.slopes_matrix import nearest
from riemannian_modules.certify.slopes_search import (
    LARGEST_RATIO,
    cholesky,
    feasible_start,
    follow_centres,
    pencil_of,
    solved_definite,
)
from riemannian_modules.certify.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.space import Array

LARGEST = 40_000_000  # numbers in the derivatives of the inequality
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


def find_metric(
    form: SlopesForm, condition: float, seconds: float, target: float | None = None
) -> Array | None:
    """A metric (n, n) in which the bound is nearly the smallest, None if none is found.

    Where a target is given and reached, the best conditioned one found that reaches it.

    Memory and time grow as (n^2 / 2 + m) (n + m)^2 a step; systems that are too large give None.
    """
    n, m = form.A.shape[0], len(form.slopes)
    if (n * (n + 1) // 2 + m) * (n + m) ** 2 > LARGEST or n == 0:
        return None
    if condition <= 1.0:
        return np.eye(n)
    is_free = condition > CONDITION
    with np.errstate(all="ignore"):  # what overflows here is refused by the proof
        found = _descend(_Family(form, min(condition, CONDITION)), seconds)
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
        self.rows, self.columns = np.tril_indices(self.n)
        self.start_pencil = pencil_of(form, np.eye(self.n), None, None)
        self.still = self.start_pencil.constant
        basis = np.zeros((len(self.rows), self.n, self.n))
        each = np.arange(len(self.rows))
        basis[each, self.rows, self.columns] = basis[each, self.columns, self.rows] = 1.0
        self.basis = basis
        out = np.hstack([nearest(form.A), nearest(form.B)])
        size = self.n + self.m
        self.limits = np.zeros((len(basis), size, size))
        self.limits[:, : self.n, : self.n] = 2.0 * basis if self.is_flow else basis
        if self.is_flow:
            self.motions = np.zeros((len(basis), size, size))
            self.motions[:, : self.n] = basis @ out
            self.motions = self.motions + np.swapaxes(self.motions, 1, 2)
        else:
            self.motions = out.T @ basis @ out
        self.corner = np.zeros((size, size))
        self.corner[: self.n, : self.n] = np.eye(self.n)

    def metric(self, y: Array) -> Array:
        """M from the packed variables."""
        M = np.zeros((self.n, self.n))
        M[self.rows, self.columns] = M[self.columns, self.rows] = y[1 : 1 + len(self.rows)]
        return M

    def dense_at(self, b: float) -> Array:
        """The derivatives of ``F_b(M, t) + r E`` by r and by the entries of M, (k + 1, s, s)."""
        factor = b if self.is_flow else b * b
        return np.concatenate([self.corner[None], factor * self.limits - self.motions])

    def matrix(self, dense: Array, y: Array) -> Array:
        """``F_b(M, t) + r E`` at packed variables, with the derivatives that b gives."""
        k = len(dense)
        return np.tensordot(y[:k], dense, 1) + self.start_pencil.at(0.0, y[k:]) - self.still

    def smallest(self, y: Array) -> float:
        """The smallest b for which F_b is not negative at y."""
        n = self.n
        F = self.matrix(self.dense_at(0.0), np.concatenate([[0.0], y[1:]]))
        across = F[:n, n:] @ np.linalg.solve(F[n:, n:], F[n:, :n]) if self.m else 0.0
        needed = across - F[:n, :n]
        L = np.linalg.cholesky(self.metric(y) * (2.0 if self.is_flow else 1.0))
        inner = np.linalg.solve(L, np.linalg.solve(L, 0.5 * (needed + needed.T)).T)
        largest = float(np.linalg.eigvalsh(inner)[-1])
        return largest if self.is_flow else float(np.sqrt(max(largest, 0.0)))


def _descend(family: _Family, seconds: float) -> list[_Found]:
    ends = monotonic() + seconds
    start = feasible_start(family.form, family.start_pencil, seconds)
    if start is None:
        return []
    # The best multipliers for the identity are where the joint search begins.
    points = follow_centres(family.start_pencil, start, 0.3 * seconds)
    t = points[max(len(points) - 6, 0)][1]
    family.most = LARGEST_RATIO * float(t.max(initial=1.0))
    middle = 0.5 * (1.0 + 1.0 / family.condition)
    y = np.concatenate([[0.0], middle * np.eye(family.n)[family.rows, family.columns], middle * t])
    low = family.smallest(y)
    b = low + 0.1 * max(abs(low), 1e-3)
    found: list[_Found] = []
    weight = 0.0
    for _ in range(MOST_CENTRES):
        dense = family.dense_at(b)
        if weight == 0.0:
            weight = max(-_newton(family, dense, y, 0.0)[2], 1e-6)
        try:
            y = _centre(family, dense, y, weight, ends)
            low = family.smallest(y)
        except np.linalg.LinAlgError:  # rounding has put an end to it
            break
        values = np.linalg.eigvalsh(family.metric(y))
        found.append(_Found(low, family.metric(y), float(values[-1] / values[0])))
        # r lies above the least one by about gap: a large fall of r asks for the same weight again.
        gap, fallen = (family.n + len(y)) / weight, -float(y[0])
        if monotonic() > ends or max(gap, fallen) <= GAP * max(abs(low), 1e-9):
            break
        if low < b:
            b = low + SHARE * (b - low)
            y = np.concatenate([[0.0], y[1:]])
        if fallen <= 3.0 * gap:
            weight *= GROWTH
    return found


def _centre(family: _Family, dense: Array, y: Array, weight: float, ends: float) -> Array:
    """Newton's method for one centre, from a strictly feasible y."""
    for _ in range(MOST_STEPS):
        step, decrement, _ = _newton(family, dense, y, weight)
        if not decrement > 0.2 or monotonic() > ends:
            break
        value, length = _value(family, dense, y), 1.0
        while length > 1e-9:
            change = weight * length * step[0] + _value(family, dense, y + length * step) - value
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


def _value(family: _Family, dense: Array, y: Array) -> float:
    """The barrier at a point, infinite outside."""
    t = y[len(dense) :]
    if not ((t > 0).all() and (t < family.most).all()):
        return np.inf
    total = -float((np.log(t) + np.log1p(-t / family.most)).sum())
    for matrix in (family.matrix(dense, y), *(block for block, _ in _metric_blocks(family, y))):
        L = cholesky(matrix)
        if L is None:
            return np.inf
        total -= 2.0 * float(np.log(np.diagonal(L)).sum())
    return total


def _newton(family: _Family, dense: Array, y: Array, weight: float) -> tuple[Array, float, float]:
    """The Newton step, the squared decrement, and the gradient by r."""
    k = len(dense)
    gradient, H = np.zeros(len(y)), np.zeros((len(y), len(y)))
    L = cholesky(family.matrix(dense, y))
    if L is None:
        return np.zeros(len(y)), 0.0, 0.0
    inverse = np.linalg.inv(L)
    inner = inverse @ dense @ inverse.T
    flat = inner.reshape(k, -1)
    P, Q = inverse @ family.start_pencil.above.T, inverse @ family.start_pencil.below.T
    PQ = P.T @ Q
    gradient[:k] = -np.trace(inner, axis1=1, axis2=2)
    room = family.most - y[k:]
    gradient[k:] = 2.0 * np.diagonal(PQ) - 1.0 / y[k:] + 1.0 / room
    H[:k, :k] = flat @ flat.T
    H[k:, k:] = 2.0 * ((P.T @ P) * (Q.T @ Q) + PQ * PQ.T)
    H[:k, k:] = -2.0 * ((inner @ Q) * P).sum(axis=1)
    H[k:, :k] = H[:k, k:].T
    for matrix, sign in _metric_blocks(family, y):
        factor = cholesky(matrix)
        if factor is None:
            return np.zeros(len(y)), 0.0, 0.0
        own = np.linalg.inv(factor)
        white = own @ family.basis @ own.T
        flat = white.reshape(k - 1, -1)
        gradient[1:k] -= sign * np.trace(white, axis1=1, axis2=2)
        H[1:k, 1:k] += flat @ flat.T
    H[np.arange(k, len(y)), np.arange(k, len(y))] += y[k:] ** -2 + room**-2
    at_rest = float(gradient[0])
    gradient[0] += weight
    scale = 1.0 / np.sqrt(np.diagonal(H))
    step = -scale * solved_definite(scale[:, None] * H * scale, scale * gradient)
    return step, float(-(gradient @ step)), at_rest
