"""The local model of many parameters beside their priors, whose metric is a diagonal.

Source: Gelman et al. (2013), Bayesian Data Analysis, section 14.8: independent priors add their own
precisions to the information.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.local_model import LocalModel, Mask, Solve
from riemannian_modules.engine.posterior import Pulls
from riemannian_modules.engine.trust_region import norm
from riemannian_modules.spaces import Array

_LEAST_DAMPING = 1e-10  # of the metric's diagonal


@final
@dataclass(frozen=True, slots=True, eq=False)
class PriorTerm:
    """What priors add to a mean loss: a ``samples``-th of their cost, in whatever batch.

    Attributes:
        pulls: The priors.
        samples: How many all samples are.
    """

    pulls: Pulls
    samples: int

    def cost(self, theta: Array) -> float:
        """What they add to the mean loss at theta (p,)."""
        return self.pulls.cost(theta) / self.samples

    def gradient(self, theta: Array) -> Array:
        """Its derivative, (p,)."""
        pulls, whole = self.pulls, np.zeros(len(theta))
        force = np.where(pulls.side == 0.0, pulls.values(theta), pulls.side)
        whole[pulls.places] = force * pulls.slopes(theta) / self.samples
        return whole

    def roots(self, theta: Array) -> Array:
        """The roots of the metric's diagonal, (p,); linear priors have none."""
        pulls, whole = self.pulls, np.zeros(len(theta))
        slopes = np.where(pulls.side == 0.0, pulls.slopes(theta), 0.0)
        whole[pulls.places] = slopes / math.sqrt(self.samples)
        return whole

    def spread(self, theta: Array) -> float:
        """The mean square that they add, in whose unit the decrement is judged."""
        z = self.pulls.values(theta)
        return float(np.sum(z**2, where=self.pulls.side == 0.0)) / self.samples


@final
@dataclass(frozen=True, eq=False)
class PriorModel(LocalModel):
    """``U U^T + diag(roots^2)``: memory linear in parameters, where rows would take p of each.

    Attributes:
        inner: Of the samples, with U.
        gradient: Of both, (p,).
        roots: (p,).
    """

    inner: LocalModel
    gradient: Array
    roots: Array

    @override
    def push(self, step: Array) -> Array:
        return np.concatenate([self.inner.push(step), self.roots * step])

    @override
    def pull(self, columns: Array) -> Array:
        own = columns[len(columns) - len(self.roots) :]
        return self.inner.pull(columns[: len(columns) - len(own)]) + self.roots * own

    @property
    @override
    def diagonal(self) -> Array:
        return self.inner.diagonal + self.roots**2

    @override
    def solver(self, damping: Array, free: Mask) -> Solve:
        return self.inner.solver(damping + self.roots**2, free)

    @override
    def decrement(self, free: Mask) -> float:
        diagonal = self.diagonal
        damping = _LEAST_DAMPING * np.where(diagonal > 0.0, diagonal, diagonal.max())
        step = self.solver(damping, free)(self.gradient)
        # The best step along it tells how far the minimum is, though damping made it shorter.
        pushed, slope = norm(self.push(step)), float(self.gradient.dot(step))
        return slope / pushed if pushed > 0.0 else 0.0
