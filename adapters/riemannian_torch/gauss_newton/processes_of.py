"""Which processes train a model together, read off the model."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.processes import OneProcess, Processes, Replicas

# A model can only be sharded by what was imported; importing it takes half as long as torch.
_TENSORS, _SHARDING = "torch.distributed.tensor", "torch.distributed.fsdp"


def processes_of(model: nn.Module, parameters: Sequence[Tensor]) -> Processes:
    """The processes; `put_to_rest` was called before the parameters were read.

    Raises:
        UnsupportedError: For ways of spreading a model that are not known.
    """
    if isinstance(model, DistributedDataParallel):
        return Replicas(model)
    if _TENSORS in sys.modules and any(type(p) is not nn.Parameter for p in parameters):
        from riemannian_torch.gauss_newton.sharded import Shards, is_sharded

        if is_sharded(parameters):
            return Shards(model, parameters)
    return OneProcess()


def put_to_rest(model: nn.Module) -> None:
    """Put the parameters of a sharded model, which others may stand in for, in their places.

    Raises:
        UnsupportedError: For a model in the first version of torch's FullyShardedDataParallel.
    """
    if _SHARDING not in sys.modules:
        return
    from torch.distributed.fsdp import FullyShardedDataParallel

    from riemannian_torch.gauss_newton.sharded import reshard

    if any(isinstance(m, FullyShardedDataParallel) for m in model.modules()):
        raise UnsupportedError(
            "GaussNewton: expected a model that is sharded by fully_shard, got a "
            "FullyShardedDataParallel. Call torch.distributed.fsdp.fully_shard(model) instead."
        )
    reshard(model)
