"""What a module conserves: the linear combinations of its states that no trajectory changes.

The map moves the state along a linear space alone, spanned by the vectors that multiply its
monomials (the stoichiometry of a reaction network). What is orthogonal to that space is conserved.
Source: Horn and Jackson (1972), Arch. Rational Mech. Anal. 47, 81-116 (reaction simplices).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.errors import RiemannianError, TraceError, UnsupportedError
from riemannian_modules.modules.compiled_rate import LARGEST_FUSED_STATE
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.spaces import Array

MOST_MONOMIALS = 20_000  # beyond which nothing is multiplied out
NONE = np.zeros(0, dtype=np.intp)
SAMPLES = 8
ROUNDING = 64 * np.finfo(float).eps


def conserved(module: RiemannianModule, point: Point, free: NDArray[np.intp] = NONE) -> Array:
    """The laws ``C x = const`` of a module whose inputs and parameters are held.

    A map that can be traced is multiplied out into monomials; of any other, Jacobians at points
    around the given one tell the same to fewer digits. In floating point, so nothing is proved;
    `riemannian_modules.certify.conservation_laws` finds what holds exactly.

    Args:
        module: A continuous or discrete module of n states.
        point: The inputs and parameters, and where Jacobians are taken.
        free: Positions of inputs that are not held: the laws hold for all their values.

    Returns:
        C, shape (k, n), with a column of the identity for each law; k = 0 where nothing is
        conserved. Cost: O(n^2) times the number of monomials.
    """
    motions = _traced_motions(module, point, free)
    if motions is None:
        motions = _sampled_motions(module, point, free)
    return _left_null_space(motions)


def _traced_motions(module: RiemannianModule, point: Point, free: NDArray[np.intp]) -> Array | None:
    """A column for each monomial of ``dx`` (of ``x+ - x``), or None where that is out of reach."""
    if module.signature.state.size > LARGEST_FUSED_STATE:
        return None
    try:
        e = module.expressions_at(point.theta)
    except (TraceError, UnsupportedError):
        return None
    held = {s: v for i, (s, v) in enumerate(zip(e.inputs, point.u, strict=True)) if i not in free}
    e = e.with_values(held)
    moved = [0] * len(e.dx) if module.time is Time.CONTINUOUS else e.state
    entries: list[Any] = [e - s for e, s in zip(e.dx, moved, strict=True)]
    if sum(map(_monomial_count, entries)) > MOST_MONOMIALS:
        return None
    place: dict[Any, int] = {}
    rows = [
        {place.setdefault(m, len(place)): float(c) for m, c in _monomials(entry).items() if c}
        for entry in entries
    ]
    motions = np.zeros((len(rows), len(place)))
    for i, row in enumerate(rows):
        motions[i, list(row)] = list(row.values())
    return motions


def _monomial_count(e: Any) -> int:
    """A bound on the number of monomials of an expression that is multiplied out."""
    if e.is_Add:
        return sum(map(_monomial_count, e.args))
    if e.is_Mul:
        return math.prod(map(_monomial_count, e.args))
    if e.is_Pow and e.exp.is_Integer and e.exp > 1:
        count = _monomial_count(e.base)
        return count ** min(int(e.exp), MOST_MONOMIALS.bit_length()) if count > 1 else 1
    return 1


def _monomials(e: Any) -> dict[Any, Any]:
    """Exact coefficients of an expression multiplied out; what is no sum or product stays whole."""
    if e.is_Rational:
        return {e**0: e}
    if e.is_Add:
        return _sum(_monomials(part) for part in e.args)
    if e.is_Mul:
        return reduce(_product, map(_monomials, e.args))
    if e.is_Pow and e.exp.is_Integer and e.exp > 1 and (e.base.is_Add or e.base.is_Mul):
        return reduce(_product, [_monomials(e.base)] * int(e.exp))
    return {e: 1}


def _sum(tables: Iterable[dict[Any, Any]]) -> dict[Any, Any]:
    total: defaultdict[Any, Any] = defaultdict(int)
    for table in tables:
        for monomial, coefficient in table.items():
            total[monomial] += coefficient
    return dict(total)


def _product(first: dict[Any, Any], second: dict[Any, Any]) -> dict[Any, Any]:
    return _sum({m * n: a * b} for m, a in first.items() for n, b in second.items())


def _sampled_motions(module: RiemannianModule, point: Point, free: NDArray[np.intp]) -> Array:
    """Columns of Jacobians and of the map itself at the point and at some around it."""
    rng, n = np.random.default_rng(0), point.x.size
    around = np.concatenate([np.zeros((1, n)), rng.standard_normal((SAMPLES, n))])
    x = point.x + np.maximum(np.abs(point.x), 1.0) * around
    u = np.repeat(point.u[None], len(x), axis=0)
    u[1:, free] += rng.standard_normal((SAMPLES, len(free))) * np.maximum(np.abs(u[1:, free]), 1.0)
    try:
        return _motions_at(module, x, u, point.theta, free)
    except RiemannianError:  # some part of the module is not defined so far away
        return _motions_at(module, x[:1], u[:1], point.theta, free)


def _motions_at(
    module: RiemannianModule, x: Array, u: Array, theta: Array, free: NDArray[np.intp]
) -> Array:
    """What `_sampled_motions` gives, for points x (k, n) under inputs u (k, m)."""
    n = x.shape[-1]
    with np.errstate(all="ignore"):  # points outside the domain tell nothing
        J = module.jacobian(x, u, theta)
        dx = np.broadcast_to(module.forward(x, u, theta)[0], x.shape)
    by_x, by_u = (np.broadcast_to(part, (len(x), *part.shape[-2:])) for part in (J.A, J.B))
    if module.time is not Time.CONTINUOUS:
        by_x, dx = by_x - np.eye(n), dx - x
    found = np.concatenate([by_x, by_u[..., free], dx[..., None]], -1)
    found = np.concatenate(list(found), -1)
    return found[:, np.isfinite(found).all(0)]


def _left_null_space(motions: Array) -> Array:
    """C with ``C motions = 0``, shape (k, n), of largest rank as far as rounding can tell."""
    from scipy.linalg import qr

    n = len(motions)
    # Columns have the sizes of rate constants, rows those of the states' units; neither is a reason
    # to take one for zero.
    columned = motions / _unit(np.abs(motions).max(0, initial=0.0))
    rows = _unit(np.abs(columned).max(1, initial=0.0))
    scaled = columned / rows[:, None]
    scaled = scaled / _unit(np.linalg.norm(scaled, axis=0))
    left, sizes, _ = np.linalg.svd(scaled, full_matrices=True)
    rank = int((sizes > ROUNDING * n * sizes.max(initial=0.0)).sum())
    if rank == n:
        return np.zeros((0, n))
    basis = left[:, rank:].T
    factored: Any = qr(basis, mode="r", pivoting=True)
    pivots = factored[1][: n - rank]
    laws = np.linalg.solve(basis[:, pivots], basis)
    laws[np.abs(laws) <= ROUNDING * n] = 0.0
    return laws * (rows[pivots][:, None] / rows)


def _unit(sizes: Array) -> Array:
    return np.where(sizes > 0.0, sizes, 1.0)
