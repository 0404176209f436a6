"""Coordinates in which a matrix has rows and columns of like size, whatever the states' units.

Source: Parlett and Reinsch (1969), Numerische Mathematik 13, 293-304.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.spaces import Array


def balanced(A: Array) -> tuple[Array, Array]:
    """``A`` with row i divided and column i multiplied by s_i, and s (n,), powers of two.

    ``x = s z`` are the old coordinates: B is divided by s, C multiplied.
    """
    from scipy.linalg import matrix_balance

    if not len(A):
        return A, np.ones(0)
    # The diagonal stays as it is under scaling; beside it, LAPACK would not see small entries.
    beside = A - np.diag(np.diagonal(A))
    with np.errstate(invalid="ignore"):  # SciPy casts scales to whole numbers, and drops them
        found: Any = matrix_balance(beside, permute=False, separate=True)
    scale = found[1][0]
    return A * scale / scale[:, None], scale


def state_scales(A: Array, B: Array, C: Array) -> Array:
    """The s (n,) of `balanced`, from all ways around, those from outputs to inputs among them.

    A chain from an input to an output has no way around among its states alone.
    """
    n = len(A)
    around = np.zeros((n + 1, n + 1))
    around[:n, :n] = A
    around[:n, n] = np.linalg.norm(B, axis=1)
    around[n, :n] = np.linalg.norm(C, axis=0)
    scale = balanced(around)[1]
    return scale[:n] / scale[n]
