"""How a fit goes through its data: all at once, or a few samples at a time.

Source: Amari (1998), Neural Computation 10, 251-276, section 4 (steps of 1/k are Fisher-efficient).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import number, require, whole_number
from riemannian_modules.engine.descend import Descent, Iteration, Outcome, Watch, descend
from riemannian_modules.engine.descent_step import Bounds, Method, place_at
from riemannian_modules.engine.objective import Objective
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array


class Schedule(abc.ABC, Shown):
    """`FullBatch` or `MiniBatches`."""

    @abc.abstractmethod
    def descend(
        self, objective: Objective, start: Array, bounds: Bounds, method: Method, watch: Watch
    ) -> Descent:
        """Go down from ``start`` in one way."""

    @abc.abstractmethod
    def can_retry(self) -> bool:
        """Whether another way down is worth its cost where the first one ends in doubt."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class FullBatch(Schedule):
    """Every step sees all samples; at most ``max_iterations`` steps in the first attempt.

    Attributes:
        max_iterations: At most so many steps, 0 or more.
    """

    max_iterations: int = 500

    def __post_init__(self) -> None:
        whole_number("FullBatch: max_iterations", self.max_iterations, 0)

    @override
    def descend(
        self, objective: Objective, start: Array, bounds: Bounds, method: Method, watch: Watch
    ) -> Descent:
        most = method.patience * self.max_iterations
        return descend(objective, start, bounds, method, most, watch)

    @override
    def can_retry(self) -> bool:
        return True


@final
@dataclass(frozen=True, slots=True, repr=False)
class MiniBatches(Schedule):
    """Every step sees ``size`` samples, drawn afresh in each of ``epochs`` passes.

    The steps of epoch k have length ``1 / (k + 1)`` of the damped natural-gradient step, so that
    the noise of the batches averages out; the mass scale follows each batch's gain ratio.

    Attributes:
        size: Samples in a batch, at least 1.
        epochs: Passes through all samples, at least 1.
        rng: Source of the order of the samples; seed 0 where none is given.
        damping: The mass scale to begin with, in units of the running diagonal.

    Raises:
        SignatureError: For a size or epochs below 1.
    """

    size: int
    epochs: int = 20
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    damping: float = 1e-1

    def __post_init__(self) -> None:
        whole_number("MiniBatches: size", self.size, 1)
        whole_number("MiniBatches: epochs", self.epochs, 1)
        expected = "a generator such as np.random.default_rng(0)"
        require("MiniBatches: rng", self.rng, np.random.Generator, expected)
        if not number("MiniBatches: damping", self.damping) > 0.0:
            raise DomainError(f"MiniBatches: expected a positive damping, got {self.damping}.")

    @override
    def can_retry(self) -> bool:
        return False

    @override
    def descend(
        self, objective: Objective, start: Array, bounds: Bounds, method: Method, watch: Watch
    ) -> Descent:
        theta, mu, diagonal = start, self.damping, np.zeros_like(start)
        outcome = Outcome.OUT_OF_ITERATIONS
        try:
            for epoch in range(self.epochs):
                order = self.rng.permutation(len(objective.data))
                for rows in np.array_split(order, max(1, len(order) // self.size)):
                    batch = objective.on(objective.data.take(rows))
                    theta, mu, diagonal = _batch_step(
                        batch, theta, mu, diagonal, bounds, 1.0 / (epoch + 1)
                    )
                whole = objective.trial(theta).value * len(objective.data)
                count = objective.count
                watch(Iteration(
                    epoch, whole, mu, np.nan, np.nan, count.values, count.derivatives
                ))  # fmt: skip
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
        place = place_at(objective, theta, ())
        return Descent(place, Outcome.UNDEFINED if place is None else outcome)


def _batch_step(
    batch: Objective, theta: Array, mu: float, diagonal: Array, bounds: Bounds, length: float
) -> tuple[Array, float, Array]:
    """One step on one batch: theta, mass scale and running diagonal after it."""
    trial = batch.trial(theta)
    model = batch.model(trial) if np.isfinite(trial.value) else None
    if model is None:
        return theta, 4.0 * mu, diagonal
    diagonal = np.maximum(0.9 * diagonal, model.diagonal)
    damping = mu * np.where(diagonal > 0.0, diagonal, 1.0)
    free = bounds.free(theta, model.gradient)
    step = -model.solver(damping, free)(model.gradient)
    end = bounds.clip(theta + length * step)
    step = end - theta
    promised = -float(model.gradient @ step) - 0.5 * float(np.sum(model.push(step) ** 2))
    arrived = batch.trial(end)
    if not (promised > 0.0 and arrived.value < trial.value):
        return theta, min(4.0 * mu, 1e12), diagonal
    gain = (trial.value - arrived.value) / promised
    return end, max(mu * max(1.0 / 3.0, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3), 1e-8), diagonal
