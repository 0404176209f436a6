"""Factors one above the other: all layers of a network in one metric.

Source: the joint variant of the layer metric, Pehle and Slotine (2026), arXiv:2603.03610; its Gram
matrix is the sum of the layers', which makes it the exact damped natural gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of
from riemannian_modules.metrics.factor import Factor
from riemannian_modules.metrics.factor_of_parts import FactorOfParts
from riemannian_modules.metrics.joined_factor import check_factors
from riemannian_modules.metrics.khatri_rao import side_by_side


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StackedFactor(FactorOfParts):
    """``[U_1; U_2; ...]``: parts of equally many columns; costs are those of the parts added.

    Attributes:
        parts: Factors of equally many columns; `stack` checks that.
    """

    parts: tuple[Factor, ...]

    @property
    @override
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    @property
    @override
    def columns(self) -> int:
        return self.parts[0].columns

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        return namespace_of(z).concat([part.matvec(z) for part in self.parts], axis=0)

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        blocks = zip(self.parts, self._starts(), strict=True)
        return sum(part.rmatvec(v[start : start + part.dim, ...]) for part, start in blocks)

    @override
    def gram(self) -> AnyArray:
        first, *others = side_by_side(self.parts)
        total = first.gram()
        for part in others:
            total += part.gram()
        return total

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        if isinstance(other, StackedFactor) and _heights(other) == _heights(self):
            pairs = zip(self.parts, other.parts, strict=True)
            return sum(part.cross_gram(their) for part, their in pairs)
        return self.rmatvec(other.as_matrix())

    @property
    @override
    def gram_cost(self) -> float:
        return sum(part.gram_cost for part in self.parts)

    @override
    def squares(self) -> AnyArray:
        return namespace_of(self.prototype).concat([p.squares() for p in self.parts], axis=0)

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        blocks = zip(self.parts, self._starts(), strict=True)
        return StackedFactor(
            tuple(part.weighted(weights[start : start + part.dim]) for part, start in blocks)
        )

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        blocks: list[AnyArray] = []
        for part, first in zip(self.parts, self._starts(), strict=True):
            low, high = max(start - first, 0), min(stop - first, part.dim)
            if low < high:
                blocks.append(part.rows(low, high))
        if not blocks:
            return self.parts[0].rows(0, 0)
        return namespace_of(self.prototype).concat(blocks, axis=0)

    @override
    def scaled(self, scale: float) -> Factor:
        return StackedFactor(tuple(part.scaled(scale) for part in self.parts))

    def _starts(self) -> list[int]:
        heights = _heights(self)
        return [sum(heights[:index]) for index in range(len(heights))]


def stack(parts: Sequence[Factor]) -> Factor:
    """The factors ``parts`` one above the other: one metric for the parameters of all of them.

    Args:
        parts: At least one factor, all of r columns.

    Raises:
        MetricError: If there is no part, or their numbers of columns differ.
    """
    check_factors("stack", parts)
    columns = [part.columns for part in parts]
    if not columns or len(set(columns)) > 1:
        raise MetricError(
            f"stack: expected one or more factors of equally many columns, got columns {columns}. "
            "Columns stand for output directions, which all layers must share."
        )
    return parts[0] if len(parts) == 1 else StackedFactor(tuple(parts))


def _heights(factor: StackedFactor) -> list[int]:
    return [part.dim for part in factor.parts]
