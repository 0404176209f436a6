"""Metrics of independent groups of coordinates, one block each.

Source: the layerwise metric of Pehle and Slotine (2026), arXiv:2603.03610.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.metric import Metric
from riemannian_modules.metrics.stacked_factor import StackedFactor


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockDiagonalMetric(Metric):
    """``blocks`` along the diagonal, zero elsewhere; costs are those of the blocks added.

    Attributes:
        blocks: At least one metric.
    """

    blocks: tuple[Metric, ...]

    @property
    @override
    def dim(self) -> int:
        return sum(block.dim for block in self.blocks)

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.blocks[0].prototype

    @override
    def logdet(self) -> float:
        return sum(block.logdet() for block in self.blocks)

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self._stacked([block.colour(part) for block, part in self._parts(z)])

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        return self._stacked([block.whiten(part) for block, part in self._parts(v)])

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self._stacked([block.whiten_adjoint(part) for block, part in self._parts(z)])

    @override
    def whiten_factor(self, factor: Factor) -> Factor:
        dims = [block.dim for block in self.blocks]
        if isinstance(factor, StackedFactor) and [part.dim for part in factor.parts] == dims:
            pairs = zip(self.blocks, factor.parts, strict=True)
            return StackedFactor(tuple(block.whiten_factor(part) for block, part in pairs))
        return DenseFactor(self.whiten(factor.as_matrix()))

    def _parts(self, v: AnyArray) -> list[tuple[Metric, AnyArray]]:
        parts: list[tuple[Metric, AnyArray]] = []
        start = 0
        for block in self.blocks:
            parts.append((block, v[start : start + block.dim, ...]))
            start += block.dim
        return parts

    def _stacked(self, parts: list[AnyArray]) -> AnyArray:
        return namespace_of(*parts).concat(parts, axis=0)

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self._stacked([block.apply(part) for block, part in self._parts(v)])

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        return self._stacked([block.solve(part) for block, part in self._parts(v)])


def block_diagonal_metric(blocks: Sequence[Metric]) -> BlockDiagonalMetric:
    """Put metrics along a diagonal; the coordinates are theirs, one block after the other.

    Args:
        blocks: At least one metric.

    Raises:
        MetricError: If there is no block.
    """
    require("BlockDiagonalMetric", blocks, Sequence, "a sequence of metrics", MetricError)
    for block in blocks:
        require("BlockDiagonalMetric", block, Metric, "metrics as blocks", MetricError)
    if not blocks:
        raise MetricError("BlockDiagonalMetric: expected one or more blocks, got none.")
    return BlockDiagonalMetric(tuple(blocks))
