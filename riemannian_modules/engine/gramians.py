"""Gramians: how far unit energy at the inputs takes each state, and how much of it outputs see.

Source: Moore (1981), IEEE Transactions on Automatic Control 26, 17-32.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.shown import Facts, Shown, counted, numbers
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gramians(Shown):
    """Both Gramians of a stable model, rows and columns by its states.

    Attributes:
        controllability: ``int e^(At) B B^T e^(A^T t) dt``, or the sum over steps, (n, n).
        observability: ``int e^(A^T t) C^T C e^(At) dt``, likewise, (n, n).
        states: Names of the states.
    """

    controllability: Array
    observability: Array
    states: tuple[str, ...]

    @property
    def hankel(self) -> Array:
        """Hankel singular values (n,), largest first: what a reduced model loses by each state."""
        P, Q = _root(self.controllability), _root(self.observability)
        sizes: Any = np.linalg.svd(Q.T @ P, compute_uv=False)
        return sizes

    @override
    def facts(self) -> Facts:
        sizes = self.hankel
        names = [f"s{i + 1}" for i in range(len(sizes))]
        title = f"Gramians of {counted(len(self.states), 'state')}"
        return Facts(title, (("Hankel singular values", numbers(names, sizes.tolist())),))


def gramians_of(model: StateSpaceModel) -> Gramians:
    """Both Gramians, by Lyapunov's equations, in O(n^3); DomainError for one that is not stable."""
    model.require_stable("gramians", "otherwise the energies are infinite")
    P = lyapunov(model, model.A, model.B @ model.B.T)
    return Gramians(P, lyapunov(model, model.A.T, model.C.T @ model.C), model.states)


def lyapunov(model: StateSpaceModel, A: Array, Q: Array) -> Array:
    """The solution of ``A P + P A^T + Q = 0``, or of ``A P A^T - P + Q = 0`` in discrete time.

    Raises:
        ConvergenceError: If doubles do not hold it, or poles are too near to the border.
    """
    from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

    if not len(A):
        return np.zeros((0, 0))
    # In a unit of time in which A is about one; both sides are divided by a power of two.
    size = 1.0 if model.is_discrete else math.ldexp(1.0, math.frexp(np.abs(A).max())[1])
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        # SciPy warns where it moves the poles to be able to go on, which gives another answer.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found: Any = (
                solve_discrete_lyapunov(A, Q)
                if model.is_discrete
                else solve_continuous_lyapunov(A / size, -Q / size)
            )
        except (RuntimeWarning, ValueError, np.linalg.LinAlgError):
            found = np.full(A.shape, np.inf)
    if not np.isfinite(found).all():
        slowest = model.poles[0]
        raise ConvergenceError(
            f"Lyapunov's equation has no solution in floating point: the pole {slowest:.4g} is too "
            "near to the border of stability, beside the others or at all. Leave that state out, "
            "or choose other units."
        )
    return 0.5 * (found + found.T)


def _root(P: Array) -> Array:
    """R with ``R R^T = P``; rounding may have made P slightly indefinite."""
    values, vectors = np.linalg.eigh(P)
    return vectors * np.sqrt(np.maximum(values, 0.0))
