"""A loss of a module's outputs at a point, with products of its derivatives, never their matrices.

Source: Schraudolph (2002), Neural Computation 14, 1723-1738 (products with Gauss-Newton metrics);
Pehle and Slotine (2026), arXiv:2603.03610 (the metric as the outputs' one, pulled back).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np

from riemannian_modules.engine.layerwise import LayerwiseMetric
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.propagation import pull_gradient, pull_metric
from riemannian_modules.metrics import Factor
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class Linearisation:
    """A mean loss of B samples near a point, through the module's differential there.

    Attributes:
        module: Without state, with p parameters.
        differential: At the samples.
        loss: Whose metric of the outputs is ``S S^T``.
        outputs: (B, q).
        targets: (B, q).
    """

    module: RiemannianModule
    differential: Differential
    loss: Loss
    outputs: Array
    targets: Array

    @cached_property
    def gradient(self) -> Array:
        """Of the mean loss, (p,)."""
        return self._pulled(self.slopes) / len(self.outputs)

    def gradient_by(self, factor: Factor) -> Array:
        """The gradient, of a metric's factor U (p, columns) where the slopes are its columns."""
        if not isinstance(self.loss, SquaredLoss) or factor.columns != self.outputs.size:
            return self.gradient
        return factor.matvec(self.slopes.ravel() / math.sqrt(len(self.outputs)))

    @property
    def slopes(self) -> Array:
        """Of the loss in the outputs, (B, q)."""
        return self.loss.gradient(self.outputs, self.targets)

    @cached_property
    def metric(self) -> LayerwiseMetric:
        """``U U^T`` with a factor for each layer, and with the modules' own metrics' columns."""
        S = self.loss.factor(self.outputs, self.targets)
        nothing = np.zeros((0, S.shape[-1]))
        batch = (len(self.outputs),)
        return pull_metric(self.module, self.differential, batch, 1.0, S, nothing)

    def push(self, step: Array) -> Array:
        """``U^T s`` of the loss's metric alone, (columns,); a forward sweep."""
        sizes = (0, self.outputs.shape[-1])
        t_y = self.differential.push_parameters(step[:, None], sizes)[1][..., 0]
        directions = np.broadcast_to(t_y, self.outputs.shape)
        white = self.loss.colour_adjoint(self.outputs, self.targets, directions)
        return white.ravel() / math.sqrt(len(self.outputs))

    def pull(self, columns: Array) -> Array:
        """``U w`` of the loss's metric alone, (p,); a backward sweep."""
        B = len(self.outputs)
        slopes = self.loss.colour(self.outputs, self.targets, columns.reshape(B, -1))
        return self._pulled(slopes) / math.sqrt(B)

    @cached_property
    def ports(self) -> tuple[slice, ...]:
        """Where each parameter array stands in theta."""
        ends = np.cumsum([0, *(port.size for port in self.module.signature.parameters.ports)])
        return tuple(slice(int(start), int(end)) for start, end in pairwise(ends))

    def _pulled(self, slopes: Array) -> Array:
        return pull_gradient(self.module, self.differential, (len(self.outputs),), slopes)


def port_means(squares: Array, ports: tuple[slice, ...]) -> Array:
    """Each entry (p,) replaced by the mean of its parameter array.

    One scale for an array keeps the structure of its factor, and no single weight that has lost
    its effect is taken for one that needs no damping.
    """
    means = np.empty_like(squares)
    for port in ports:
        means[port] = squares[port].mean() if port.stop > port.start else 0.0
    return means
