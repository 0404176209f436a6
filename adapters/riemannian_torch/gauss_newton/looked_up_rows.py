"""The rows of a table of which each sample looks entries up, as of an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from riemannian_torch.gauss_newton.rows import PART, DenseRows, OuterRows, Rows, slices


@final
@dataclass(frozen=True, eq=False)
class LookedUpRows(Rows):
    """Rows of a table: ``U_b = sum_t e_i d_bt^T`` with i = index[b, t], from d (B, T, q)."""

    index: Tensor
    d: Tensor
    entries: int

    @override
    def gram(self) -> Tensor:
        (B, T, q), index = self.d.shape, self.index.flatten()
        used, place = torch.unique(index, return_inverse=True)
        if len(used) >= T * T:
            d = self.d.flatten(0, 1)
            pairs = (d @ d.T).mul_(index[:, None] == index)
            return pairs.view(B, T, B, T).sum((1, 3))
        # The rows of the entries that occur, some features after others.
        sample = torch.arange(B, device=index.device).repeat_interleave(T)
        products = self.d.new_zeros(B, B)
        for features in slices(q, max(1, PART // (B * len(used)))):
            d = self.d[..., features].flatten(0, 1)
            rows = d.new_zeros(B * len(used), d.shape[1])
            rows = rows.index_add_(0, sample * len(used) + place, d).view(B, -1)
            products.addmm_(rows, rows.T)
        return products

    @override
    def along(self, direction: Tensor) -> Tensor:
        return (direction[self.index] * self.d).sum((1, 2))

    @override
    def combined(self, v: Tensor) -> Tensor:
        table = self.d.new_zeros(self.entries, self.d.shape[-1])
        weighted = self.d * v[:, None, None]
        return table.index_add_(0, self.index.flatten(), weighted.flatten(0, 1))

    def outer(self) -> OuterRows:
        """The same with each index written as a unit vector of all entries."""
        chosen = torch.nn.functional.one_hot(self.index, self.entries).to(self.d.dtype)
        return OuterRows(self.d, chosen, torch.Size((self.entries, self.d.shape[-1])))

    @override
    def formed(self) -> DenseRows:
        B, entries = len(self.d), self.entries
        first = torch.arange(B, device=self.index.device)[:, None] * entries
        rows = self.d.new_zeros(B * entries, self.d.shape[-1])
        rows.index_add_(0, (first + self.index).flatten(), self.d.flatten(0, 1))
        return DenseRows(rows.view(B, entries, -1))

    @override
    def part(self, samples: slice) -> LookedUpRows:
        return LookedUpRows(self.index[samples], self.d[samples], self.entries)

    @property
    @override
    def pair_cost(self) -> int:
        T, q = self.d.shape[1:]
        return q * min(T * T, self.entries, self.index.numel())

    @property
    @override
    def product_cost(self) -> int:
        return self.d.numel()
