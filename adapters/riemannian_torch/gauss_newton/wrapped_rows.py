"""Rows that have the numbers and the costs of others, and products of their own."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from riemannian_torch.gauss_newton.rows import DenseRows, Rows


@dataclass(frozen=True, eq=False)
class WrappedRows(Rows):
    """Rows of one parameter beside the ``rows`` that they stand for."""

    rows: Rows

    @override
    def formed(self) -> DenseRows:
        return self.rows.formed()

    @property
    @override
    def pair_cost(self) -> int:
        return self.rows.pair_cost

    @property
    @override
    def product_cost(self) -> int:
        return self.rows.product_cost
