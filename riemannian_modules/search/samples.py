"""Points of a region, and Jacobians there or at the corners of their atoms, in plain floats.

Untrusted: searches and refutations look here first; nothing is decided by a sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import AtomForm, atom_form, corners

MOST_MOVING = 12  # atoms whose corners are all listed: 4096
MOST_VERTICES = 4096


def jacobian_vertices(problem: Problem) -> tuple[Array, Array]:
    """Jacobians whose hull holds those of the box, (v, n, n), and slopes along unbounded atoms.

    Where the corners are too many, some of them stand for all; where an atom's range is not known,
    Jacobians at sampled points do.
    """
    form = atom_form(problem.jacobian, problem.derived)
    form = form.with_known(form.lemmas(problem.symbols, problem.lower, problem.upper))
    ends = form.ranges(problem.symbols, problem.lower[None], problem.upper[None])
    low, high = (side[0] for side in ends)
    if np.isnan(low).any():
        J = sampled_jacobians(problem, np.random.default_rng(0), MOST_VERTICES)
        return some(J), np.zeros((0, *form.shape))
    anchor = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    far = np.where(np.isfinite(high), high, anchor)
    moving = np.flatnonzero(anchor != far)
    chosen = _corners(anchor[moving], far[moving])
    atoms = np.tile(anchor, (len(chosen), 1))
    atoms[:, moving] = chosen
    unique = np.unique(form.values(atoms), axis=0)
    rays = _rays(form, atoms, low, high)
    slopes = np.unique(np.concatenate(rays), axis=0) if rays else np.zeros((0, *form.shape))
    return some(_finite(unique)), _finite(slopes)


def some(samples: Array) -> Array:
    """The samples themselves.

    Raises:
        ConvergenceError: If there is none.
    """
    if not len(samples):
        raise ConvergenceError(
            "The Jacobian is no finite number at any point that was tried: the map may be "
            "undefined on the whole region (a root, logarithm or quotient), or overflow."
        )
    return samples


def _finite(matrices: Array) -> Array:
    return matrices[np.isfinite(matrices).all((1, 2))]


def _corners(low: Array, high: Array) -> Array:
    if len(low) <= MOST_MOVING:
        return corners(low[None], high[None])[0]
    choice = np.random.default_rng(0).random((MOST_VERTICES, len(low))) < 0.5
    choice[0], choice[1] = False, True
    return np.where(choice, low, high)


def _rays(form: AtomForm, atoms: Array, low: Array, high: Array) -> list[Array]:
    rays: list[Array] = []
    for j in np.flatnonzero(~(np.isfinite(low) & np.isfinite(high))):
        slope = form.slope(int(j)).at(atoms).midpoint
        rays += [s * slope for s, infinite in ((1, high[j]), (-1, low[j])) if np.isinf(infinite)]
    return rays


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
    flat = values_at(problem, tuple(e for row in problem.jacobian for e in row), points)
    J = flat.reshape(len(points), len(problem.jacobian), -1)
    return _finite(J)


def values_at(problem: Problem, terms: tuple[Any, ...], points: Array) -> Array:
    """Values (count, terms) of terms in the problem's symbols at points (count, dim), in floats."""
    from riemannian_modules.arithmetic.compile import compile_floats

    with np.errstate(all="ignore"):
        values = compile_floats(terms, (problem.symbols,))(points.T)
    return np.stack(
        [np.broadcast_to(np.asarray(v, dtype=float), (len(points),)) for v in values], -1
    )
