"""How the samples and the parameters of a model are spread over processes."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, final

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.joined_batch import joined_batch
from riemannian_torch.gauss_newton.rows import Rows


class Processes(abc.ABC):
    """What a step asks of the processes that train a model together."""

    @property
    @abc.abstractmethod
    def call_together(self) -> bool:
        """Whether a call of the model needs all processes."""

    @abc.abstractmethod
    def joined(self, group: Group) -> Group:
        """The group with the samples of all processes."""

    @abc.abstractmethod
    def summed(self, x: Tensor) -> Tensor:
        """The sum over all processes, in place."""

    @abc.abstractmethod
    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Mapping[Tensor, Tensor]:
        """Of the loss that all processes minimise; keeps torch's graph."""

    @abc.abstractmethod
    def alone(self) -> AbstractContextManager[object]:
        """Where a model is called without a backward pass that other processes wait for."""

    @abc.abstractmethod
    def at_rest(self) -> None:
        """Put the optimizer's parameters in their places, between two calls of the model."""

    @abc.abstractmethod
    def follow(
        self, own: dict[int, Tensor], on_gradient: Callable[[Tensor], Any]
    ) -> list[RemovableHandle]:
        """Add what stands in the parameters' places while the model runs.

        Args:
            own: The parameters by their ids, and by those of what stands for them.
            on_gradient: Is called where a backward pass has reached a parameter.
        """

    @abc.abstractmethod
    def part(self, rows: Rows, parameter: Tensor) -> Rows:
        """The rows for directions that are kept as the parameter is."""

    def parts(self, rows: Mapping[Tensor, Rows]) -> Mapping[Tensor, Rows]:
        """`part` of each parameter's rows."""
        return {p: self.part(r, p) for p, r in rows.items()}

    @abc.abstractmethod
    def inner(self, x: Tensor, y: Tensor) -> Tensor:
        """``<x, y>`` of two tensors that are kept as a parameter is."""

    @abc.abstractmethod
    def whole(self, x: Tensor) -> Tensor:
        """All of a tensor that is kept as a parameter is."""

    @abc.abstractmethod
    def called_by_sample(self, model: nn.Module) -> nn.Module:
        """The model to call with one sample at a time, without other processes."""


class _WholeParameters(Processes):
    """Each process has all parameters."""

    @property
    @override
    def call_together(self) -> bool:
        return False

    @override
    def alone(self) -> AbstractContextManager[object]:
        return nullcontext()

    @override
    def at_rest(self) -> None:
        pass

    @override
    def follow(
        self, own: dict[int, Tensor], on_gradient: Callable[[Tensor], Any]
    ) -> list[RemovableHandle]:
        return []

    @override
    def part(self, rows: Rows, parameter: Tensor) -> Rows:
        return rows

    @override
    def parts(self, rows: Mapping[Tensor, Rows]) -> Mapping[Tensor, Rows]:
        return rows

    @override
    def inner(self, x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum()

    @override
    def whole(self, x: Tensor) -> Tensor:
        return x

    @override
    def called_by_sample(self, model: nn.Module) -> nn.Module:
        return model


@final
class OneProcess(_WholeParameters):
    """All samples and parameters are here."""

    @override
    def joined(self, group: Group) -> Group:
        return group

    @override
    def summed(self, x: Tensor) -> Tensor:
        return x

    @override
    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Mapping[Tensor, Tensor]:
        return present_gradients(loss, parameters)


@final
class Replicas(_WholeParameters):
    """Each process has all parameters and samples of its own (DistributedDataParallel)."""

    def __init__(self, model: DistributedDataParallel) -> None:
        self._model = model

    @override
    def joined(self, group: Group) -> Group:
        return joined_batch(group, self._model.process_group)

    @override
    def summed(self, x: Tensor) -> Tensor:
        distributed.all_reduce(x, group=self._model.process_group)
        return x

    @override
    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> Mapping[Tensor, Tensor]:
        count = distributed.get_world_size(self._model.process_group)
        found = present_gradients(loss, parameters)
        return {p: self.summed(g / count) for p, g in found.items()}

    @override
    def alone(self) -> AbstractContextManager[object]:
        return self._model.no_sync()

    @override
    def called_by_sample(self, model: nn.Module) -> nn.Module:
        return self._model.module


def present_gradients(loss: Tensor, parameters: Sequence[Tensor]) -> dict[Tensor, Tensor]:
    """Of the parameters that the loss depends on; keeps torch's graph."""
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return {p: g for p, g in zip(parameters, found, strict=True) if g is not None}
