"""Weight matrices that are parameters: their differential, and the size that is still traced.

Source: THEORY section 2.
"""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import TraceError
from riemannian_modules.modules.structured_map import StaticDifferential
from riemannian_modules.space import Array

LARGEST_TRACED_MATRIX = 4096


def refuse_large_matrix(where: str, shape: tuple[int, int]) -> None:
    """Raise TraceError for a matrix of more entries than are expanded into scalars."""
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
        return np.matmul(self.weights, t_u)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], np.matmul(self.weights.swapaxes(-1, -2), p_y)
