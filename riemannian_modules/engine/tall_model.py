"""The local model of many samples: its columns are gone through by blocks, and never held at once.

Source: Golub and Van Loan (2013), Matrix Computations, 5.3 (least squares by normal equations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.local_model import GramModel, Mask
from riemannian_modules.engine.triangle import PivotedTriangle, gathered, solve_upper_adjoint
from riemannian_modules.spaces import Array

RowBlocks: TypeAlias = Callable[[], Iterator[tuple[slice, Array]]]


@final
@dataclass(frozen=True, eq=False)
class TallModel(GramModel):
    """All layers coupled; ``U U^T`` and the gradient are sums over blocks of columns.

    Memory O(p^2) beside one block. A pull goes through the blocks again, which costs a derivative.

    Attributes:
        gradient: (p,).
        gram: ``U U^T``, (p, p).
        blocks: Goes through ``U^T``: which columns of U they are, and these as rows, (rows, p).
        columns: How many there are.
    """

    gradient: Array
    gram: Array
    blocks: RowBlocks
    columns: int

    @override
    def push(self, step: Array) -> Array:
        """``Q U^T s``, of p entries, with a rotation Q: as long as ``U^T s``."""
        return self.root.dot(step)

    @override
    def pull(self, columns: Array) -> Array:
        return np.sum([columns[rows].dot(J) for rows, J in self.blocks()], axis=0)

    @cached_property
    @override
    def root(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        scale, known = self.unit_scale, self.cholesky()
        if known is not None:
            return known * scale
        return gathered((J / scale for _, J in self.blocks()), len(scale)) * scale

    @override
    def explained(self, rows: Mask | None, known: PivotedTriangle, free: Mask) -> float:
        if rows is None:
            return known.rank
        parts = (J[rows[place]][:, free] / known.scale for place, J in self.blocks())
        G = np.sum([part.T @ part for part in parts], axis=0)
        first = known.order[: known.rank]
        half = solve_upper_adjoint(known.leading, G[np.ix_(first, first)])
        return float(np.trace(solve_upper_adjoint(known.leading, half.T)))
