"""One step of a descent: to the least of the model within a radius, bent as the map bends.

Sources: More (1978), Lecture Notes in Mathematics 630 (the running scale, the next radius);
Transtrum and Sethna (2012), arXiv:1201.5885 (geodesic acceleration, and a limit to it); Kaufman
(1975), BIT 15, 49-57 (parameters that enter linearly are settled).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from riemannian_modules.engine.local_model import GramModel, JointModel, LocalModel, Mask
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Objective, Trial
from riemannian_modules.engine.secant import Secant
from riemannian_modules.engine.trust_region import (
    Damped,
    Path,
    SpectralPath,
    is_finite,
    norm,
)
from riemannian_modules.modules.evaluation import accuracy_of
from riemannian_modules.spaces import Array

_LEAST_KEPT = 1e-6  # part of a parameter's squared effect that a step must leave it
_EPS = float(np.finfo(np.float64).eps)
_ROUNDING = 4.0 * _EPS
_LEAST_GAIN = 1e-4
_POOR_GAIN, _GOOD_GAIN = 0.25, 0.75
_AS_FORETOLD = 0.01  # part by which a change may differ from what was foretold
_NO_DAMPING = 1e-15
_MOST_BEND = 1.0  # twice the second-order part of a step over its first-order part
_FARTHEST = 1e3  # times its size, or 1, that a parameter goes on a step of the residual's length


@final
@dataclass(frozen=True, eq=False)
class Bounds:
    """The box of parameters, lower and upper (p,); sides may be infinite."""

    lower: Array
    upper: Array

    @cached_property
    def is_whole_space(self) -> bool:
        """Whether no parameter has a side."""
        return not (np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @cached_property
    def _all(self) -> Mask:
        return np.ones(len(self.lower), dtype=bool)

    def clip(self, theta: Array) -> Array:
        """The nearest point of the box."""
        return np.minimum(np.maximum(theta, self.lower), self.upper)

    def end(self, theta: Array, step: Array) -> Array:
        """Where a step ends in the box; on a side if it ends within rounding of it."""
        if self.is_whole_space:
            return theta + step
        to = self.clip(theta + step)
        with np.errstate(invalid="ignore"):  # of infinite sides
            for side in (self.lower, self.upper):
                reach = _ROUNDING * (np.abs(theta) + np.abs(side))
                to = np.where((np.abs(to - side) <= reach) & np.isfinite(side), side, to)
        return to

    def is_at_side(self, theta: Array) -> Mask:
        """Which parameters a side of the box touches."""
        return (theta == self.lower) | (theta == self.upper)

    def free(self, theta: Array, gradient: Array) -> Mask:
        """The parameters that can move downhill: not those whose side of the box holds them."""
        if self.is_whole_space:
            return self._all
        held = ((theta <= self.lower) & (gradient > 0)) | ((theta >= self.upper) & (gradient < 0))
        return ~held & (self.lower < self.upper)


@final
@dataclass(frozen=True, slots=True)
class DescentMethod:
    """One way down.

    Attributes:
        linear: Positions of parameters in which the outputs are linear: settled exactly after each
            step.
        damping: The mass scale mu of the first step, where the model has no spectrum.
        offset: From here on it has to be known exactly.
    """

    linear: tuple[int, ...] = ()
    damping: float = 4.0
    offset: float = 0.0


@final
@dataclass(frozen=True, slots=True, eq=False)
class ModelledPoint:
    """A point of the descent with its local model."""

    trial: Trial
    model: LocalModel


@final
@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A place with the paths that lead from it.

    Attributes:
        place: Where.
        free: The parameters that no bound holds, (p,).
        scale: What one unit of length is for each parameter, (p,).
        plain: Through the metric's model.
        secant: Second derivatives beside it; None where the model is no dense one.
        path: Through the model that is trusted.
        residual: The root of the loss's mean square, in whose unit the decrement is judged.
        terms: By how much theta moves the outputs, were each parameter to go to 0.
    """

    place: ModelledPoint
    free: Mask
    scale: Array
    plain: Path
    secant: Secant | None
    path: Path
    residual: float
    terms: float

    def without_secant(self) -> Standing:
        """The same where steps are taken by the metric's model alone."""
        secant = None if self.secant is None else Secant(self.secant.S)
        return replace(self, secant=secant, path=self.plain)


def place_at(
    objective: Objective, theta: Array, linear: tuple[int, ...] = ()
) -> ModelledPoint | None:
    """The point theta, linear parameters settled; None where loss or derivative is undefined."""
    trial = objective.trial(theta)
    if not math.isfinite(trial.value):
        return None
    model = objective.model(trial)
    if model is None:
        return None
    place = ModelledPoint(trial, model)
    return _settled(objective, place, linear) if linear else place


def standing_at(
    objective: Objective,
    place: ModelledPoint,
    running: Array,
    bounds: Bounds,
    secant: Secant | None,
) -> Standing:
    """The paths from a place, for a running scale (p,) that may be zero."""
    theta, model = place.trial.theta, place.model
    free, sizes = bounds.free(theta, model.gradient), np.abs(theta)
    residual = math.sqrt(objective.spread(place.trial))
    if isinstance(model, GramModel):
        # A parameter that has hardly any effect here would go to the world's end to have some, and
        # keep all others from moving.
        scale = np.maximum(running, (residual / _FARTHEST) / np.maximum(sizes, 1.0))
    else:
        # What models without a spectrum prepare for a solve serves their own scale alone.
        scale = model.effects
    if np.count_nonzero(scale) < scale.size:
        scale = np.where(scale == 0.0, 1.0, scale)
    plain = model.path(scale, free)
    path: Path = plain
    if secant is not None and secant.is_trusted:
        assert isinstance(model, GramModel)
        path = model.curved_path(scale, free, secant.S)
    terms = float(sizes.dot(model.effects))
    return Standing(place, free, scale, plain, secant, path, residual, terms)


def within_box(at: Standing, radius: float, guess: float, bounds: Bounds) -> Damped:
    """The step within a radius, the first one where it is infinite; ``guess`` is about its mu.

    Parameters that would leave the box stop at its side, and the others then do their best beside
    them, as in bounded least squares by active sets.
    """
    theta, model = at.place.trial.theta, at.place.model
    damped = at.path.first(guess) if radius == math.inf else at.path.within(radius, guess)
    if bounds.is_whole_space:
        return damped
    held, free = np.zeros_like(theta), at.free.copy()
    while isinstance(model, GramModel):
        end = theta + damped.step
        inside = bounds.clip(end)
        hit = free & (end != inside)
        if not hit.any():
            break
        held[hit], free[hit] = (inside - theta)[hit], False
        gradient = model.gradient + model.gram.dot(held)
        if at.secant is not None and at.secant.is_trusted:
            S = at.secant.S
            path = model.curved_path(at.scale, free, S)
            path = replace(path, gradient=gradient + S.dot(held))
        else:
            path = replace(model.path(at.scale, free), gradient=gradient)
        rest = path.first(guess) if radius == math.inf else path.within(radius, guess)
        step = held + rest.step
        damped = Damped(step, rest.mu, norm(at.scale * step), rest.solve)
    return damped


@final
@dataclass(frozen=True, slots=True, eq=False)
class StepOutcome:
    """What came of a step.

    Attributes:
        place: Where it ended; None where it was refused.
        value: The loss there.
        gain: What it won over what was promised.
        length: Of the step.
        slope: The loss's derivative along it.
        promised: What the model said it would win.
        step: (p,).
    """

    place: ModelledPoint | None
    value: float
    gain: float
    length: float
    slope: float
    promised: float
    step: Array


def tried_step(
    objective: Objective,
    at: Standing,
    damped: Damped,
    bounds: Bounds,
    method: DescentMethod,
) -> StepOutcome:
    """Go one step, or see that it should not be gone.

    Args:
        objective: What is minimised.
        at: Where from.
        damped: The step.
        bounds: To which its end is clipped.
        method: Which parameters are settled after it.
    """
    theta, model, before = at.place.trial.theta, at.place.model, at.place.trial.value
    end = bounds.end(theta, damped.step)
    step = end - theta
    length = norm(at.scale * step)
    pushed, slope = model.push(step), float(model.gradient.dot(step))
    promised = -slope - 0.5 * float(pushed.dot(pushed))
    if at.secant is not None and at.secant.is_trusted:
        promised -= at.secant.curved(step)
    if not promised > 0.0:  # nor NaN, as where the step is infinite
        return StepOutcome(None, math.inf, -math.inf, length, slope, promised, step)
    trial = objective.trial(end)
    gain = (before - trial.value) / promised
    is_straight = True
    # Many parameters, which have no spectrum, each bend little, and solves cost them much.
    may_bend = isinstance(at.path, SpectralPath) and not method.linear
    if gain < _GOOD_GAIN and may_bend and is_finite(trial.outputs):
        bend = _bend(objective, at, trial, step, damped)
        is_straight = 2.0 * norm(at.scale * bend) <= _MOST_BEND * length
        if is_straight:
            bent = objective.trial(bounds.clip(end + bend))
            if bent.value < trial.value:
                trial, gain = bent, (before - bent.value) / promised
    arrived = None
    # What stands closer to a side than rounding tells is put there, for nothing can be won by it.
    snaps = not bounds.is_whole_space and (bounds.is_at_side(end) & ~bounds.is_at_side(theta)).any()
    worst = before + objective.floor(at.place.trial) if snaps else -math.inf
    if is_straight and (gain > _LEAST_GAIN or trial.value <= worst):
        arrived = _arrived(objective, at, trial, method)
    step = trial.theta - theta
    return StepOutcome(arrived, trial.value, gain, length, slope, promised, step)


def next_radius(tried: StepOutcome, damped: Damped, radius: float, before: float) -> float:
    """The radius after a step, as in MINPACK; ``before`` is the loss where it began."""
    if not math.isfinite(tried.value):
        return 0.1 * tried.length
    if tried.place is None and tried.gain > _POOR_GAIN:
        return 0.25 * tried.length
    if tried.gain < _POOR_GAIN:
        won = before - tried.value
        # Where a parabola through both losses and the slope has its least.
        part = 0.5 if won >= 0.0 else 0.5 * tried.slope / (tried.slope + won)
        return max(part, 0.1) * min(radius, 10.0 * tried.length)
    if tried.gain >= _GOOD_GAIN or damped.mu == 0.0:
        return 2.0 * tried.length
    return radius


def learned(objective: Objective, at: Standing, arrived: ModelledPoint) -> Secant | None:
    """What is known of second derivatives after a step that was taken."""
    secant, place, theta = at.secant, at.place, at.place.trial.theta
    if secant is None or not isinstance(place.model, GramModel):
        return None
    step = arrived.trial.theta - theta
    pushed = place.model.push(step)
    plain = float(place.model.gradient.dot(step)) + 0.5 * float(pushed.dot(pushed))
    change = arrived.trial.value - place.trial.value
    if abs(change - plain) < _AS_FORETOLD * abs(plain) and not secant.is_trusted:
        return secant  # there is nothing to be learned that the metric does not say
    turned = arrived.model.gradient - place.model.gradient
    moved = arrived.trial.outputs - place.trial.outputs
    bent = turned - place.model.pull(objective.white(place.trial, moved, place.model.columns))
    return secant.judged(step, bent, at.scale).updated(step, turned, bent)


def most_rounding(objective: Objective, trial: Trial) -> float:
    """An upper bound of `Objective.floor`, in three products at most."""
    y, t, known = trial.outputs, objective.data.targets, objective.targets_length
    if isinstance(objective.loss, SquaredLoss) and objective.prior is None:
        slope = math.sqrt(2.0 * len(t) * trial.value)  # |y - t|, and |y| <= |t| + |y - t|
        sizes = 2.0 * known + slope
    else:
        slope, sizes = norm(objective.loss.gradient(y, t).ravel()), norm(y.ravel()) + known
    return accuracy_of(objective.module) * (slope * sizes / len(t) + abs(trial.value))


def _arrived(
    objective: Objective, at: Standing, trial: Trial, method: DescentMethod
) -> ModelledPoint | None:
    """The place of a trial point whose parameters have all kept some effect."""
    if method.linear:
        found = place_at(objective, trial.theta, method.linear)
    else:
        model = objective.model(trial)
        found = None if model is None else ModelledPoint(trial, model)
    if found is None:
        return None
    # One that moves by more than its size and loses nearly all its effect, while others keep
    # theirs, has left for infinity, from where no gradient leads back.
    before, after = at.place.model.diagonal, found.model.diagonal
    if not np.count_nonzero(after < _LEAST_KEPT * before):
        return found
    theta, known = at.place.trial.theta, at.free & (before > 0.0)
    kept = np.where(known, after, 1.0) / np.where(known, before, 1.0)
    is_far = np.abs(trial.theta - theta) > np.abs(theta)
    is_lost = kept < _LEAST_KEPT * min(float(kept[known].max(initial=0.0)), 1.0)
    return None if (is_lost & is_far & known).any() else found


def _bend(objective: Objective, at: Standing, trial: Trial, step: Array, damped: Damped) -> Array:
    """The step that makes up for how the outputs at its end differ from their linear model."""
    here, model = at.place.trial, at.place.model
    assert isinstance(model, GramModel)
    seen = objective.white(here, trial.outputs - here.outputs, model.columns)
    if not isinstance(model, JointModel):
        return -damped.solve(model.pull(seen) - model.gram.dot(step))
    is_of_loss = _of_loss(objective, at.place, model.columns)
    return -damped.solve(model.pull(seen - np.where(is_of_loss, model.push(step), 0.0)))


def _of_loss(objective: Objective, at: ModelledPoint, columns: int) -> Mask | bool:
    """Which of the metric's columns come from the loss rather than from modules' own metrics."""
    per_sample = columns // len(objective.data)
    rank = objective.directions(at.trial)
    if rank == per_sample:
        return True
    return np.tile(np.arange(per_sample) < rank, len(objective.data))


def _settled(objective: Objective, place: ModelledPoint, linear: tuple[int, ...]) -> ModelledPoint:
    """The same point with the linear parameters at their best; the place itself if that fails."""
    free = np.zeros(len(place.trial.theta), dtype=bool)
    free[list(linear)] = True
    scale = np.sqrt(np.maximum(place.model.diagonal, np.finfo(np.float64).tiny))
    step = place.model.path(scale, free).first(_NO_DAMPING).step
    if not np.isfinite(step).all():
        return place
    trial = objective.trial(place.trial.theta + step)
    model = objective.model(trial) if trial.value <= place.trial.value else None
    return place if model is None else ModelledPoint(trial, model)
