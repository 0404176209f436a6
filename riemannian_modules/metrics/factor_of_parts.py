"""Factors that are made of others, which are kept as they are.

Source: none; each way of putting parts together stands in a file of its own.
"""

from __future__ import annotations

from typing_extensions import override

from riemannian_modules.metrics.array import AnyArray
from riemannian_modules.metrics.factor import Factor


class FactorOfParts(Factor):
    """A factor with parts, of which it stores nothing twice.

    Attributes:
        parts: At least one factor.
    """

    __slots__ = ()

    parts: tuple[Factor, ...]

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.parts[0].prototype

    @property
    @override
    def stored(self) -> int:
        return sum(part.stored for part in self.parts)
