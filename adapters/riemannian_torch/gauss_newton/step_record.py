"""What a step was made of, kept until the next one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from riemannian_torch.gauss_newton.damped_step import StepState
from riemannian_torch.gauss_newton.direction import Direction
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.processes import Processes
from riemannian_torch.gauss_newton.rows import Rows


@final
@dataclass(frozen=True, slots=True, eq=False)
class StepRecord:
    """One step.

    Attributes:
        number: Of the step, from 1.
        rows: Of each parameter, (N, *shape); ``U = scale row``.
        systems: The same in their base metrics, by what was solved for together.
        scale: (N,).
        s: The gradient's coefficients, (N,).
        pull: The same, times what the training loop has multiplied its gradients by.
        direction: P.
        state: After the step.
        lr: The largest multiple of P that was allowed, for a stride of 1.
        trust_region: The largest squared size that was allowed, for a stride of 1.
        groups: The samples.
        processes: Which took the step.
    """

    number: int
    rows: Mapping[Tensor, Rows]
    systems: Sequence[Mapping[Tensor, Rows]]
    scale: Tensor
    s: Tensor
    pull: Tensor
    direction: Direction
    state: StepState
    lr: float
    trust_region: float
    groups: Sequence[Group]
    processes: Processes
