"""A factor whose rows are scaled: parameters of other units, or some of them held.

Source: More (1978), Lecture Notes in Mathematics 630, for damping by a diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.metrics.array import AnyArray
from riemannian_modules.metrics.factor import BLOCK, Factor


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightedFactor(Factor):
    """``diag(weights) U``: products as of U; the Gram goes through U a block of rows at a time.

    Gram in O(n r^2), memory O(r^2) beside U.

    Attributes:
        factor: U, (n, r).
        weights: (n,).
    """

    factor: Factor
    weights: AnyArray

    @property
    @override
    def dim(self) -> int:
        return self.factor.dim

    @property
    @override
    def columns(self) -> int:
        return self.factor.columns

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.factor.prototype

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        product = self.factor.matvec(z)
        return self._beside(product) * product

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        return self.factor.rmatvec(self._beside(v) * v)

    @override
    def gram(self) -> AnyArray:
        return self.cross_gram(self)

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        height = max(1, BLOCK // max(self.columns, other.columns, 1))
        total = self.rows(0, 0).T @ other.rows(0, 0)
        for start in range(0, self.dim, height):
            stop = min(start + height, self.dim)
            block = self.rows(start, stop)
            total += block.T @ (block if other is self else other.rows(start, stop))
        return total

    @override
    def outer(self) -> AnyArray:
        return self.weights[:, None] * self.factor.outer() * self.weights[None, :]

    @property
    @override
    def stored(self) -> int:
        return self.factor.stored

    @override
    def squares(self) -> AnyArray:
        return self.weights**2 * self.factor.squares()

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        return WeightedFactor(self.factor, weights * self.weights)

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        return self.weights[start:stop, None] * self.factor.rows(start, stop)

    @override
    def scaled(self, scale: float) -> Factor:
        return WeightedFactor(self.factor, scale * self.weights)

    def _beside(self, v: AnyArray) -> AnyArray:
        return self.weights if v.ndim == 1 else self.weights[:, None]
