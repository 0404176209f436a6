"""Riemannian descent: damped steps in the propagated metric, the damping adapted by the gain ratio.

Sources: Nielsen (1999), IMM-REP-1999-05 (damping); More (1978), Lecture Notes in Mathematics 630
(running diagonal); Bates and Watts (1981), Technometrics 23, 179-183 (relative offset as the test
of convergence).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.descent_step import (
    Bounds,
    Method,
    Place,
    Taken,
    damped_step,
    place_at,
)
from riemannian_modules.engine.objective import Objective
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array

_OFFSET = 1e-8  # from here undamped steps finish faster
_MOST_POLISHING = 8
_ROUNDINGS = 64.0  # that a formula makes, at most some ten operations on each path
_MOST_DAMPING = 1e20


class Outcome(enum.Enum):
    """How a descent ended."""

    CONVERGED = "converged"
    AT_ROUNDING = "at the level of rounding"
    OUT_OF_ITERATIONS = "out of iterations"
    STALLED = "stalled: no step is downhill"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped by the callback"
    WITHIN_TOLERANCES = "converged within the tolerances given"
    DIVERGES = "diverges: the data are separated"
    UNDEFINED = "undefined at the start"

    @property
    def is_settled(self) -> bool:
        """Whether the point is a minimum as far as floating point can tell."""
        return self in (Outcome.CONVERGED, Outcome.AT_ROUNDING, Outcome.WITHIN_TOLERANCES)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Iteration(Shown):
    """One line of a fit's history.

    Attributes:
        number: Counted from 0 in each attempt.
        loss: The loss, summed over the samples.
        mu: The mass scale in units of the running diagonal.
        gain: Decrease over predicted decrease; NaN where the step was refused.
        offset: The distance to the minimum that the metric predicts, relative to the residual.
        evaluations: Of the map, so far.
        derivatives: Of its derivative, so far.
    """

    number: int
    loss: float
    mu: float
    gain: float
    offset: float
    evaluations: int
    derivatives: int


Watch = Callable[[Iteration], None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where a descent ended, or None where it could not start, and how."""

    place: Place | None
    outcome: Outcome


def descend(
    objective: Objective,
    start: Array,
    bounds: Bounds,
    method: Method,
    max_iterations: int,
    watch: Watch,
) -> Descent:
    """Minimise from ``start`` in one way.

    A KeyboardInterrupt ends the descent with the best point so far.

    Args:
        objective: The mean loss.
        start: theta (p,), inside the bounds.
        bounds: The box of parameters.
        method: The way down.
        max_iterations: Steps tried, refused ones included.
        watch: Called after each.
    """
    place: Place | None = None
    try:
        place = place_at(objective, start, method.linear)
        if place is None:
            return Descent(None, Outcome.UNDEFINED)
        damping = _Damping(method.damping)
        diagonal = np.zeros_like(start)
        for number in range(max_iterations):
            diagonal = np.maximum(method.memory * diagonal, place.model.diagonal)
            offset, at_floor = _offset(objective, place, bounds)
            if offset <= _OFFSET or at_floor:
                place = _polished(objective, place, bounds)
                return Descent(place, _settled_as(objective, place, bounds))
            R = np.where(diagonal > 0.0, diagonal, 1.0)
            taken = damped_step(objective, place, damping.mu, R, bounds, method)
            line = _line(objective, number, place, damping.mu, offset, taken)
            damping.adapt(taken)
            place = place if taken is None else taken.place
            watch(line)  # which may end the descent, here
            if damping.mu > _MOST_DAMPING:
                return Descent(place, Outcome.STALLED)
    except KeyboardInterrupt:
        return Descent(place, Outcome.INTERRUPTED)
    return Descent(place, Outcome.OUT_OF_ITERATIONS)


@final
@dataclass(slots=True)
class _Damping:
    """Nielsen's rule: smooth in the gain after a success, faster and faster after failures."""

    mu: float
    growth: float = 2.0

    def adapt(self, taken: Taken | None) -> None:
        if taken is None:
            self.mu *= self.growth
            self.growth *= 2.0
            return
        self.mu *= max(1.0 / 3.0, 1.0 - (2.0 * min(taken.gain, 1.0) - 1.0) ** 3)
        self.mu, self.growth = max(self.mu, 1e-15), 2.0


def _offset(objective: Objective, place: Place, bounds: Bounds) -> tuple[float, bool]:
    """The relative offset, and whether what remains to be gained is below rounding."""
    free = bounds.free(place.trial.theta, place.model.gradient)
    decrement = place.model.decrement(free)
    spread = math.sqrt(objective.spread(place.trial))
    offset = decrement / spread if spread > 0.0 else (0.0 if decrement == 0.0 else math.inf)
    # Nor can theta be told from its neighbours nearer than its own rounding moves the outputs.
    moved = float(np.abs(place.trial.theta) @ np.sqrt(place.model.diagonal))
    is_last_digit = decrement <= _ROUNDINGS * float(np.finfo(np.float64).eps) * moved
    return offset, is_last_digit or 0.5 * decrement**2 <= _floor(objective, place)


def _floor(objective: Objective, place: Place) -> float:
    """How far rounding alone moves the mean loss: that of outputs, or of terms that cancel in them.

    Terms of size theta_j d y / d theta_j leave their own rounding in y, however small y is.
    """
    terms = float(np.abs(place.trial.theta) @ np.sqrt(place.model.diagonal))
    spread = math.sqrt(objective.spread(place.trial))
    cancelled = float(np.finfo(np.float64).eps) * spread * terms
    return max(objective.floor(place.trial), cancelled)


def _polished(objective: Objective, place: Place, bounds: Bounds) -> Place:
    """Undamped steps while they shrink the offset: the loss itself no longer tells them apart."""
    offset, _ = _offset(objective, place, bounds)
    for _ in range(_MOST_POLISHING):
        model, theta = place.model, place.trial.theta
        free = bounds.free(theta, model.gradient)
        diagonal = np.maximum(model.diagonal, np.finfo(np.float64).tiny)
        end = bounds.clip(theta - model.solver(1e-24 * diagonal, free)(model.gradient))
        if not np.isfinite(end).all() or (end == theta).all():
            break
        arrived = place_at(objective, end, ())
        if arrived is None:
            break
        nearer, _ = _offset(objective, arrived, bounds)
        # Not worse than rounding explains, and nearer: else rounding has been reached.
        slack = 4.0 * _floor(objective, place)
        if not (nearer < offset and arrived.trial.value <= place.trial.value + slack):
            break
        place, offset = arrived, nearer
    return place


def _settled_as(objective: Objective, place: Place, bounds: Bounds) -> Outcome:
    offset, _ = _offset(objective, place, bounds)
    return Outcome.CONVERGED if offset <= _OFFSET else Outcome.AT_ROUNDING


def _line(
    objective: Objective, number: int, place: Place, mu: float, offset: float, taken: Taken | None
) -> Iteration:
    place, gain = (place, math.nan) if taken is None else (taken.place, taken.gain)
    count = objective.count
    loss = place.trial.value * len(objective.data)
    return Iteration(number, loss, mu, gain, offset, count.values, count.derivatives)
