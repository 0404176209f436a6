"""How a fit goes through its data: all at once, or a few samples at a time.

Sources: Amari (1998), Neural Computation 10, 251-276, section 4 (steps of 1/k are
Fisher-efficient); Ollivier (2018), Electron. J. Stat. 12, 2930-2961 (they are a Kalman filter).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import number, require, whole_number
from riemannian_modules.engine.batch_steps import AveragedSteps, BatchSteps
from riemannian_modules.engine.descend import Descent, Iteration, Outcome, Watcher, descend
from riemannian_modules.engine.descent_step import Bounds, DescentMethod, place_at
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.solve_plan import Way
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array


class Schedule(abc.ABC, Shown):
    """`FullBatch` or `MiniBatches`."""

    @abc.abstractmethod
    def descend(
        self,
        objective: Objective,
        start: Array,
        bounds: Bounds,
        method: DescentMethod,
        watch: Watcher,
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
        self,
        objective: Objective,
        start: Array,
        bounds: Bounds,
        method: DescentMethod,
        watch: Watcher,
    ) -> Descent:
        return descend(objective, start, bounds, method, self.max_iterations, watch)

    @override
    def can_retry(self) -> bool:
        return True


@final
@dataclass(frozen=True, slots=True, repr=False)
class MiniBatches(Schedule):
    """Every step sees ``size`` samples, drawn afresh in each of ``epochs`` passes.

    Step k is ``1/k`` of the natural-gradient step in the average metric of all batches so far,
    which is a Kalman filter of the parameters: after one epoch they are as good as a full fit's but
    for a small part of their deviation, and linear least squares are solved. The first batches, as
    many as determine the parameters, are fitted together, so that the steps begin near.

    All this where the metric is solved by QR (see `Joint.plan`). With more parameters each step is
    made in its own batch's metric, whose mass scale follows the gain ratio, and step k has the
    length ``1 / (1 + k / K)``, K the steps of an epoch: networks need more than one.

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
        self,
        objective: Objective,
        start: Array,
        bounds: Bounds,
        method: DescentMethod,
        watch: Watcher,
    ) -> Descent:
        is_averaged = objective.plan.way is Way.PRIMAL
        steps = (
            AveragedSteps(bounds, self.damping)
            if is_averaged
            else BatchSteps(bounds, self.damping, max(1, len(objective.data) // self.size))
        )
        theta, outcome = start, Outcome.OUT_OF_ITERATIONS
        try:
            for epoch in range(self.epochs):
                order = self.rng.permutation(len(objective.data))
                for rows in np.array_split(order, max(1, len(order) // self.size)):
                    theta = steps.after(objective, rows, theta)
                whole = objective.trial(theta).value * len(objective.data)
                count = objective.count
                watch(Iteration(
                    epoch, whole, steps.mu, np.nan, np.nan, count.values, count.derivatives
                ))  # fmt: skip
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
        place = place_at(objective, theta, ())
        return Descent(place, Outcome.UNDEFINED if place is None else outcome)
