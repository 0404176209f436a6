"""The search for a constant metric of the smallest bound over given Jacobians: untrusted.

Source: Boyd, El Ghaoui, Feron and Balakrishnan, *Linear Matrix Inequalities in System and Control
Theory* (1994), chapter 5 (quadratic rates by generalised eigenvalue problems).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.spectra import (
    eigenpairs,
    eigenvalues,
    symmetric_eigenvalues,
)
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.search.metrics.cone_program import symmetric_basis
from riemannian_modules.search.metrics.pencils import (
    ConstantPencils,
    Limits,
    smallest_bound,
    tamest,
)
from riemannian_modules.spaces import Array

SLACK = 1e-5  # part of the best rate given up for a well-conditioned metric
SHIFTS = tuple(
    5e-4 * 2.0 ** (0.5 * k) for k in range(21)
)  # parts of the abscissa, given up for a defect
FREE = 1e8  # condition, from which on a limit is none
MODEST = 1e9  # condition up to which a metric of eigenvectors is taken
DYADIC = (6, 10, 14, 18, 22, 26, 30, 36, 42, 48)  # bits that metrics are rounded to, if that does


def constant_metric(
    J: Array,
    slopes: Array,
    *,
    condition: float,
    is_flow: bool,
    blocks: Sequence[Sequence[int]] | None = None,
) -> Array:
    """The metric (n, n) of the smallest bound over Jacobians, with dyadic entries.

    Args:
        J: Jacobians (count, n, n).
        slopes: Slopes (rays, n, n) along unbounded atoms.
        condition: Largest condition number of the metric.
        is_flow: Whether the bound is a flow's log-norm; else a step map's Lipschitz constant.
        blocks: Coordinates that may share a block of the metric; None for a full metric.

    Raises:
        ConvergenceError: If no metric is found.
    """
    n = J.shape[-1]
    whole = blocks is None or any(len(set(b)) == n for b in blocks)
    if len(J) == 1 and is_flow and whole and not len(slopes) and condition >= FREE:
        found = _linear_metric(J[0], condition)
    else:
        basis = symmetric_basis(n, [range(n)] if blocks is None else blocks)
        found = _best_metric(J, slopes, basis, condition, is_flow=is_flow, whole=whole)
    rounded = rounded_metric(found, J, is_flow=is_flow)
    return rounded if np.linalg.cond(rounded) <= condition else found


def rounded_metric(M: Array, J: Array, *, is_flow: bool) -> Array:
    """The metric with as few bits as leave its bound over Jacobians as it is."""
    pencils = ConstantPencils(J, J[:0], M[None], is_flow)
    best = float(pencils.bounds(np.ones(1)).max())
    scale = 2.0 ** np.floor(np.log2(np.sqrt(np.diagonal(M))))
    for bits in DYADIC:
        grid = 2.0**-bits * scale[:, None] * scale
        trial = np.round(M / grid) * grid
        bound = float(ConstantPencils(J, J[:0], trial[None], is_flow).bounds(np.ones(1)).max())
        if bound <= best + 1e-7 * abs(best):
            return trial
    return M


def _linear_metric(J: Array, condition: float) -> Array:
    """A metric in which one constant Jacobian contracts at (nearly) its spectral abscissa."""
    from scipy.linalg import solve_continuous_lyapunov

    values, vectors = eigenpairs(J)
    with np.errstate(all="ignore"):
        if np.linalg.cond(vectors) ** 2 <= MODEST:
            # In the coordinates of the eigenvectors the Jacobian is diagonal: nothing is given up.
            W = np.linalg.inv(vectors)
            whole: Any = np.real(W.conj().T @ W)
            return _unit(whole)
    T = np.diag(_balance(J[None]))
    inverse = np.diag(1.0 / np.diag(T))
    balanced = T @ J @ inverse
    abscissa = float(np.real(values).max())
    scale = abs(abscissa) if abscissa != 0 else float(np.abs(J).max()) or 1.0
    best, found = np.inf, None
    for part in SHIFTS:
        shifted = balanced - (abscissa + part * scale) * np.eye(len(J))
        if not np.isfinite(shifted).all():
            break
        solution: Any = solve_continuous_lyapunov(shifted.T, -np.eye(len(J)))
        try:
            M = _unit(solution)
        except ConvergenceError:
            continue
        # Units that lie far apart cost no rounding; the balanced coordinates show what does.
        bound = _linear_bound(balanced, M) if np.linalg.cond(M) <= condition else np.inf
        if bound < best:
            best, found = bound, M
    if found is None:
        raise ConvergenceError("No metric was found: the Jacobian is too badly conditioned.")
    return _unit(T @ found @ T)


def _linear_bound(J: Array, M: Array) -> float:
    """Twice the log-norm, in coordinates in which the metric has ones (nearly) on its diagonal.

    A defect asks for metrics whose scales lie far apart; in these coordinates they are harmless.
    """
    d = 2.0 ** np.round(0.5 * np.log2(np.diagonal(M)))
    scaled = (d[:, None] * J / d)[None]
    pencils = ConstantPencils(scaled, scaled[:0], (M / d / d[:, None])[None], is_flow=True)
    return float(pencils.bounds(np.ones(1))[0])


def _unit(solution: Array) -> Array:
    """The symmetric part, with the smallest eigenvalue one."""
    M = 0.5 * (solution + solution.T)
    smallest = symmetric_eigenvalues(M)[0]
    if not smallest > 0:
        raise ConvergenceError("No metric was found: the Jacobians are too badly conditioned.")
    return M / smallest


def _balance(J: Array) -> Array:
    """Scales d (n,), powers of two, for which ``diag(d) J diag(1/d)`` are balanced on average."""
    from scipy.linalg import matrix_balance

    size = np.abs(J).mean(0)
    if not np.isfinite(size).all():
        return np.ones(len(size))
    _, (scale, _) = matrix_balance(size, permute=False, separate=True)
    return np.asarray(1.0 / scale, dtype=np.float64)


def _best_metric(
    J: Array, slopes: Array, basis: Array, condition: float, *, is_flow: bool, whole: bool
) -> Array:
    """The metric of the smallest bound, well conditioned where a little rate buys that."""
    is_free = condition >= FREE
    T = _first_coordinates(J, is_flow=is_flow, whole=whole) if is_free else np.eye(J.shape[-1])
    inverse = np.linalg.inv(T)
    pencils = ConstantPencils(T @ J @ inverse, T @ slopes @ inverse, basis, is_flow)
    start = np.array([1.0 if B.diagonal().any() else 0.0 for B in basis])
    limits = Limits(np.eye(len(T)), np.inf if is_free else condition)
    best, theta = smallest_bound(pencils, start, limits)
    if len(slopes) and not _falls(pencils, theta):
        raise ConvergenceError("No constant l2 metric was found that unbounded atoms allow.")
    if is_free:
        unit = inverse.T @ inverse
        for measure in (unit / np.linalg.norm(unit, 2), np.eye(len(T))):
            tame = tamest(pencils, theta, best + SLACK * abs(best), measure)
            if tame is not None and tame[0] <= best + 2 * SLACK * abs(best):
                theta = tame[1]
                break
    M = _unit(T.T @ np.einsum("k,kij->ij", theta, basis) @ T)
    values = symmetric_eigenvalues(M)
    # A solver oversteps by 1e-9 or so: (max + d) / (min + d) = condition (1 - 1e-12) mends that.
    over = values[-1] - condition * (1 - 1e-12) * values[0]
    shift = over / (condition - 1) if over > 0 and condition > 1 else 0.0
    return M + shift * np.eye(len(M))


def _falls(pencils: ConstantPencils, theta: Array) -> bool:
    loads = np.einsum("k,rkij->rij", theta, pencils.rays)
    scale = np.abs(loads).max() or 1.0
    return bool(symmetric_eigenvalues(loads)[..., -1].max() <= 1e-6 * scale)


def _first_coordinates(J: Array, *, is_flow: bool, whole: bool) -> Array:
    """Coordinates in which the identity is a fair first metric: balanced, then Lyapunov's.

    A metric of given blocks keeps them under a diagonal change of coordinates only.
    """
    scales = _balance(J)
    T = np.diag(scales)
    if not whole or not is_flow:
        return T
    mean = (scales[:, None] * J / scales).mean(0)
    from scipy.linalg import solve_continuous_lyapunov

    shift = float(eigenvalues(mean).real.max()) + 0.2 * float(np.abs(mean).max())
    try:
        M = solve_continuous_lyapunov((mean - shift * np.eye(len(T))).T, -np.eye(len(T)))
        factor = np.linalg.cholesky(0.5 * (M + M.T)).T
    except (np.linalg.LinAlgError, ValueError):
        return T
    return np.asarray(factor @ T, dtype=np.float64)
