"""A task that optimizers race on: a model, its batches, its loss, and a goal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One task; each optimizer gets the same start and the same batches for a seed.

    Attributes:
        model: Makes the model; torch's generator has been seeded.
        batches: Endless; a policy's batches depend on the model.
        loss: From the model, the criterion and a batch: a number, or without a criterion the
            outputs (B, ...) with the losses (B,) of the samples, whose sum is minimised.
        criterion: Makes the loss module; None where the task has a loss of its own.
        measure: Of the model, lower is better; not timed.
        goal: Reached where the measure is at most this.
        most: Steps after which no optimizer is followed further.
        every: Steps between two measurements.
        is_full_batch: Whether all batches are the same.
        was_seen: Whether the algorithm was developed on a task of this kind.
    """

    name: str
    model: Callable[[], nn.Module]
    batches: Callable[[nn.Module, torch.Generator], Iterator[Batch]]
    loss: Callable[[nn.Module, Any, Batch], Any]
    criterion: Callable[[], nn.Module] | None
    measure: Callable[[nn.Module], float]
    goal: float
    most: int = 1000
    every: int = 1
    is_full_batch: bool = False
    was_seen: bool = False


def supervised(model: nn.Module, criterion: nn.Module, batch: Batch) -> Tensor:
    """The criterion of the outputs and the targets."""
    inputs, targets = batch
    return criterion(model(inputs), targets)


def drawn(*data: Tensor, size: int) -> Callable[[nn.Module, torch.Generator], Iterator[Batch]]:
    """Batches without replacement, epoch after epoch; the last few of an epoch are left out."""

    def batches(model: nn.Module, generator: torch.Generator) -> Iterator[Batch]:
        count = len(data[0])
        while True:
            order = torch.randperm(count, generator=generator)
            for start in range(0, count - size + 1, size):
                here = order[start : start + size]
                yield tuple(d[here] for d in data)

    return batches


def always(*data: Tensor) -> Callable[[nn.Module, torch.Generator], Iterator[Batch]]:
    """All data at each step."""

    def batches(model: nn.Module, generator: torch.Generator) -> Iterator[Batch]:
        while True:
            yield data

    return batches


def mean_loss(criterion: nn.Module, *data: Tensor) -> Callable[[nn.Module], float]:
    """The criterion over all data."""

    def measure(model: nn.Module) -> float:
        with torch.no_grad():
            return float(criterion(model(data[0]), data[1]))

    return measure


def mlp(*widths: int, between: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Dense layers of these widths."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), between()]
    return nn.Sequential(*layers[:-1])
