"""Determinants, inverses and solutions of small matrices of exact expressions.

By cofactors, so that one denominator, the determinant, stands in every entry and cancels against
the matrix that was inverted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.tracer import Tracer

LARGEST_ORDER = 6  # cofactors multiply out n! products


def determinant(matrix: Any, tracer: Tracer) -> Any:
    """The determinant of an object array (n, n), multiplied out; n is at most 6."""
    return _square(matrix, tracer).det(method="berkowitz")


def inverse(matrix: Any, tracer: Tracer) -> Any:
    """The inverse, an object array (n, n): adjugate over determinant, which must not vanish."""
    square = _square(matrix, tracer)
    bottom = square.det(method="berkowitz")
    tracer.guard("nonzero", bottom)
    inverted = np.empty(matrix.shape, dtype=object)
    inverted[...] = [[e / bottom for e in row] for row in square.adjugate().tolist()]
    return inverted


def solve(matrix: Any, right: Any, tracer: Tracer) -> Any:
    """The solution of ``matrix @ x = right``, right (n,) or (n, k)."""
    return np.matmul(inverse(matrix, tracer), right)


def _square(matrix: Any, tracer: Tracer) -> Any:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise tracer.refuse(f"np.linalg of an array of shape {matrix.shape}, which is not square")
    if len(matrix) > LARGEST_ORDER:
        raise tracer.refuse(
            f"np.linalg of a matrix of order {len(matrix)}, above {LARGEST_ORDER} (solve it by "
            "blocks, or make its inverse a parameter)"
        )
    tracer.count(len(matrix) ** 3)
    return sp.Matrix(matrix.tolist())
