"""A point near rest, by Newton's method; untrusted.

Source: Deuflhard (2011), *Newton Methods for Nonlinear Problems*.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.claims.problem import Problem
from riemannian_modules.spaces import Array
from riemannian_modules.terms.sparse_form import sparse_jacobian

MOST_STEPS, HALVINGS = 50, 30


def approximate_equilibrium(problem: Problem) -> Array:
    """A state (n,) that moves little at the middle of inputs and parameters; untrusted.

    Newton's method, its steps halved until the map moves the state less. Cost: a sparse solve each.
    """
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    n = len(problem.variables)
    lower, upper = problem.lower, problem.upper
    with np.errstate(invalid="ignore"):
        middle = np.clip(np.nan_to_num(0.5 * lower + 0.5 * upper, posinf=0, neginf=0), lower, upper)
    own = 0.0 if problem.is_flow else 1.0
    f = compile_floats(tuple(problem.map), (problem.symbols,))
    slopes = sparse_jacobian(problem.map, problem.variables)
    slope = compile_floats(tuple(slopes.values()), (problem.symbols,))
    places = tuple(np.array(list(slopes), dtype=np.intp).reshape(-1, 2).T)

    def at(x: Array) -> list[float]:
        return [*x.tolist(), *middle[n:].tolist()]

    def moved(x: Array) -> Array:
        return np.array([float(v) for v in f(at(x))]) - own * x

    def newton_step(x: Array, v: Array) -> Array:
        entries = np.array([float(e) for e in slope(at(x))])
        sparse: Any = csc_array
        J = sparse((entries, places), shape=(n, n)) - own * eye_array(n, format="csc")
        solved: Any = spsolve(J, v)
        return np.clip(x - np.reshape(solved, n), lower[:n], upper[:n]) - x

    x = middle[:n]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a singular Jacobian ends the search
        v = moved(x)
        for _ in range(MOST_STEPS):
            step = newton_step(x, v)
            trials = (x + step * 0.5**k for k in range(HALVINGS))
            better = ((y, w) for y in trials if np.abs(w := moved(y)).max() < np.abs(v).max())
            found = next(better, None)
            if found is None:
                break
            x, v = found
    return x
