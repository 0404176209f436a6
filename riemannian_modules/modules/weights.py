"""Weight matrices that are parameters: their differential, and the size that is still traced.

Source: THEORY section 2.
"""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import TraceError
from riemannian_modules.modules.structured_map import StaticDifferential
from riemannian_modules.spaces import Array

LARGEST_TRACED_MATRIX = 4096


def refuse_large_matrix(where: str, shape: tuple[int, int]) -> None:
    """Refuse a matrix of more entries than are expanded into scalars.

    Raises:
        TraceError: For such a matrix.
    """
    entries = shape[0] * shape[1]
    if entries > LARGEST_TRACED_MATRIX:
        raise TraceError(
            f"{where} has shape {shape}, {entries} entries, more than the {LARGEST_TRACED_MATRIX} "
            "that are expanded into scalars. Keep it a module of its own in a composite, where its "
            "matrix stays a matrix, or split it into smaller ones."
        )


class WeightDifferential(StaticDifferential):
    """``t -> W t``; subclasses say which parameters there are besides W.

    Attributes:
        weights: W (q, m) or (..., q, m).
        inputs: Where it was taken, (..., m).
    """

    __slots__ = ()
    weights: Array
    inputs: Array

    @property
    @override
    def input_size(self) -> int:
        return self.weights.shape[-1]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return _columns_times(t_u, self.weights.swapaxes(-1, -2))

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], _columns_times(p_y, self.weights)


def _columns_times(columns: Array, matrix: Array) -> Array:
    """``M^T v`` for each column v of (..., a, k); M is (a, b), or one for each point."""
    if matrix.ndim > 2 or columns.ndim == 2:
        return np.matmul(matrix.swapaxes(-1, -2), columns)
    # One product for all points, for M is too large to be read once for each.
    rows = columns.swapaxes(-1, -2)
    return (
        (rows.reshape(-1, matrix.shape[0]) @ matrix)
        .reshape(*rows.shape[:-1], matrix.shape[1])
        .swapaxes(-1, -2)
    )
