"""Weights d_i for the block-diagonal metric ``blkdiag(d_i M_i)``; a search that nothing rests on.

Candidates: all equal; Perron's ``l_i / r_i`` of the comparison matrix, which balances a ring; those
that make each pair of mutual gains equal along the strongest pairs, so that skew-symmetric feedback
cancels. For small systems the best is improved by descent on the largest eigenvalue, which is
quasiconvex in d.

Source: Boyd, El Ghaoui, Feron and Balakrishnan (1994), chapter 5 (quadratic rates).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from riemannian_modules.errors import ConvergenceError
from riemannian_modules.evidence.blocks import Blocks
from riemannian_modules.evidence.comparison import Comparison
from riemannian_modules.evidence.sparse_test import sparse_test
from riemannian_modules.search.networks.comparison_weights import abscissa, find_weights
from riemannian_modules.search.networks.signed import AtomBox, block_metric, signed_estimate
from riemannian_modules.spaces import Array

MOST_IMPROVED = 40  # nodes, and coordinates, up to which weights are improved by descent
WIDEST = 2.0**80


def signed_weights(
    blocks: Blocks,
    metrics: Sequence[Array],
    C: Comparison,
    atoms: AtomBox,
    *,
    is_finite: bool,
) -> Iterator[Array]:
    """Candidates d (nodes,), the smallest entry of each being one."""
    n = C.size
    found = [np.ones(n)]
    if is_finite:
        perron = _perron(C, 0.0 if blocks.problem.is_flow else 1.0)
        found += [] if perron is None else [perron]
        found.append(_balanced(C))
    kept = [d / d.min() for d in found if np.isfinite(d).all() and d.max() / d.min() < WIDEST]
    yield from kept
    if not 1 < n <= len(blocks.problem.map) <= MOST_IMPROVED:
        return
    tests = [sparse_test(blocks, block_metric(blocks.groups, metrics, d)) for d in kept]
    needed = [signed_estimate(test, atoms.low, atoms.high) for test in tests]
    best = int(np.argmin(needed))
    points = _corners(atoms)
    if np.isfinite(needed[best]) and needed[best] > _floor(blocks, points) + 1e-4 * abs(
        needed[best]
    ):
        better = _improved(blocks, metrics, points, kept[best])
        if better.max() / better.min() < WIDEST:
            yield better / better.min()


def _floor(blocks: Blocks, points: Array) -> float:
    """No metric needs less than the largest spectral abscissa (radius) at some points of atoms."""
    eigenvalues = np.linalg.eigvals(blocks.jacobian.at(points).midpoint)
    return float((eigenvalues.real if blocks.problem.is_flow else np.abs(eigenvalues)).max())


def _perron(C: Comparison, limit: float) -> Array | None:
    """``l / r``: in this metric the gains of a ring are equal all round it."""
    best = abscissa(C, limit)
    b = best + 1e-3 * max(abs(limit - best), 1e-9)
    try:
        right, left = find_weights(C, b).floats, find_weights(C.transposed, b).floats
    except ConvergenceError:
        return None
    return None if right is None or left is None else left / right


def _balanced(C: Comparison) -> Array:
    """Weights with ``g_ij sqrt(d_i / d_j) = g_ji sqrt(d_j / d_i)`` along a spanning forest.

    The strongest pairs come first. Ratios next to simple fractions are taken as such, so that what
    cancels does so exactly.
    """
    pairs = [
        (C.entries[i, j] * C.entries[j, i], i, j)
        for i, j in C.entries
        if i < j and C.entries.get((j, i), 0.0) > 0 and C.entries[i, j] > 0
    ]
    root = list(range(C.size))
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(C.size)]

    def head(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for _, i, j in sorted(pairs, reverse=True):
        if head(i) != head(j):
            root[head(i)] = head(j)
            ratio = _simple(C.entries[i, j] / C.entries[j, i])  # d_j / d_i
            neighbours[i].append((j, ratio))
            neighbours[j].append((i, 1.0 / ratio))
    d = np.zeros(C.size)
    for start in range(C.size):
        if d[start]:
            continue
        d[start], stack = 1.0, [start]
        while stack:
            i = stack.pop()
            for j, ratio in neighbours[i]:
                if not d[j]:
                    d[j] = d[i] * ratio
                    stack.append(j)
    return d


def _simple(ratio: float) -> float:
    near = float(Fraction(ratio).limit_denominator(1000)) if 1e-3 < ratio < 1e12 else 0.0
    return near if abs(near - ratio) <= 1e-9 * ratio else ratio


def _improved(blocks: Blocks, metrics: Sequence[Array], points: Array, d: Array) -> Array:
    """Descent on a smooth maximum of the eigenvalues at points of atoms, ever sharper."""
    from scipy.optimize import minimize

    tests = [_dense_parts(blocks, metrics, points, k) for k in range(len(d))]
    T, W = np.stack([t for t, _ in tests]), np.stack([w for _, w in tests])  # (n, corners, N, N)
    shares = np.log(d)
    size = float(np.abs(T).max()) or 1.0
    for sharpness in (10.0, 100.0, 1000.0, 10000.0):

        def value(w: Array, tau: float = sharpness / size) -> tuple[float, Array]:
            return _smooth_largest(T, W, np.exp(w - w.max()), tau)

        sides = [(float(v) - 12.0, float(v) + 12.0) for v in np.log(d)]
        try:
            result = minimize(
                value, shares, jac=True, method="L-BFGS-B", bounds=sides, options={"maxiter": 60}
            )
        except np.linalg.LinAlgError:  # weights too far apart for floats: keep what there is
            break
        if np.isfinite(result.x).all():
            shares = result.x
    return np.exp(shares - shares.max())


def _dense_parts(
    blocks: Blocks, metrics: Sequence[Array], points: Array, node: int
) -> tuple[Array, Array]:
    """T and W of one node's share of the metric at some points of atoms (points, atoms)."""
    d = np.zeros(len(blocks.groups))
    d[node] = 1.0
    test = sparse_test(blocks, block_metric(blocks.groups, metrics, d))
    parts = [test.centre(p, p) for p in points]
    return np.stack([t.toarray() for t, _ in parts]), np.stack([w.toarray() for _, w in parts])


def _corners(atoms: AtomBox) -> Array:
    """At most 24 corners of the atoms' box: both extremes, atoms alone, some at random."""
    finite = np.isfinite(atoms.low), np.isfinite(atoms.high)
    low = np.where(finite[0], atoms.low, np.where(finite[1], atoms.high, 0.0))
    high = np.where(finite[1], atoms.high, low)
    count, moving, rng = len(low), low != high, np.random.default_rng(3)
    rows = [np.zeros(count, dtype=bool), np.ones(count, dtype=bool)]
    rows += [np.arange(count) == j for j in np.flatnonzero(moving)[:8]]
    rows += [rng.random(count) < 0.5 for _ in range(14)]
    return np.where(np.unique(np.stack(rows) & moving, axis=0), high, low)


def _smooth_largest(T: Array, W: Array, d: Array, tau: float) -> tuple[float, Array]:
    """``log(sum exp(tau lambda)) / tau`` over all corners' eigenvalues, and its slope in log d."""
    A, B = np.tensordot(d, T, 1), np.tensordot(d, W, 1)  # (corners, N, N)
    L = np.linalg.cholesky(B)
    half = np.linalg.solve(L, A)
    whole = np.linalg.solve(L, np.swapaxes(half, -1, -2))
    values, vectors = np.linalg.eigh(0.5 * (whole + np.swapaxes(whole, -1, -2)))
    top = values.max()
    weight = np.exp(tau * (values - top))
    total = weight.sum()
    V = np.linalg.solve(np.swapaxes(L, -1, -2), vectors)  # W-orthonormal
    share = weight / total
    # d lambda / d d_k = v^T (T_k - lambda W_k) v for W-orthonormal v.
    first = np.einsum("cik,ck,cjk->cij", V, share, V, optimize=True)
    second = np.einsum("cik,ck,cjk->cij", V, share * values, V, optimize=True)
    slope = np.einsum("ncij,cij->n", T, first) - np.einsum("ncij,cij->n", W, second)
    return float(top + np.log(total) / tau), d * slope
