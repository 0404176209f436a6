"""Which metric a step is measured in: along every sample's residual, or exact.

Exact are all d columns ``J_b^T S`` of a sample, ``S S^T = G`` its output metric: damped natural
gradient. It costs d backward passes and a system of B d equations: for small outputs.
Source: Pehle and Slotine, arXiv:2603.03610 (THEORY section 4).
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn
from typing_extensions import override

from riemannian_modules.errors import DomainError
from riemannian_torch.gauss_newton.rows import Rows


class StepMetric(abc.ABC):
    """A metric on the parameters of a model, made of columns that the samples give."""

    @abc.abstractmethod
    def systems(
        self, rows: Mapping[Tensor, Rows], model: nn.Module
    ) -> Sequence[Mapping[Tensor, Rows]]:
        """The parameters that are solved for together."""


@final
@dataclass(frozen=True, slots=True)
class ResidualMetric(StepMetric):
    """One column a sample, along its own residual, joint over all layers; cheap at any size."""

    @override
    def systems(
        self, rows: Mapping[Tensor, Rows], model: nn.Module
    ) -> Sequence[Mapping[Tensor, Rows]]:
        return [rows]


@dataclass(frozen=True, slots=True)
class ExactMetric(StepMetric):
    """All columns of a sample, or ``columns`` random combinations W of them, ``E[W W^T] = I``.

    Attributes:
        columns: At least 2; None for all d. The first is along the residual, so that the gradient
            stays in the span; the others are drawn at right angles to it.
        seed: Of the draws, with the number of the step.
    """

    columns: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.columns is not None and not (isinstance(self.columns, int) and self.columns >= 2):
            raise DomainError(
                f"{type(self).__name__}: expected at least 2 columns of a sample, got "
                f"{self.columns}. ResidualMetric() takes 1."
            )


@final
@dataclass(frozen=True, slots=True)
class JointMetric(ExactMetric):
    """Exact and joint over all layers: damped natural gradient; Gauss-Newton where G is a Hessian.

    Where a sample is grossly misclassified Fisher's G nearly vanishes, and steps are wild: lr=0.3.

    Attributes:
        columns: How many of a sample's d columns are drawn, at least 2; None for all.
        seed: Of the draws.
    """

    @override
    def systems(
        self, rows: Mapping[Tensor, Rows], model: nn.Module
    ) -> Sequence[Mapping[Tensor, Rows]]:
        return [rows]


@final
@dataclass(frozen=True, slots=True)
class LayerMetric(ExactMetric):
    """Exact in each layer for itself, a module's weight and bias together.

    Attributes:
        columns: How many of a sample's d columns are drawn, at least 2; None for all.
        seed: Of the draws.
    """

    @override
    def systems(
        self, rows: Mapping[Tensor, Rows], model: nn.Module
    ) -> Sequence[Mapping[Tensor, Rows]]:
        return list(layers_of(rows, model).values())


def layers_of(rows: Mapping[Tensor, Rows], model: nn.Module) -> dict[str, dict[Tensor, Rows]]:
    """The rows by the module that owns their parameters; a tied one belongs to the first."""
    layers: dict[str, dict[Tensor, Rows]] = {}
    for name, p in model.named_parameters():
        if p in rows:
            layers.setdefault(name.rpartition(".")[0], {})[p] = rows[p]
    return layers
