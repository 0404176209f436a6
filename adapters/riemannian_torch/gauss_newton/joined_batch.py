"""The samples of all processes as one batch, for data-parallel training.

Every process gathers the inputs and cotangents of all layers, and then takes the very step that one
process would with the joined batch: B (p + q) numbers a layer travel, not its p q.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.convolution_rows import ConvolutionRows
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.rows import (
    BiasRows,
    DenseRows,
    LookedUpRows,
    OuterRows,
    Rows,
    WeightRows,
)


def joined_batch(group: Group, model: DistributedDataParallel) -> Group:
    """The group with the samples of all processes, whose losses are averaged.

    Raises:
        UnsupportedError: Where the processes have different numbers of samples.
    """
    join = _Join(model.process_group)
    counts = join.all(torch.tensor([group.count], device=group.excess.device))
    if len(set(counts.tolist())) > 1:
        raise UnsupportedError(
            "GaussNewton: expected as many samples in each process, got "
            f"{counts.tolist()}. Use drop_last=True in the loaders."
        )
    share = 1.0 / len(counts)
    # Of a column of the metric the square is shared.
    s = group.coefficients
    scale = share if s is None else math.sqrt(share)
    seen: dict[int, Rows] = {}
    first = distributed.get_rank(model.process_group) * group.count
    return Group(
        join.all(group.excess) * share,
        {p: join.rows(r, scale, seen) for p, r in group.rows.items()},
        group.calls,
        [(f, parts, weight * share) for f, parts, weight in group.losses],
        range(first, first + group.count),
        None if s is None else join.all(s) * scale,
    )


def summed(x: Tensor, model: nn.Module) -> Tensor:
    """The sum over all processes that train the model."""
    if isinstance(model, DistributedDataParallel):
        distributed.all_reduce(x, group=model.process_group)
    return x


class _Join:
    def __init__(self, over: Any) -> None:
        self._over = over

    def all(self, x: Tensor) -> Tensor:
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size(self._over))]
        distributed.all_gather(parts, x, group=self._over)
        return torch.cat(parts)

    def rows(self, rows: Rows, share: float, seen: dict[int, Rows]) -> Rows:
        """The rows of all processes, scaled; a bias shares those of its weight."""
        if id(rows) not in seen:
            seen[id(rows)] = self._rows(rows, share, seen)
        return seen[id(rows)]

    def _rows(self, rows: Rows, share: float, seen: dict[int, Rows]) -> Rows:
        if isinstance(rows, OuterRows):
            return OuterRows(self.all(rows.a), self.all(rows.d) * share, rows.shape)
        if isinstance(rows, ConvolutionRows):
            return ConvolutionRows(self.all(rows.a), self.all(rows.d) * share, rows.shape, rows.how)
        if isinstance(rows, BiasRows):
            weight = self.rows(rows.weight, share, seen)
            assert isinstance(weight, WeightRows)
            return BiasRows(weight)
        if isinstance(rows, LookedUpRows):
            return LookedUpRows(self.all(rows.index), self.all(rows.d) * share, rows.entries)
        return DenseRows(self.all(rows.formed().rows) * share)
