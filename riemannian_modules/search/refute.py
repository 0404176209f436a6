"""Refutation: a point of the region at which the claim is violated, evaluated rigorously.

Two kinds of violation. In a given norm: at the point, the test's matrix is proved to need more than
the claimed b. In any norm: the Jacobian at the point is proved to have an eigenvalue that no
constant metric, and at an equilibrium no metric at all, allows.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval, as_interval
from riemannian_modules.arithmetic.interval_matrix import matmul, quadratic_form
from riemannian_modules.arithmetic.spectra import eigenvalues, symmetric_eigenpairs
from riemannian_modules.claims.answer import Refuted
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion, FieldCriterion, QuadraticCriterion
from riemannian_modules.search.samples import jacobians_at, sample_points
from riemannian_modules.spaces import Array
from riemannian_modules.terms.ranges import natural_ranges

MOST_AT_REST = 4  # points that are looked at exactly


def jacobian_enclosure(problem: Problem, point: Array) -> Interval:
    """The Jacobian at one exact point (dim,), as thin intervals (n, m)."""
    entries = tuple(e for row in problem.jacobian for e in row)
    values = compile_intervals(entries, (problem.symbols,))([Interval.point(v) for v in point])
    flat = [as_interval(v) for v in values]
    shape = (len(problem.jacobian), -1)
    return Interval(
        np.array([float(v.lower) for v in flat]).reshape(shape),
        np.array([float(v.upper) for v in flat]).reshape(shape),
    )


def refute_in_norm(
    problem: Problem, criterion: Criterion, b: float, point: Array
) -> Refuted | None:
    """Prove that at ``point`` (dim,) the test in a given norm needs more than b, or None."""
    if not problem.is_regular_at(point) or not problem.constraints.contains(point):
        return None
    low, high = criterion.form.ranges(problem.symbols, point[None], point[None])
    T = criterion.form.over(low, high)[0]
    if isinstance(criterion, QuadraticCriterion):
        direction, excess = _quadratic_excess(T, Interval.point(criterion.weight), b)
    elif isinstance(criterion, FieldCriterion):
        direction, excess = _quadratic_excess(*criterion.halves(T), b)
        if criterion.basis is not None:
            direction = np.array(criterion.basis, dtype=np.float64) @ direction
    else:
        direction, excess = None, _row_excess(T, criterion, b)
    if not excess > 0:
        return None
    names = dict(zip(problem.coordinates, point.tolist(), strict=True))
    return Refuted(
        f"in this norm the bound at {_shown(names)} exceeds {b:.10g} by at least {excess:.3g} "
        "(proved)",
        names, excess, direction,
    )  # fmt: skip


def _quadratic_excess(T: Interval, weight: Interval, b: float) -> tuple[Array, float]:
    # v^T (T - b W) v / v^T W v at an approximate eigenvector: any v with a positive value is a
    # witness.
    L = np.linalg.cholesky(weight.midpoint)
    half = np.linalg.solve(L, np.linalg.solve(L, T.midpoint).T)
    vectors = symmetric_eigenpairs(0.5 * (half + half.T))[1]
    v = np.asarray(np.linalg.solve(L.T, vectors[:, -1]), dtype=np.float64)
    excess = quadratic_form(T - weight * Interval.point(b), v)
    size = quadratic_form(weight, v)
    return v, float((excess / size).lower)


def _row_excess(T: Interval, criterion: Criterion, b: float) -> float:
    # The row sums of a thin matrix, with the smallest magnitudes: below b they prove nothing.
    weights, is_flow = criterion.weights, criterion.is_flow  # type: ignore[attr-defined]
    w = Interval.point(weights)
    small = Interval.point(T.mignitude) * w / w[:, None]
    diagonal = [
        T[i, i] if is_flow else Interval.point(T.mignitude[i, i]) for i in range(len(weights))
    ]
    rows = [
        diagonal[i] + sum((small[i, j] for j in range(len(weights)) if j != i), Interval.point(0.0))
        for i in range(len(weights))
    ]
    return max(float((row - b).lower) for row in rows)


def refute_in_any_metric(problem: Problem, b: float, point: Array | None = None) -> Refuted | None:
    """A point whose Jacobian has an eigenvalue proved beyond b, which no constant metric allows.

    Ties count: eigenvalues whose real parts sum to zero leave a flow no positive rate (b = 0). To
    refute the bound b itself, pass the next larger number. ``point`` is a point to try first.
    """
    points = _points_to_try(problem, point)
    return _refute_at(problem, b, points, "so no constant metric gives a bound of")


def refute_at_rest(problem: Problem, b: float, point: Array | None = None) -> Refuted | None:
    """As `refute_in_any_metric`, at points that the map leaves where they are.

    A metric M(x) does not change along a point at rest, so that it allows no more there than a
    constant one; elsewhere an eigenvalue says nothing about it.
    """
    points = [p for p in _points_to_try(problem, point)[:MOST_AT_REST] if _is_at_rest(problem, p)]
    if not points:
        return None
    return _refute_at(
        problem, b, np.stack(points), "and it stays there, so no metric gives a bound of"
    )


def _points_to_try(problem: Problem, point: Array | None) -> Array:
    given = np.zeros((0, len(problem.symbols))) if point is None else point[None]
    samples = sample_points(problem, np.random.default_rng(2), 400)
    return np.concatenate([_special_points(problem), given, samples])


def _is_at_rest(problem: Problem, point: Array) -> bool:
    """Whether the map leaves a point (dim,) where it is, exactly."""
    if not _may_be_at_rest(problem, point):
        return False
    table = {
        s: sp.Rational(*float(v).as_integer_ratio())
        for s, v in zip(problem.symbols, point.tolist(), strict=True)
    }
    stay = [sp.S.Zero if problem.is_flow else table[s] for s in problem.variables]
    return all(
        sp.expand(e.xreplace(table) - s) == 0 for e, s in zip(problem.map, stay, strict=True)
    )


def _may_be_at_rest(problem: Problem, point: Array) -> bool:
    """Whether an enclosure of the map allows that, which tells most points from those at rest."""
    low, high = natural_ranges(problem.map, problem.symbols, point[None], point[None])
    there = np.zeros(len(problem.map)) if problem.is_flow else point[: len(problem.map)]
    return bool((low[0] <= there).all() and (high[0] >= there).all())


def _refute_at(problem: Problem, b: float, points: Array, consequence: str) -> Refuted | None:
    """The point of those with the largest eigenvalue, if that is proved to lie beyond b."""
    if not problem.is_square or not np.isfinite(b):
        return None
    with np.errstate(all="ignore"):
        J = jacobians_at(problem, points)
    if len(J) != len(points):
        return None
    values = eigenvalues(J)
    size = (values.real if problem.is_flow else np.abs(values)).max(1)
    for place in np.argsort(-size, kind="stable")[:4]:
        if not problem.is_regular_at(points[place]) or not problem.constraints.contains(
            points[place]
        ):
            continue
        found = _unstable(jacobian_enclosure(problem, points[place]), b, is_flow=problem.is_flow)
        if found is not None:
            names = dict(zip(problem.coordinates, points[place].tolist(), strict=True))
            what = "an eigenvalue with real part" if problem.is_flow else "an eigenvalue of modulus"
            return Refuted(
                f"at {_shown(names)} the Jacobian has {what} {found[1]} {found[0]:.6g} (proved), "
                f"{consequence} {b:.6g}", names, found[0] - b, None,
            )  # fmt: skip
    return None


def _special_points(problem: Problem) -> Array:
    """Zero, or what is nearest to it in the region, and the middle."""
    low, high = problem.lower, problem.upper
    points = [np.clip(np.zeros_like(low), low, high)]
    with np.errstate(invalid="ignore"):
        middle = 0.5 * low + 0.5 * high
    points.append(np.where(np.isfinite(middle), middle, points[0]))
    return np.stack(points)


def _unstable(J: Interval, b: float, *, is_flow: bool) -> tuple[float, str] | None:
    """A proved lower bound, at least b, of the largest real part (modulus), and how it is told."""
    n = J.shape[-1]
    if is_flow:
        # The real parts sum to the trace, so the largest is at least the mean.
        trace = sum((J[i, i] for i in range(n)), Interval.point(0.0)) / n
        if float(trace.lower) >= b:
            return float(trace.lower), "of at least"
    elif n == 1 and float(J.mignitude[0, 0]) >= b:
        return float(J.mignitude[0, 0]), "of at least"
    values = eigenvalues(J.midpoint)
    size = float((values.real if is_flow else np.abs(values)).max())
    for part in (0.9, 0.5, 0.1, 0.01):
        bound = b + part * (size - b)
        if bound >= b and bound < size and _exceeds(J, bound, is_flow=is_flow):
            return bound, "above"
    return None


def _exceeds(J: Interval, bound: float, *, is_flow: bool) -> bool:
    """Whether some eigenvalue of every matrix in J is proved to lie beyond ``bound``.

    Inertia (Ostrowski and Schneider 1962): if H J + J^T H > 0 (for maps J^T H J - H > 0) and v^T H
    v > 0 for some v, then J has an eigenvalue with positive real part (of modulus above one). For
    on the invariant subspace of the others ``V = x^T H x`` grows along trajectories that tend to
    zero, so V <= 0 there; were that all of the space, V <= 0 everywhere. H is found by floating
    point, then proved.
    """
    from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

    n = J.shape[-1]
    identity = np.eye(n)
    try:
        if is_flow:
            shifted = J - Interval.point(bound * identity)
            solution = solve_continuous_lyapunov(shifted.midpoint.T, identity)
        else:
            shifted = J / bound
            solution = -solve_discrete_lyapunov(shifted.midpoint.T, identity)
    except (np.linalg.LinAlgError, ValueError):
        return False
    H: Array = np.asarray(0.5 * (solution + solution.T), dtype=np.float64)
    if not np.isfinite(H).all():
        return False
    v = symmetric_eigenpairs(H)[1][:, -1]
    if not float(quadratic_form(Interval.point(H), v).lower) > 0:
        return False
    HJ = matmul(Interval.point(H), shifted)
    grows = HJ + HJ.mT if is_flow else matmul(shifted.mT, HJ) - Interval.point(H)
    return bool(is_positive_definite(grows))


def _shown(names: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in names.items())
