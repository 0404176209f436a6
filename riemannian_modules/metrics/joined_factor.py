"""Factors side by side: the metrics of several outputs add.

Source: ``[U V] [U V]^T = U U^T + V V^T``.
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
from riemannian_modules.metrics.factor_of_parts import FactorOfParts


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JoinedFactor(FactorOfParts):
    """``[U_1 U_2 ...]``: parts of equally many rows; the columns are put side by side.

    Attributes:
        parts: Factors of equally many rows; `join` checks that.
    """

    parts: tuple[Factor, ...]

    @property
    @override
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    @override
    def columns(self) -> int:
        return sum(part.columns for part in self.parts)

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        total, start = None, 0
        for part in self.parts:
            product = part.matvec(z[start : start + part.columns])
            total = product if total is None else total + product
            start += part.columns
        return total

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        return namespace_of(v).concat([part.rmatvec(v) for part in self.parts], axis=0)

    @override
    def gram(self) -> AnyArray:
        return self._stacked([part.cross_gram(self) for part in self.parts], axis=0)

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        return self._stacked([part.cross_gram(other) for part in self.parts], axis=0)

    @override
    def outer(self) -> AnyArray:
        return sum(part.outer() for part in self.parts)

    @override
    def squares(self) -> AnyArray:
        return sum(part.squares() for part in self.parts)

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        return JoinedFactor(tuple(part.weighted(weights) for part in self.parts))

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        return self._stacked([part.rows(start, stop) for part in self.parts], axis=1)

    @override
    def scaled(self, scale: float) -> Factor:
        return JoinedFactor(tuple(part.scaled(scale) for part in self.parts))

    def _stacked(self, blocks: list[AnyArray], axis: int) -> AnyArray:
        return namespace_of(self.prototype).concat(blocks, axis=axis)


def join(parts: Sequence[Factor]) -> Factor:
    """The factors of ``parts`` side by side; dense neighbours are merged into one, by copy.

    Args:
        parts: At least one factor, all of n rows.

    Raises:
        MetricError: If there is no part, or their numbers of rows differ.
    """
    check_equal_rows("join", parts)
    merged: list[Factor] = []
    for part in _flattened(parts):
        last = merged[-1] if merged else None
        if isinstance(last, DenseFactor) and isinstance(part, DenseFactor):
            xp = namespace_of(last.entries, part.entries)
            merged[-1] = DenseFactor(xp.concat([last.as_matrix(), part.as_matrix()], axis=1))
        else:
            merged.append(part)
    return merged[0] if len(merged) == 1 else JoinedFactor(tuple(merged))


def check_factors(where: str, parts: Sequence[Factor]) -> None:
    """MetricError unless ``parts`` is a sequence of factors."""
    require(where, parts, Sequence, "a sequence of factors", MetricError)
    for part in parts:
        require(where, part, Factor, "factors, such as DenseFactor(array)", MetricError)


def check_equal_rows(where: str, parts: Sequence[Factor]) -> None:
    """Check that there are parts and all have equally many rows.

    Raises:
        MetricError: If there are none, or their rows differ.
    """
    check_factors(where, parts)
    rows = [part.dim for part in parts]
    if not rows or len(set(rows)) > 1:
        raise MetricError(
            f"{where}: expected one or more factors of equally many rows, got rows {rows}. "
            "All parts must speak of the same parameters."
        )


def _flattened(parts: Sequence[Factor]) -> list[Factor]:
    flat: list[Factor] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, JoinedFactor) else (part,))
    return flat
