"""The sum of factors: parameters that serve in several places, their cotangents added.

Source: the chain rule; with ``y = f(theta, theta)`` the Jacobian is the sum over both places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray
from riemannian_modules.metrics.factor import Factor
from riemannian_modules.metrics.factor_of_parts import FactorOfParts
from riemannian_modules.metrics.joined_factor import check_equal_rows


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SumFactor(FactorOfParts):
    """``U_1 + U_2 + ...``: parts of one shape, whose columns belong to the same outputs.

    Costs are those of the parts added, but the Gram's, which has a term for each pair of parts.

    Attributes:
        parts: Factors of one shape; `add` checks that.
    """

    parts: tuple[Factor, ...]

    @property
    @override
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    @override
    def columns(self) -> int:
        return self.parts[0].columns

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        return sum(part.matvec(z) for part in self.parts)

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        return sum(part.rmatvec(v) for part in self.parts)

    @override
    def gram(self) -> AnyArray:
        return self.cross_gram(self)

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        if isinstance(other, SumFactor):
            return sum(self.cross_gram(part) for part in other.parts)
        return sum(part.cross_gram(other) for part in self.parts)

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        return SumFactor(tuple(part.weighted(weights) for part in self.parts))

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        return sum(part.rows(start, stop) for part in self.parts)

    @override
    def scaled(self, scale: float) -> Factor:
        return SumFactor(tuple(part.scaled(scale) for part in self.parts))


def add(parts: Sequence[Factor]) -> Factor:
    """The sum of the factors ``parts``, for one set of parameters used in several places.

    Args:
        parts: At least one factor, all of one shape (n, r).

    Raises:
        MetricError: If there is no part, or their shapes differ.
    """
    check_equal_rows("add", parts)
    columns = [part.columns for part in parts]
    if len(set(columns)) > 1:
        raise MetricError(
            f"add: expected factors of equally many columns, got {columns}. Columns stand for "
            "output directions and must be the same in every place; to add metrics, use join."
        )
    return parts[0] if len(parts) == 1 else SumFactor(tuple(parts))
