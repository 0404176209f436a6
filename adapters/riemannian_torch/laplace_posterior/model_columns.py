"""The exact metric's columns of a model at a batch, formed: ``U^T`` with ``U U^T = J^T G J``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from riemannian_torch.gauss_newton.joined_rows import stacked
from riemannian_torch.gauss_newton.metric_choice import JointMetric
from riemannian_torch.gauss_newton.observer import ModelObserver


def model_columns(
    model: nn.Module,
    criterion: nn.Module,
    parameters: Sequence[nn.Parameter],
    axis: int,
    closure: Callable[[], Tensor],
) -> Tensor:
    """``U^T`` in float64: the columns (d, B, n) of B samples with d outputs.

    Cost: d backward passes, vectorised, and d B n numbers.
    """
    observer = ModelObserver(model, criterion, parameters, axis, JointMetric())
    try:
        _, groups = observer.of_closure(closure)
    finally:
        observer.recorder.remove()
    counts = [g.count for g in groups]
    with torch.no_grad():
        parts: list[Tensor] = []
        for p in parameters:
            given = [g.rows.get(p) for g in groups]
            if all(r is None for r in given):
                parts.append(torch.zeros(sum(counts), p.numel(), dtype=torch.float64))
            else:
                rows = stacked(given, counts).formed().rows
                parts.append(rows.reshape(len(rows), -1).double().cpu())
        return torch.cat(parts, 1).unflatten(0, (-1, counts[0]))


def output_columns(
    model: nn.Module, parameters: Sequence[nn.Parameter], axis: int, arguments: tuple[Any, ...]
) -> tuple[Tensor, Tensor]:
    """The outputs f and their Jacobian (B, d, n) in float64, through every layer that is known."""
    half, outputs = nn.MSELoss(reduction="sum"), list[Tensor]()

    def closure() -> Tensor:
        f = model(*arguments)
        outputs.append(f.detach())
        return 0.5 * half(f, torch.zeros_like(f))  # its metric is the identity

    J = model_columns(model, half, parameters, axis, closure)
    return outputs[0], J.movedim(1, 0)
