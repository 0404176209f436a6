"""The search for multipliers at a given metric: untrusted floating point, proved elsewhere.

``minimise r subject to F(r, t) = r N + F_0 - sum t_i (p_i q_i^T + q_i p_i^T) > 0, t > 0`` by a
logarithmic barrier. Each constraint matrix has rank two, so that a Newton step costs a Cholesky
factorisation and a few dense products, O(s^3 + m s^2 + m^2 s) for order s = n + m, where a general
solver forms and factors a matrix of order s^2 / 2.

Source: Boyd and Vandenberghe (2004), Convex Optimization, chapter 11; Benson, Ye and Zhang (2000),
    SIAM J. Optim. 10, 443-461, for constraint matrices of low rank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import final

import numpy as np

from riemannian_modules.certify.neural.slopes_matrix import nearest
from riemannian_modules.certify.neural.slopes_proof import can_compress
from riemannian_modules.certify.neural.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.space import Array

GAP = 1e-9  # of r, relative: where the search ends
GROWTH = 12.0  # of the weight of r, from one centre to the next
MOST_STEPS = 300  # Newton steps for one centre
CLOSE = 0.1  # squared decrement at which a centre is good enough
# Multiplications in a product: OpenBLAS wakes its threads beyond 2^18, where waking and waiting
# for them takes longer than the product up to about 2^23, if the cores do other work.
ALONE, TOGETHER = 2**18, 2**23

LARGEST_RATIO = 1e8  # of multipliers to where they start: linear neurons ask for infinite ones

Point = tuple[float, Array]  # r and t


@final
@dataclass(frozen=True, eq=False)
class Pencil:
    """``F(r, t) = r root root^T + constant - sum t_i (p_i q_i^T + q_i p_i^T)``, of order s.

    Attributes:
        root: (s, k).
        constant: (s, s).
        above: The vectors p_i, (m, s).
        below: The vectors q_i, (m, s).
    """

    root: Array
    constant: Array
    above: Array
    below: Array

    @cached_property
    def limit(self) -> Array:
        """``N = root root^T``, (s, s)."""
        return self.root @ self.root.T

    @cached_property
    def is_plain(self) -> bool:
        """Whether ``p_i`` picks out neuron i: the least slopes are zero, as for ReLU and tanh."""
        m, size = self.above.shape
        return np.array_equal(self.above, np.eye(m, size, size - m))

    def turned(self, r: float, t: Array) -> Array:
        """The part that is linear in r and t, (s, s)."""
        half = _product(self.above.T, t[:, None] * self.below)
        return r * self.limit - half - half.T

    def at(self, r: float, t: Array) -> Array:
        """The matrix, (s, s)."""
        return self.turned(r, t) + self.constant

    def factor(self, r: float, t: Array) -> Array | None:
        """Its lower Cholesky factor, or None if it is not positive definite."""
        return cholesky(self.at(r, t))


def pencil_of(form: SlopesForm, M: Array, N: Array | None, compression: Array | None) -> Pencil:
    """The pencil of a form with metric M of the outputs and N of the inputs (None: identity)."""
    through, B, entering, D = (nearest(matrix) for matrix in (form.A, form.B, form.C, form.D))
    n, m = through.shape[1], len(form.slopes)
    if compression is not None:
        C0 = entering[form.touched]
        n, through = len(C0), np.zeros((len(through), len(C0)))
        entering = np.zeros((m, n))
        entering[form.touched, np.arange(n)] = 1.0
        limit = 2.0 * compression - compression @ (C0 @ C0.T) @ compression
    else:
        is_step = form.time is not Time.STATIC
        limit = M if is_step else (np.eye(n) if N is None else N)
    out, reads = np.hstack([through, B]), np.hstack([entering, D])
    if form.time is Time.CONTINUOUS:
        limit = 2.0 * limit
        motion = np.vstack([M @ out, np.zeros((m, n + m))])
        motion = motion + motion.T
    else:
        motion = out.T @ M @ out
    alpha, beta = form.slope_bounds
    own = np.hstack([np.zeros((m, n)), np.eye(m)])
    values, vectors = np.linalg.eigh(0.5 * (limit + limit.T))
    root = np.zeros((n + m, n))
    root[:n] = vectors * np.sqrt(np.maximum(values, 0.0))
    return Pencil(root, -motion, own - alpha[:, None] * reads, beta[:, None] * reads - own)


def compression_of(form: SlopesForm) -> Array | None:
    """H, nearly the inverse of ``C0 C0^T``, where inputs are wider than what they feed."""
    if not can_compress(form) or len(form.touched) >= form.A.shape[1]:
        return None
    C0 = nearest(form.C)[form.touched]
    G = C0 @ C0.T
    # A little more on the diagonal keeps directions that x cannot reach expensive.
    H = np.linalg.inv(G + 1e-12 * np.trace(G) / len(G) * np.eye(len(G)))
    # The loss is quadratic in H's error, and short numbers are quick to multiply exactly.
    return shortened(0.5 * (H + H.T), 26)


def shortened(values: Array, bits: int) -> Array:
    """The numbers rounded to so many bits each."""
    mantissas, exponents = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissas, bits)), exponents - bits)


def feasible_start(form: SlopesForm, pencil: Pencil, seconds: float) -> Point | None:
    """Some strictly feasible point, with all neurons' own block definite; None if none is found.

    Neurons in layers: multipliers that fall off with depth. Neurons in loops: a search for
    multipliers that prove that the loops have one solution.
    """
    m = len(form.slopes)
    k = len(pencil.constant) - m
    own = Pencil(np.eye(m), np.zeros((m, m)), pencil.above[:, k:], pencil.below[:, k:])
    t = _falling(form, own)
    if t is None:
        t = _loops(own, seconds)
    if t is None:
        return None
    # r and a factor on t: with the neurons' block definite, some large r and t do.
    for scale in 4.0 ** np.arange(-10.0, 40.0):
        if cholesky(own.at(0.0, scale * t) + pencil.constant[k:, k:]) is not None:
            t = 2.0 * scale * t
            break
    else:
        return None
    sizes = (np.abs(pencil.constant), t, 1e-6 * np.abs(pencil.root) ** 2)
    size = sum(float(part.max(initial=0.0)) for part in sizes)
    for r in size * 4.0 ** np.arange(-20.0, 60.0):
        if pencil.factor(r, t) is not None:
            return 2.0 * r, t
    return None


def _falling(form: SlopesForm, own: Pencil) -> Array | None:
    depths = form.depths
    if depths is None:
        return None
    for base in 4.0 ** -np.arange(0.0, 12.0):
        t = base**depths
        if own.factor(0.0, t) is not None:
            return t
    return None


def _loops(own: Pencil, seconds: float) -> Array | None:
    """Multipliers with a definite block, by minimising r in ``r I + block(t) > 0`` below zero."""
    t = np.ones(own.above.shape[0])
    r = 1.0 + float(np.abs(own.at(0.0, t)).sum(axis=1).max())
    points = follow_centres(own, (r, t), seconds, lambda point: point[0] < 0)
    good = [p for p in points if p[0] < 0 and own.factor(0.0, p[1]) is not None]
    return good[-1][1] if good else None


def follow_centres(
    pencil: Pencil,
    start: Point,
    seconds: float,
    stop: Callable[[Point], bool] | None = None,
    gap: float = GAP,
) -> list[Point]:
    """Centres of the barrier with r weighted more and more: feasible points, the best one last.

    It ends after ``seconds``, when ``stop`` says so, or when r is within ``gap`` (relative) of the
    least one.
    """
    r, t = start
    ends = monotonic() + seconds
    points: list[Point] = [start]
    size, m = len(pencil.constant), len(t)
    most = LARGEST_RATIO * float(t.max(initial=1e-300))
    matrix = pencil.at(r, t)
    factor = cholesky(matrix)
    assert factor is not None
    weight = float(np.sum(pencil.limit * _inverse(factor)))
    steps = 0
    while monotonic() < ends:
        model = _model(pencil, factor, t, most)
        step = model.step(weight)
        if not step.decrement > CLOSE or steps >= MOST_STEPS:
            points.append((r, t))
            if not np.isfinite(step.decrement) or (stop is not None and stop((r, t))):
                break
            if (size + 2 * m) / weight <= gap * max(abs(r), 1e-12):
                break
            # The model at this centre serves the first step to the next one too.
            weight *= GROWTH
            step, steps = model.step(weight), 0
            matrix = pencil.at(r, t)  # without the rounding of the steps before
        found = _line_search(pencil, matrix, factor, t, step, weight, most)
        if found is None:  # rounding has put an end to it
            points.append((r, t))
            break
        length, matrix, factor = found
        r, t = r + length * step.dr, t + length * step.dt
        steps += 1
    return points


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A Newton step and its squared decrement."""

    dr: float
    dt: Array
    decrement: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """The barrier to second order at a point, for any weight of r.

    Attributes:
        gradient: Of the barrier alone, by (r, t), (1 + m,).
        solved: ``H^{-1} [gradient, e_r]``, (1 + m, 2).
    """

    gradient: Array
    solved: Array

    def step(self, weight: float) -> _Step:
        """The Newton step of ``weight r + barrier``."""
        step = -(self.solved[:, 0] + weight * self.solved[:, 1])
        decrement = -float(self.gradient @ step + weight * step[0])
        return _Step(float(step[0]), step[1:], decrement)


def _line_search(
    pencil: Pencil, F: Array, L: Array, t: Array, step: _Step, weight: float, most: float
) -> tuple[float, Array, Array] | None:
    """How far to go along a step, with the matrix and its factor there; None if nowhere."""
    dr, dt, decrement = step.dr, step.dt, step.decrement
    length = 1.0
    if decrement >= 0.25:
        length = _longest(t, dt, 1.0 / (1.0 + np.sqrt(decrement)))
    value, turn = _barrier(L, t, most), pencil.turned(dr, dt)
    for _ in range(30):
        ahead, moved = F + length * turn, t + length * dt
        inside = (moved > 0).all() and (moved < most).all()
        factor = cholesky(ahead) if inside else None
        if factor is not None:
            # The change of weight * r is far below the rounding of its value.
            change = weight * length * dr + _barrier(factor, moved, most) - value
            if change <= -0.01 * length * decrement:
                return length, ahead, factor
        length *= 0.5
    return None


def _longest(t: Array, dt: Array, least: float) -> float:
    """A step that stays inside ``t > 0``, one at most; shorter ones are tried if it is too long."""
    shrinking = dt < 0
    room = float((-t[shrinking] / dt[shrinking]).min(initial=np.inf))
    return max(least, min(1.0, 0.95 * room))


def _barrier(L: Array, t: Array, most: float) -> float:
    own = np.log(t).sum() + np.log1p(-t / most).sum()
    return float(-2.0 * np.log(np.diagonal(L)).sum() - own)


def _above(pencil: Pencil, G: Array, GQ: Array, m: int) -> tuple[Array, Array, Array]:
    """``G P^T``, ``P G P^T`` and ``P G Q^T``; parts of what is there where P picks the neurons."""
    if pencil.is_plain:
        own = len(G) - m
        return G[:, own:], G[own:, own:], GQ[own:]
    GP = _product(G, pencil.above.T)
    return GP, _product(pencil.above, GP), _product(pencil.above, GQ)


def _model(pencil: Pencil, L: Array, t: Array, most: float) -> _Model:
    G = _inverse(L)
    GQ, GR = _product(G, pencil.below.T), _product(G, pencil.root)
    GP, PP, PQ = _above(pencil, G, GQ, len(t))
    QQ = _product(pencil.below, GQ)
    m = len(t)
    gradient = np.empty(m + 1)
    gradient[0] = -np.sum(pencil.root * GR)
    gradient[1:] = 2.0 * np.diagonal(PQ) - 1.0 / t + 1.0 / (most - t)
    H = np.empty((m + 1, m + 1))
    H[0, 0] = ((pencil.root.T @ GR) ** 2).sum()
    H[0, 1:] = H[1:, 0] = -2.0 * (_product(pencil.root.T, GP) * _product(pencil.root.T, GQ)).sum(
        axis=0
    )
    H[1:, 1:] = 2.0 * (PP * QQ + PQ * PQ.T)
    places = np.arange(1, m + 1)
    H[places, places] += t**-2 + (most - t) ** -2
    scale = 1.0 / np.sqrt(np.diagonal(H))
    right = np.zeros((m + 1, 2))
    right[:, 0], right[0, 1] = scale * gradient, scale[0]
    return _Model(gradient, scale[:, None] * solved_definite(scale[:, None] * H * scale, right))


def cholesky(matrix: Array) -> Array | None:
    """The lower factor of a symmetric matrix, None if it is not definite in floating point."""
    try:
        L = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(L, dtype=np.float64) if np.isfinite(L).all() else None


def _product(P: Array, Q: Array) -> Array:
    """``P Q``, where it is small in bands of rows that BLAS leaves to one thread."""
    rows, work = len(P), P.size * Q.shape[1]
    if not ALONE < work <= TOGETHER:
        return P @ Q
    band = max(ALONE * rows // work, 1)
    out = np.empty((rows, Q.shape[1]))
    for first in range(0, rows, band):
        np.matmul(P[first : first + band], Q, out=out[first : first + band])
    return out


def _inverse(L: Array) -> Array:
    """``(L L^T)^{-1}``, by LU factors: OpenBLAS wakes its threads for any triangular solve."""
    white: Array = np.asarray(np.linalg.inv(L), dtype=np.float64)
    return _product(white.T, white)


def solved_definite(matrix: Array, right: Array) -> Array:
    """The solution of a definite system, slightly shifted where rounding asks for it, else NaN."""
    for shift in (0.0, 1e-14, 1e-11, 1e-8):
        shifted = matrix + shift * np.eye(len(matrix)) if shift else matrix
        if cholesky(shifted) is not None:
            return np.asarray(np.linalg.solve(shifted, right), dtype=np.float64)
    return np.full(right.shape, np.nan)
