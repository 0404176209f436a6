"""Which formed rows stay in memory between their uses: as many as two batches of activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor
from typing_extensions import override

from riemannian_torch.gauss_newton.rows import PART, BiasRows, Rows, WeightRows
from riemannian_torch.gauss_newton.wrapped_rows import WrappedRows

_BATCHES = 2  # of inputs and cotangents, that rows may take


@final
@dataclass(frozen=True, eq=False)
class TransientRows(WrappedRows):
    """Rows that are too many to keep: formed in parts, which their products forget."""

    rows: WeightRows

    @override
    def gram(self) -> Tensor:
        d = self.rows.d
        products = d.new_zeros(len(d), len(d))
        for part in self.rows.blocks(PART):
            products.addmm_(part, part.T)
        return products

    @override
    def along(self, direction: Tensor) -> Tensor:
        return self.rows.along_places(direction)

    @override
    def combined(self, v: Tensor) -> Tensor:
        return self.rows.combined_places(v)

    @override
    def part(self, samples: slice) -> Rows:
        return TransientRows(self.rows.of_samples(samples))

    @property
    @override
    def products(self) -> int:
        return 3


def within_memory(rows: Mapping[Tensor, Rows]) -> Mapping[Tensor, Rows]:
    """The rows of each parameter, of which those that do not fit are formed in parts.

    Keeping rows of T places saves two products of as many operations as T times their numbers, so
    those of the most places are kept first.
    """
    if not any(isinstance(r, WeightRows) and r.is_formed for r in rows.values()):
        return rows
    weights = {p: r for p, r in rows.items() if isinstance(r, WeightRows)}
    left = PART + _BATCHES * sum(r.a.numel() + r.d.numel() for r in weights.values())
    found = dict(rows)
    for p, r in sorted(weights.items(), key=lambda pair: -pair[1].d.shape[1]):
        numbers = len(r.d) * r.shape.numel()
        if r.is_formed and numbers > left:
            found[p] = TransientRows(r)
        elif r.is_formed:
            left -= numbers
    return found


def outer_products(rows: Mapping[Tensor, Rows]) -> dict[Tensor, Rows]:
    """The rows with all that can be written so as outer products, patches written out."""
    found: dict[Tensor, Rows] = {}
    for p, r in rows.items():
        own = r.rows if isinstance(r, TransientRows) else r
        if isinstance(own, BiasRows):
            found[p] = BiasRows(own.weight.outer)
        else:
            found[p] = own.outer if isinstance(own, WeightRows) else own
    return found
