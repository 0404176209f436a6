"""Models whose parameters are sharded over processes (FSDP2, `fully_shard`).

Every process gathers the inputs and cotangents of all layers, as with replicas, and keeps its own
part of each direction: of ``U^T P`` it computes a share, which is summed, and of ``U v`` its part.
While the model runs, whole tensors stand in the places of its parameters.
Source: Zhao et al. (2023), arXiv:2304.11277.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, Partial, Shard
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.base_metric import BasedRows
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.joined_batch import joined_batch
from riemannian_torch.gauss_newton.looked_up_rows import LookedUpRows
from riemannian_torch.gauss_newton.processes import Processes, present_gradients
from riemannian_torch.gauss_newton.rows import DenseRows, OuterRows, Rows
from riemannian_torch.gauss_newton.wrapped_rows import WrappedRows


def reshard(model: nn.Module) -> None:
    """Free what stands in the parameters' places; it would be out of date after a step."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def is_sharded(parameters: Sequence[Tensor]) -> bool:
    """Whether any parameter is here in part only."""
    return any(isinstance(p, DTensor) for p in parameters)


@final
class Shards(Processes):
    """Each process has samples of its own, and a part of each parameter.

    Args:
        model: With the parameters in their places.
        parameters: Trained.

    Raises:
        UnsupportedError: For parameters that are not all sharded along their first axis over the
            same processes.
    """

    def __init__(self, model: nn.Module, parameters: Sequence[Tensor]) -> None:
        self._model = model
        self._names = {name: p for name, p in model.named_parameters() if p in set(parameters)}
        self._whole: dict[Tensor, Tensor] = {}
        if not any(isinstance(m, FSDPModule) for m in model.modules()):
            raise UnsupportedError(
                "GaussNewton: expected parameters that fully_shard has sharded, got DTensors of "
                "another origin. Tensor parallelism is not known."
            )
        self._mesh = _mesh_of(self._names)

    @property
    @override
    def call_together(self) -> bool:
        return True

    @override
    def alone(self) -> AbstractContextManager[object]:
        return nullcontext()

    @override
    def joined(self, group: Group) -> Group:
        return joined_batch(group, self._mesh.get_group())

    @override
    def summed(self, x: Tensor) -> Tensor:
        distributed.all_reduce(x, group=self._mesh.get_group())
        return x

    @override
    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Mapping[Tensor, Tensor]:
        known = {self._whole[p]: p for p in parameters if p in self._whole}
        found = present_gradients(loss, list(known))
        return {known[whole]: self._mean(g) for whole, g in found.items()}

    def _mean(self, gradient: Tensor) -> DTensor:
        share = gradient / self._mesh.size()
        return DTensor.from_local(share, self._mesh, [Partial()]).redistribute(
            placements=[Shard(0)]
        )

    @override
    def at_rest(self) -> None:
        reshard(self._model)

    @override
    def follow(
        self, own: dict[int, Tensor], on_gradient: Callable[[Tensor], Any]
    ) -> list[RemovableHandle]:
        handles: list[RemovableHandle] = []

        def look(*_: Any) -> None:
            """What stands in the parameters' places now will stand there again."""
            if len(self._whole) == len(self._names):
                return
            for name, whole in self._model.named_parameters():
                p = self._names.get(name)
                if p is not None and p is not whole and p not in self._whole:
                    self._whole[p], own[id(whole)] = whole, p
                    handles.append(whole.register_post_accumulate_grad_hook(on_gradient))

        sharded = [m for m in self._model.modules() if isinstance(m, FSDPModule)]
        handles += [m.register_forward_pre_hook(look) for m in sharded]  # after torch's own
        return handles

    @override
    def part(self, rows: Rows, parameter: Tensor) -> Rows:
        assert isinstance(parameter, DTensor)
        return ShardedRows(rows, parameter)

    @override
    def inner(self, x: Tensor, y: Tensor) -> Tensor:
        assert isinstance(x, DTensor)
        assert isinstance(y, DTensor)
        return self.summed((x.to_local() * y.to_local()).sum())

    @override
    def whole(self, x: Tensor) -> Tensor:
        assert isinstance(x, DTensor)
        return x.full_tensor()

    @override
    def called_by_sample(self, model: nn.Module) -> nn.Module:
        raise UnsupportedError(
            "GaussNewton: expected the parameters of a sharded model to be used by torch's own "
            "layers, for it cannot be called with one sample at a time; but some differ. Write "
            "their use with torch.nn.functional.linear, or freeze them."
        )


def _mesh_of(named: Mapping[str, Tensor]) -> Any:
    """The processes over which all parameters are sharded along their first axis."""
    mesh = next(p.device_mesh for p in named.values() if isinstance(p, DTensor))
    for name, p in named.items():
        got = p.placements if isinstance(p, DTensor) else "a tensor that is not sharded"
        if mesh.ndim != 1 or got != (Shard(0),) or not _is_over(p, mesh):
            raise UnsupportedError(
                "GaussNewton: expected all parameters to be sharded along their first axis over "
                f"the same processes, got {name} ({got}). Call fully_shard(model) on the whole "
                "model too, over a mesh of one axis, without tensor parallelism."
            )
    return mesh


def _is_over(p: Tensor, mesh: Any) -> bool:
    return isinstance(p, DTensor) and p.device_mesh == mesh


@final
@dataclass(frozen=True, eq=False)
class ShardedRows(WrappedRows):
    """Rows of a parameter whose directions are sharded along their first axis."""

    parameter: DTensor

    @cached_property
    def _own(self) -> Rows:
        """The entries that this process keeps."""
        mesh, length = self.parameter.device_mesh, self.parameter.shape[0]
        each = -(-length // mesh.size())
        start = min(each * mesh.get_local_rank(), length)
        return _entries(self.rows, start, min(start + each, length))

    @override
    def gram(self) -> Tensor:
        return self.rows.gram()

    @override
    def along(self, direction: Tensor) -> Tensor:
        assert isinstance(direction, DTensor)
        t = self._own.along(direction.to_local())
        distributed.all_reduce(t, group=self.parameter.device_mesh.get_group())
        return t

    @override
    def size(self, direction: Tensor) -> Tensor:
        assert isinstance(direction, DTensor)
        size = direction.to_local().square().sum()
        distributed.all_reduce(size, group=self.parameter.device_mesh.get_group())
        return size

    @override
    def combined(self, v: Tensor) -> Tensor:
        p = self.parameter
        return DTensor.from_local(
            self._own.combined(v).contiguous(), p.device_mesh, p.placements,
            shape=p.shape, stride=p.stride(),
        )  # fmt: skip

    @override
    def part(self, samples: slice) -> ShardedRows:
        return ShardedRows(self.rows.part(samples), self.parameter)


def _entries(rows: Rows, start: int, stop: int) -> Rows:
    """The rows of some entries along the parameter's first axis."""
    if isinstance(rows, OuterRows) and stop > start:
        shape = torch.Size((stop - start, *rows.shape[1:]))
        return OuterRows(rows.a, rows.d[..., start:stop], shape)
    if isinstance(rows, LookedUpRows) and stop > start:
        index = rows.index - start
        inside = (index >= 0) & (index < stop - start)
        return LookedUpRows(index * inside, rows.d * inside[..., None], stop - start)
    if isinstance(rows, BasedRows):
        return BasedRows(_entries(rows.rows, start, stop), _entries(rows.raised, start, stop))
    return DenseRows(rows.formed().rows[:, start:stop])
