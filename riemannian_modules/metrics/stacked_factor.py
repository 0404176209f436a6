"""Factors one below the other: parameters in groups that see the same cotangents.

Source: ``[U; V]^T [U; V] = U^T U + V^T V``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import Array, namespace_of
from riemannian_modules.metrics.factor import Factor


@final
@dataclass(frozen=True, slots=True, eq=False)
class StackedFactor(Factor):
    """``[U_1; U_2; ...]``: parts of equally many columns, their rows one below the other.

    Costs are those of the parts added, but `outer`, which has a block for each pair of parts.
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

    @property
    @override
    def prototype(self) -> Array:
        return self.parts[0].prototype

    @override
    def matvec(self, z: Array) -> Array:
        return namespace_of(z).concat([part.matvec(z) for part in self.parts], axis=0)

    @override
    def rmatvec(self, v: Array) -> Array:
        total, start = None, 0
        for part in self.parts:
            product = part.rmatvec(v[start : start + part.dim])
            total = product if total is None else total + product
            start += part.dim
        return total

    @override
    def gram(self) -> Array:
        return _sum([part.gram() for part in self.parts])

    @override
    def cross_gram(self, other: Factor) -> Array:
        if isinstance(other, StackedFactor) and [p.dim for p in self.parts] == [
            p.dim for p in other.parts
        ]:
            pairs = zip(self.parts, other.parts, strict=True)
            return _sum([mine.cross_gram(theirs) for mine, theirs in pairs])
        return self.rmatvec(other.as_matrix())

    @override
    def outer(self) -> Array:
        xp = namespace_of(self.prototype)
        return xp.concat([part.matvec(self.as_matrix().T).T for part in self.parts], axis=1)

    @override
    def rows(self, start: int, stop: int) -> Array:
        blocks, first = [], 0
        for part in self.parts:
            low, high = max(start - first, 0), min(stop - first, part.dim)
            if low < high:
                blocks.append(part.rows(low, high))
            first += part.dim
        if not blocks:
            return self.parts[0].rows(0, 0)
        return namespace_of(self.prototype).concat(blocks, axis=0)

    @override
    def scaled(self, scale: float) -> Factor:
        return StackedFactor(tuple(part.scaled(scale) for part in self.parts))


def stack_factors(parts: Sequence[Factor]) -> Factor:
    """One below the other; a single part is itself.

    Raises:
        MetricError: If there is no part, or columns differ.
    """
    if not parts or len({part.columns for part in parts}) != 1:
        raise MetricError(
            "stack_factors: expected parts of equally many columns, got "
            f"{[part.columns for part in parts]}."
        )
    return parts[0] if len(parts) == 1 else StackedFactor(tuple(parts))


def _sum(matrices: list[Array]) -> Array:
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total + matrix
    return total
