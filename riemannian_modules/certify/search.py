"""The search for metrics and weights: untrusted floating point, whose results are proved elsewhere.

Source: Boyd, El Ghaoui, Feron and Balakrishnan, *Linear Matrix Inequalities in System and Control
Theory* (1994), chapter 5 (quadratic rates by generalised eigenvalue problems); Perron weights as
linear programs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from riemannian_modules.certify.atoms import atom_form, corners
from riemannian_modules.certify.norms import L1, L2, FreeL2, FreeLInf, FreeNorm, LInf, Norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.space import Array

MOST_VERTICES = 128
BISECTIONS = 40
SLACK = 2e-4  # part of the best rate given up for a well-conditioned metric


def find_norm(problem: Problem, wanted: FreeNorm) -> Norm:
    """The best norm found of the kind that is wanted.

    Raises:
        ConvergenceError: If no norm of this kind was found.
    """
    J, rays = jacobian_vertices(problem)
    if isinstance(wanted, FreeL2):
        if problem.is_flow and len(J) == 1 and not len(rays) and wanted.condition >= 1e12:
            return L2(_lyapunov_metric(J[0]))
        return L2(_best_metric(J, rays, wanted.condition, is_flow=problem.is_flow))
    if isinstance(wanted, FreeLInf):
        return LInf(_best_weights(J, rays, is_flow=problem.is_flow))
    transposed = np.swapaxes(J, -1, -2), np.swapaxes(rays, -1, -2) if len(rays) else rays
    weights = _best_weights(*transposed, is_flow=problem.is_flow)
    return L1(weights)


def jacobian_vertices(problem: Problem) -> tuple[Array, Array]:
    """Jacobians whose hull holds those of the box, (v, n, n), and slopes along unbounded atoms.

    Where the corners are too many, Jacobians at sampled points stand for them.
    """
    form = atom_form(problem.jacobian, problem.derived)
    form = form.with_known(form.lemmas(problem.symbols, problem.lower, problem.upper))
    low, high = (
        side[0] for side in form.ranges(problem.symbols, problem.lower[None], problem.upper[None])
    )
    if np.isnan(low).any() or len(low) > 12:
        return sampled_jacobians(problem, np.random.default_rng(0), MOST_VERTICES), np.zeros(
            (0, 0, 0)
        )
    anchor = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    far = np.where(np.isfinite(high), high, anchor)
    moving = anchor != far
    chosen = corners(anchor[None, moving], far[None, moving])[0]
    if len(chosen) > MOST_VERTICES:
        chosen = np.random.default_rng(0).permutation(chosen)[:MOST_VERTICES]
    atoms = np.broadcast_to(anchor, (len(chosen), len(anchor))).copy()
    atoms[:, moving] = chosen
    rays: list[Array] = []
    for j in np.flatnonzero(~(np.isfinite(low) & np.isfinite(high))):
        slope = form.slope(int(j)).at(atoms).midpoint
        rays += [s * slope for s, infinite in ((1, high[j]), (-1, low[j])) if np.isinf(infinite)]
    unique = np.unique(form.at(atoms).midpoint, axis=0)
    return unique, np.unique(np.concatenate(rays), axis=0) if rays else np.zeros((0, *form.shape))


def sample_points(problem: Problem, rng: np.random.Generator, count: int) -> Array:
    """Points of the box, corners and centre among them; unbounded sides log-uniformly."""
    low, high = problem.lower, problem.upper
    anchor = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    far = np.where(np.isfinite(high), high, anchor)
    inner = anchor + (far - anchor) * rng.random((count, len(low)))
    edge = np.where(rng.random((count, len(low))) < 0.5, anchor, far)
    points = np.where(rng.random((count, 1)) < 0.5, inner, edge)
    points[0], points[1], points[2 % count] = 0.5 * (anchor + far), anchor, far
    reach = 10.0 ** rng.uniform(-3, 3, points.shape)
    points = np.where(np.isinf(high) & (rng.random(points.shape) < 0.6), points + reach, points)
    points = np.where(np.isinf(low) & (rng.random(points.shape) < 0.6), points - reach, points)
    return np.clip(problem.constraints.pulled_in(np.clip(points, low, high)), low, high)


def sampled_jacobians(problem: Problem, rng: np.random.Generator, count: int) -> Array:
    """Jacobians at sampled points (count, n, m), in plain floating point."""
    return jacobians_at(problem, sample_points(problem, rng, count))


def jacobians_at(problem: Problem, points: Array) -> Array:
    """Jacobians at points (count, dim), in plain floating point; shape (count, n, m)."""
    from riemannian_modules.arithmetic.compile import compile_floats

    entries = tuple(e for row in problem.jacobian for e in row)
    with np.errstate(all="ignore"):
        values = compile_floats(entries, (problem.symbols,))(points.T)
    flat = np.stack(
        [np.broadcast_to(np.asarray(v, dtype=float), (len(points),)) for v in values], -1
    )
    J = flat.reshape(len(points), len(problem.jacobian), -1)
    return J[np.isfinite(J).all((1, 2))]


def _lyapunov_metric(J: Array) -> Array:
    """A metric in which a constant Jacobian contracts at nearly its spectral abscissa."""
    from scipy.linalg import solve_continuous_lyapunov

    abscissa = float(np.linalg.eigvals(J).real.max())
    scale = abs(abscissa) if abscissa != 0 else float(np.abs(J).max()) or 1.0
    shifted = J - (abscissa + 5e-4 * scale) * np.eye(len(J))  # spectral abscissa -5e-4 |abscissa|
    solution = solve_continuous_lyapunov(shifted.T, -np.eye(len(J)))
    M = 0.5 * (solution + solution.T)
    values = np.linalg.eigvalsh(M)
    if not values[0] > 0:
        raise ConvergenceError(
            "No Lyapunov metric was found: the Jacobian is too badly conditioned."
        )
    return M / values[0]


def _best_metric(J: Array, rays: Array, condition: float, *, is_flow: bool) -> Array:
    """The metric with the smallest bound over all vertices, by bisection on matrix inequalities."""
    import cvxpy as cp
    from cvxpy.error import SolverError

    n = J.shape[-1]
    M, b, t = cp.Variable((n, n), symmetric=True), cp.Parameter(), cp.Variable()
    identity = np.eye(n)
    common: list[Any] = [identity << M, M << t * identity]
    common += [M @ R + R.T @ M << 0 for R in rays]
    if is_flow:
        tests = [M @ A + A.T @ M << 2 * b * M for A in J]
    else:
        tests = [cp.bmat([[b * M, A.T @ M], [M @ A, b * M]]) >> 0 for A in J]
    smallest = cp.Problem(cp.Minimize(t), [*common, *tests])

    def solve(bound: float) -> Array | None:
        b.value = bound
        with warnings.catch_warnings():
            # An inaccurate metric is as good as any other: it is proved or refused afterwards.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            try:
                smallest.solve(solver=cp.CLARABEL)
            except SolverError:
                return None
        if M.value is None or smallest.status not in ("optimal", "optimal_inaccurate"):
            return None
        values = np.linalg.eigvalsh(M.value)
        return (
            M.value if values[0] > 0 and values[-1] / values[0] <= condition * (1 + 1e-9) else None
        )

    low = _spectral_floor(J, is_flow=is_flow)
    high = _euclidean_bound(J, is_flow=is_flow)
    found = _bisect(solve, low, high)
    if found is None:
        raise ConvergenceError(
            "No constant l2 metric was found in which the Jacobians contract at all."
        )
    best, metric = found
    if condition >= 1e12:  # give up a little rate for a metric of modest condition
        relaxed = solve(best + SLACK * abs(best))
        metric = relaxed if relaxed is not None else metric
    return 0.5 * (metric + metric.T)


def _spectral_floor(J: Array, *, is_flow: bool) -> float:
    """No metric has a smaller bound than the largest spectral abscissa (radius) of the vertices."""
    eigenvalues = np.linalg.eigvals(J)
    return float((eigenvalues.real if is_flow else np.abs(eigenvalues)).max())


def _euclidean_bound(J: Array, *, is_flow: bool) -> float:
    if is_flow:
        return float(np.linalg.eigvalsh(0.5 * (J + np.swapaxes(J, -1, -2)))[..., -1].max())
    return float(np.linalg.norm(J, 2, axis=(-2, -1)).max())


def _bisect(
    solve: Callable[[float], Array | None], low: float, high: float
) -> tuple[float, Array] | None:
    """The smallest bound for which ``solve`` succeeds, between a floor and a ceiling."""
    metric = solve(high + 1e-9 * (1 + abs(high)))
    if metric is None:
        return None
    best = high
    for _ in range(BISECTIONS):
        if high - low <= 1e-6 * max(abs(low), abs(high), 1e-9):
            break
        middle = 0.5 * (low + high)
        trial = solve(middle)
        if trial is None:
            low = middle
        else:
            high, best, metric = middle, middle, trial
    return best, metric


def _best_weights(J: Array, rays: Array, *, is_flow: bool) -> Array:
    """Weights with the smallest linf bound over all vertices, by bisection on linear programs."""
    from scipy.optimize import linprog

    n = J.shape[-1]
    rows = _majorants(J, is_flow=is_flow)
    ray_rows = _majorants(rays, is_flow=is_flow) if len(rays) else np.zeros((0, n))
    which = np.tile(np.arange(n), len(J))

    def solve(bound: float) -> Array | None:
        A = rows.copy()
        A[np.arange(len(A)), which] -= bound
        result = linprog(
            np.ones(n),
            A_ub=np.vstack([A, ray_rows]),
            b_ub=np.zeros(len(A) + len(ray_rows)),
            bounds=(1.0, 1e9),
            method="highs",
        )
        return np.asarray(result.x) if result.success else None

    high = float(rows.sum(1).max())
    found = _bisect(solve, float(np.diagonal(J, axis1=1, axis2=2).max() if is_flow else 0.0), high)
    if found is None:
        raise ConvergenceError("No weights were found in which the Jacobians contract at all.")
    relaxed = solve(found[0] + 1e-7 * abs(found[0]))
    return relaxed if relaxed is not None else found[1]


def _majorants(J: Array, *, is_flow: bool) -> Array:
    """Rows of magnitudes, the diagonal of a flow with its sign: (v * n, n)."""
    rows = np.abs(J)
    if is_flow:
        n = J.shape[-1]
        rows[:, np.arange(n), np.arange(n)] = np.diagonal(J, axis1=1, axis2=2)
    return rows.reshape(-1, J.shape[-1])
