"""An affine map without parameters: pooling, permutations, normalisation by stored statistics.

Source: none; the derivative is the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.sparse import csr_array
from typing_extensions import override

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matvec
from riemannian_modules.modules.structured_map import ParameterFreeDifferential, StructuredMap
from riemannian_modules.modules.weights import refuse_large_matrix
from riemannian_modules.spaces import Array, Signals, one_port


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FixedDifferential(ParameterFreeDifferential):
    """``t -> A t``, the same at every point."""

    matrix: csr_array
    size: int

    @property
    @override
    def input_size(self) -> int:
        return self.size

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return _times(self.matrix, t_u)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], _times(self.matrix.T, p_y)


def _times(matrix: Any, columns: Array) -> Array:
    """``A v`` for each column v of (..., m, k)."""
    first = np.moveaxis(columns, -2, 0)
    return np.moveaxis(
        (matrix @ first.reshape(len(first), -1)).reshape(-1, *first.shape[1:]), 0, -2
    )


@final
class FixedAffine(StructuredMap):
    """``y = A u + c`` with a constant sparse A (q, m) and c (q,)."""

    def __init__(self, matrix: csr_array, offset: Array) -> None:
        untyped: Any = matrix
        q, m = untyped.shape
        self.inputs, self.outputs = one_port("u", m), one_port("y", q)
        self.matrix, self.offset = matrix, offset

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return _times(self.matrix, u[..., None])[..., 0] + self.offset

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> FixedDifferential:
        return FixedDifferential(self.matrix, self.inputs.size)

    @override
    def input_matrix(self, theta: Array) -> Array:
        return self.matrix.toarray()

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        matrix = Interval.point(self.matrix.toarray())
        return matvec(matrix, u) + self.offset, matrix

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        A = self.matrix
        refuse_large_matrix("FixedAffine: its entries that are not zero", (A.nnz, 1))
        rows: list[Any] = []
        for i in range(self.outputs.size):
            own = slice(A.indptr[i], A.indptr[i + 1])
            row = A.data[own] @ u.vector[A.indices[own]] if A.indptr[i + 1] > A.indptr[i] else 0.0
            rows.append(row + self.offset[i] + 0.0 * u.vector[0])
        return {}, np.stack(rows)
