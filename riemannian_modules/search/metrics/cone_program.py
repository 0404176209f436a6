"""Linear programs over cones of semidefinite matrices, solved in floating point: untrusted.

Source: Goulart and Chen, *Clarabel: an interior-point solver for conic programs with quadratic
objectives* (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import time_left

# A solver that stalls near a solution leaves a point that may do: what uses it looks at that.
USEFUL = ("Solved", "AlmostSolved", "InsufficientProgress", "MaxIterations", "NumericalError")


@final
class ConeProgram:
    """``minimise c^T x`` under affine equations and semidefinite constraints, one method each.

    No solution is to be trusted: an inaccurate one is proved or refused afterwards.
    """

    def __init__(self, cost: Array) -> None:
        self._cost = np.asarray(cost, dtype=float)
        self._rows: list[Any] = []
        self._sides: list[Array] = []
        self._cones: list[Any] = []

    def require_zero(self, rows: Any, constant: Array) -> None:
        """``rows x + constant = 0``; rows (m, variables), dense or sparse."""
        clarabel = _clarabel()

        self._add(rows, constant, clarabel.ZeroConeT(len(constant)))

    def require_nonnegative(self, rows: Any, constant: Array) -> None:
        """``rows x + constant >= 0``, entry by entry."""
        clarabel = _clarabel()

        self._add(rows, constant, clarabel.NonnegativeConeT(len(constant)))

    def require_semidefinite(self, coefficients: Array, constant: Array) -> None:
        """``constant + sum_k x_k coefficients[k] >= 0``; (variables, n, n) and (n, n)."""
        self.require_semidefinite_entries(packed(coefficients).T, packed(constant), len(constant))

    def require_semidefinite_entries(self, rows: Any, constant: Array, n: int) -> None:
        """The symmetric matrix whose `packed` entries are ``rows x + constant`` is >= 0."""
        clarabel = _clarabel()

        self._add(rows, constant, clarabel.PSDTriangleConeT(n))

    def solve(self) -> Array | None:
        """The solution x (variables,), or None where the solver found none (in time).

        All calls of the solver are made here, where its panics end: of ill-scaled matrices, one in
        a hundred makes it index past an array or divide by zero.
        """
        clarabel = _clarabel()
        from scipy import sparse

        left = time_left()
        if left <= 0:
            return None
        settings = clarabel.DefaultSettings()
        settings.time_limit = left
        settings.verbose, settings.max_threads = False, 1
        n = len(self._cost)
        with np.errstate(all="ignore"):
            numbers = sparse.vstack(self._rows, format="csc"), np.concatenate(self._sides)
        if not all(np.isfinite(v).all() for v in (numbers[0].data, numbers[1], self._cost)):
            return None
        try:
            solution = clarabel.DefaultSolver(
                sparse.csc_matrix((n, n)), self._cost, *numbers, self._cones, settings
            ).solve()
        except BaseException as fault:
            if not _is_panic(fault):
                raise
            return None
        x = np.asarray(solution.x, dtype=float)
        return x if str(solution.status) in USEFUL and np.isfinite(x).all() else None

    def _add(self, rows: Any, constant: Array, cone: Any) -> None:
        from scipy import sparse

        self._rows.append(-sparse.csc_matrix(rows))  # the solver's form is A x + s = b, s in a cone
        self._sides.append(np.asarray(constant, dtype=float))
        self._cones.append(cone)


def _is_panic(fault: BaseException) -> bool:
    """Whether it is that of a solver in Rust, which is no `Exception`; Ctrl-C is none of those."""
    return type(fault).__module__ == "pyo3_runtime"


def _clarabel() -> Any:
    import clarabel

    return clarabel  # its names are those of a compiled module


def packed(matrices: Array) -> Array:
    """The upper triangles of symmetric matrices (..., n, n), column by column, isometrically."""
    i, j, scale = packing(matrices.shape[-1])
    return matrices[..., i, j] * scale


def packing(n: int) -> tuple[Any, Any, Array]:
    """Rows, columns and factors (1, or sqrt 2 off the diagonal) of the entries of `packed`."""
    j, i = np.tril_indices(n)
    return i, j, np.where(i == j, 1.0, np.sqrt(2.0))


def symmetric_basis(n: int, blocks: Sequence[Sequence[int]]) -> Array:
    """Symmetric matrices (v, n, n) that span those which are zero outside ``blocks``."""
    pairs = sorted({(min(i, j), max(i, j)) for block in blocks for i in block for j in block})
    basis = np.zeros((len(pairs), n, n))
    for k, (i, j) in enumerate(pairs):
        basis[k, i, j] = basis[k, j, i] = 1.0
    return basis
