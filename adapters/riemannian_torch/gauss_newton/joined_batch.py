"""The samples of all processes as one batch, for data-parallel training.

Every process gathers the inputs and cotangents of all layers, and then takes the very step that one
process would with the joined batch: B (p + q) numbers a layer travel, not its p q.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, distributed

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.scaled_losses import scaled


def joined_batch(group: Group, over: Any) -> Group:
    """The group with the samples of all processes, whose losses are averaged.

    Args:
        group: Of this process.
        over: The process group.

    Raises:
        UnsupportedError: Where the processes have different numbers of samples.
    """

    def gathered(x: Tensor) -> Tensor:
        x = x.contiguous()  # as the parts are then, too
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size(over))]
        distributed.all_gather(parts, x, group=over)
        return torch.cat(parts)

    counts = gathered(torch.tensor([group.count], device=group.excess.device))
    if len(set(counts.tolist())) > 1:
        raise UnsupportedError(
            "GaussNewton: expected as many samples in each process, got "
            f"{counts.tolist()}. Use drop_last=True in the loaders."
        )
    first = distributed.get_rank(over) * group.count
    joined = scaled(group, 1.0 / len(counts), gathered)
    return replace(joined, here=range(first, first + group.count))
