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
    DescentMethod,
    ModelledPoint,
    Standing,
    StepOutcome,
    learned,
    most_rounding,
    next_radius,
    place_at,
    standing_at,
    tried_step,
    within_box,
)
from riemannian_modules.engine.local_model import GramModel
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.secant import Secant
from riemannian_modules.engine.trust_region import SpectralPath, is_finite
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

_OFFSET = 1e-8  # from here undamped steps finish faster
_MOST_POLISHING = 8
_POLISHED = 1e-10  # nearer than any use of the parameters could tell
_ROUNDINGS = 64.0  # that a formula makes, at most some ten operations on each path
_NO_DAMPING = 1e-15
_RIGHT_ANGLE = 1e-6
_NEAR = 1e-5  # offset at which all that is left is to polish
_MEMORY = 0.9  # what remains of the running scale after a step
_EPS = float(np.finfo(np.float64).eps)


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
        offset: The distance to the minimum that the metric predicts, relative to the residual; of
            many parameters no more than that, while it is far.
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


Watcher = Callable[[Iteration], None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where a descent ended, or None where it could not start, and how."""

    place: ModelledPoint | None
    outcome: Outcome


def descend(
    objective: Objective,
    start: Array,
    bounds: Bounds,
    method: DescentMethod,
    max_iterations: int,
    watch: Watcher,
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
    # Trial steps may overflow, or leave the map's domain; they are refused for it.
    with np.errstate(all="ignore"):
        return _descended(objective, start, bounds, method, max_iterations, watch)


def _descended(
    objective: Objective,
    start: Array,
    bounds: Bounds,
    method: DescentMethod,
    max_iterations: int,
    watch: Watcher,
) -> Descent:
    place: ModelledPoint | None = None
    try:
        place = place_at(objective, start, method.linear)
        if place is None:
            return Descent(None, Outcome.UNDEFINED)
        walk = _Walk(objective, bounds, method, place)
        for number in range(max_iterations):
            before = walk.offset
            if walk.is_at_minimum():
                return _settled(objective, walk.at, bounds, walk.offset / before)
            line = walk.stepped(number)
            place = walk.at.place
            watch(line)  # which may end the descent, here
            if walk.ended is Outcome.AT_ROUNDING:
                return _settled(objective, walk.at, bounds, math.inf)
            if walk.ended is not None:
                return Descent(place, walk.ended)
    except KeyboardInterrupt:
        return Descent(place, Outcome.INTERRUPTED)
    return Descent(place, Outcome.OUT_OF_ITERATIONS)


@final
class _Walk:
    """Where a descent stands, and how far it dares to go from there."""

    def __init__(
        self, objective: Objective, bounds: Bounds, method: DescentMethod, place: ModelledPoint
    ) -> None:
        self.objective, self.bounds, self.method = objective, bounds, method
        self.running = place.model.effects
        self.radius, self.guess = math.inf, method.damping
        is_dense = isinstance(place.model, GramModel) and not method.linear
        secant = Secant.nothing(len(place.trial.theta)) if is_dense else None
        self.ended: Outcome | None = None
        self.offset = math.nan
        self.at = standing_at(objective, place, self.running, bounds, secant)
        # Targets of zero have no size that rounding could be told from: the start's has to do.
        self.exact = _EPS * min(1.0, self.at.residual)
        self.refused = 0

    def is_at_minimum(self) -> bool:
        """Whether no more can be won from here, as far as floats can tell."""
        if self.refused:
            return False
        plain, residual = self.at.plain, self.at.residual
        least = plain.least_decrement
        self.offset = _relative(least, residual)
        if not self._is_near(least) and self.offset > self.method.offset:
            return False
        self.offset = _relative(plain.decrement, residual)
        return self._is_near(plain.decrement)

    def _is_near(self, decrement: float) -> bool:
        """Whether a minimum at that distance is reached as far as floats can tell."""
        return (
            _relative(decrement, self.at.residual) <= _OFFSET
            or _is_last_digit(self.at, decrement)
            or self._is_below_rounding(0.5 * decrement**2)
            or self.at.residual <= self.exact
        )

    def _is_below_rounding(self, gain: float) -> bool:
        """Whether a gain is no more than rounding moves the loss; far above, that is seen fast."""
        objective, at = self.objective, self.at
        most = max(most_rounding(objective, at.place.trial), _of_terms(at))
        return gain <= most and gain <= _floor(objective, at)

    def stepped(self, number: int) -> Iteration:
        """Try one step, and learn from it."""
        objective, at = self.objective, self.at
        is_first = self.radius == math.inf
        damped = within_box(at, self.radius, self.guess, self.bounds)
        if is_first or not isinstance(at.path, SpectralPath):
            self.radius = damped.length
        tried = tried_step(objective, at, damped, self.bounds, self.method)
        self.radius = next_radius(tried, damped, self.radius, at.place.trial.value)
        if self.radius > 0.0:
            self.guess = damped.mu * damped.length / self.radius
        if tried.place is None:
            self.refused += 1
            self.ended = self._end(tried)
        else:
            self.refused = 0
            secant = learned(objective, at, tried.place)
            self.running = np.maximum(_MEMORY * self.running, tried.place.model.effects)
            self.at = standing_at(objective, tried.place, self.running, self.bounds, secant)
        return _line(objective, number, self.at.place, damped.mu, self.offset, tried)

    def _end(self, tried: StepOutcome) -> Outcome | None:
        """How the descent ends after a refusal; None where it goes on with shorter steps."""
        place = self.at.place
        if not self._is_below_rounding(0.5 * tried.promised):
            least = _EPS * float(np.linalg.norm(self.at.scale * place.trial.theta))
            return Outcome.STALLED if self.radius <= 0.1 * least or self.refused > 60 else None
        if self.at.path is not self.at.plain and self.offset > _NEAR:
            # Second derivatives may have been learned wrong: less is to be won by them alone.
            self.at, self.radius = self.at.without_secant(), math.inf
            return None
        # Less was promised than rounding moves: a minimum, if the residual is at right angles to
        # all that parameters can do.
        effects, free = place.model.effects, self.at.free
        slopes = np.abs(place.model.gradient)[free & (effects > 0.0)]
        angles = slopes / effects[free & (effects > 0.0)]
        is_flat = float(angles.max(initial=0.0)) <= _RIGHT_ANGLE * self.at.residual
        return Outcome.AT_ROUNDING if is_flat else Outcome.STALLED


def _relative(decrement: float, residual: float) -> float:
    """The offset: how far the minimum is, beside the residual."""
    if residual > 0.0:
        return decrement / residual
    return 0.0 if decrement == 0.0 else math.inf


def _is_last_digit(at: Standing, decrement: float) -> bool:
    """Whether the minimum is no farther than theta's own rounding moves the outputs."""
    return decrement <= _ROUNDINGS * _EPS * at.terms


def _floor(objective: Objective, at: Standing) -> float:
    """How far rounding alone moves the mean loss: that of outputs, or of terms that cancel in them.

    Terms of size theta_j d y / d theta_j leave their own rounding in y, however small y is.
    """
    return max(objective.floor(at.place.trial), _of_terms(at))


def _of_terms(at: Standing) -> float:
    return _EPS * at.residual * at.terms


def _settled(objective: Objective, at: Standing, bounds: Bounds, pace: float) -> Descent:
    """Undamped steps while they shrink the offset: the loss itself no longer tells them apart.

    ``pace`` is the part of the offset that the last step left.
    """
    offset = _relative(at.plain.decrement, at.residual)
    for _ in range(_MOST_POLISHING):
        if offset <= _POLISHED or _is_last_digit(at, at.plain.decrement):
            break
        place = at.place
        end = bounds.clip(place.trial.theta + at.path.first(_NO_DAMPING).step)
        if not is_finite(end) or not np.count_nonzero(end != place.trial.theta):
            break
        if pace * offset <= _POLISHED:
            return _ended(objective, at, end)
        arrived = place_at(objective, end)
        if arrived is None:
            break
        next_one = standing_at(
            objective, arrived, at.scale, bounds, learned(objective, at, arrived)
        )
        nearer = _relative(next_one.plain.decrement, next_one.residual)
        # Not worse than rounding explains, and nearer: else rounding has been reached.
        worse = arrived.trial.value - place.trial.value
        if not nearer < offset or (worse > 0.0 and worse > 4.0 * _floor(objective, at)):
            break
        at, offset, pace = next_one, nearer, nearer / offset
    effects = at.place.model.diagonal[at.free]
    if effects.size and not effects.any() and at.residual > 0.0:
        return Descent(at.place, Outcome.STALLED)  # a plateau, on which nothing has any effect
    return Descent(at.place, Outcome.CONVERGED if offset <= _OFFSET else Outcome.AT_ROUNDING)


def _ended(objective: Objective, at: Standing, end: Array) -> Descent:
    """The last step, which leaves nothing that is worth a derivative: where it began serves it."""
    trial, place = objective.trial(end), at.place
    worse = trial.value - place.trial.value
    if not (worse <= 0.0 or worse <= 4.0 * _floor(objective, at)):
        return Descent(place, Outcome.CONVERGED)
    return Descent(ModelledPoint(trial, place.model), Outcome.CONVERGED)


def _line(
    objective: Objective,
    number: int,
    place: ModelledPoint,
    mu: float,
    offset: float,
    tried: StepOutcome,
) -> Iteration:
    gain = math.nan if tried.place is None else tried.gain
    count = objective.count
    loss = place.trial.value * len(objective.data)
    return Iteration(number, loss, mu, gain, offset, count.values, count.derivatives)
