"""One damped Riemannian step, with the geodesic's curvature as a check and a correction.

Sources: Marquardt (1963), J. SIAM 11, 431-441; Transtrum and Sethna (2012), arXiv:1201.5885
(geodesic acceleration); Kaufman (1975), BIT 15, 49-57 (variables that enter linearly are left
undamped and settled).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.local_model import LocalModel, Mask, Solve
from riemannian_modules.engine.objective import Objective, Trial
from riemannian_modules.space import Array

_PROBE = 0.1  # part of the step over which curvature is measured
_LEAST_KEPT = 1e-2  # part of a parameter's squared effect that a step must leave
_NO_DAMPING = 1e-24  # in units of the running diagonal: keeps the triangle regular, moves nothing


@final
@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The box of parameters, lower and upper (p,); sides may be infinite."""

    lower: Array
    upper: Array

    def clip(self, theta: Array) -> Array:
        """The nearest point of the box."""
        return np.clip(theta, self.lower, self.upper)

    def free(self, theta: Array, gradient: Array) -> Mask:
        """The parameters that can move downhill: not those whose side of the box holds them."""
        held = ((theta <= self.lower) & (gradient > 0)) | ((theta >= self.upper) & (gradient < 0))
        return ~held & (self.lower < self.upper)


@final
@dataclass(frozen=True, slots=True)
class Method:
    """One way down.

    Attributes:
        memory: What remains of the running diagonal after a step; 0 is Marquardt's scaling,
            1 is More's.
        curvature: The largest acceleration accepted beside a velocity of one; None measures none.
        linear: Positions of parameters in which the outputs are linear: undamped, and settled
            exactly after each step.
        damping: The mass scale mu of the first step, in units of the running diagonal.
        patience: How many times the schedule's iterations are allowed.
    """

    memory: float
    curvature: float | None
    linear: tuple[int, ...] = ()
    damping: float = 1e-2
    patience: int = 1


@final
@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A point of the descent with its local model."""

    trial: Trial
    model: LocalModel


@final
@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A step's end, how much better it is, and how much better the model said it would be."""

    place: Place
    gain: float


def place_at(objective: Objective, theta: Array, linear: tuple[int, ...]) -> Place | None:
    """The point theta, linear parameters settled; None where loss or derivative is undefined."""
    trial = objective.trial(theta)
    if not math.isfinite(trial.value):
        return None
    model = objective.model(trial)
    if model is None:
        return None
    place = Place(trial, model)
    return _settled(objective, place, linear) if linear else place


def damped_step(
    objective: Objective, at: Place, mu: float, diagonal: Array, bounds: Bounds, method: Method
) -> Taken | None:
    """Try one step of mass scale mu.

    Args:
        objective: What is minimised.
        at: Where the step starts.
        mu: The mass scale, in units of ``diagonal``.
        diagonal: The running diagonal, (p,) > 0: the metric R of the parameters.
        bounds: The box that the step's end is clipped to.
        method: How curvature and linear parameters are treated.

    Returns:
        The step's end where the loss is lower; None where the step is refused.
    """
    model, theta = at.model, at.trial.theta
    free = bounds.free(theta, model.gradient)
    damping = mu * diagonal
    damping[list(method.linear)] = _NO_DAMPING * diagonal[list(method.linear)]
    solve = model.solver(damping, free)
    velocity = -solve(model.gradient)
    step = velocity
    if method.curvature is not None:
        acceleration = _acceleration(objective, at, velocity, solve)
        lengths = [float(np.linalg.norm(np.sqrt(diagonal) * v)) for v in (acceleration, velocity)]
        if not 2.0 * lengths[0] <= method.curvature * lengths[1]:
            return None
        step = velocity + acceleration
    end = bounds.clip(theta + step)
    velocity = np.clip(velocity, bounds.lower - theta, bounds.upper - theta)
    promised = -float(model.gradient @ velocity) - 0.5 * float(np.sum(model.push(velocity) ** 2))
    if not np.isfinite(end).all() or not promised > 0.0:
        return None
    return _judged(objective, at, end, promised, free, method.linear)


def _judged(
    objective: Objective,
    at: Place,
    end: Array,
    promised: float,
    free: Mask,
    linear: tuple[int, ...],
) -> Taken | None:
    """The step to ``end`` if it is downhill and leaves every parameter some effect."""
    if not linear:
        trial = objective.trial(end)
        if not trial.value < at.trial.value:
            return None
        model = objective.model(trial)
        arrived = None if model is None else Place(trial, model)
    else:
        arrived = place_at(objective, end, linear)
    if arrived is None or not arrived.trial.value < at.trial.value:
        return None
    # A parameter that loses nearly all effect in one step has left for infinity, from where no
    # gradient leads back: the metric at both ends must be comparable for the step to be trusted.
    if (arrived.model.diagonal < _LEAST_KEPT * at.model.diagonal)[free].any():
        return None
    return Taken(arrived, (at.trial.value - arrived.trial.value) / promised)


def _acceleration(objective: Objective, at: Place, velocity: Array, solve: Solve) -> Array:
    """Half the second-order correction of the step that follows the geodesic."""
    ahead = objective.outputs(at.trial.theta + _PROBE * velocity)
    if not np.isfinite(ahead).all():
        return np.full_like(velocity, np.inf)
    pushed = at.model.push(velocity)
    seen = objective.white(at.trial, (ahead - at.trial.outputs) / _PROBE, len(pushed))
    bend = 2.0 / _PROBE * (seen - np.where(_of_loss(objective, at, len(pushed)), pushed, 0.0))
    return -0.5 * solve(at.model.pull(bend))


def _of_loss(objective: Objective, at: Place, columns: int) -> Mask:
    """Which of the metric's columns come from the loss rather than from modules' own metrics."""
    per_sample = columns // len(objective.data)
    rank = objective.loss.factor(at.trial.outputs[:1], objective.data.targets[:1]).shape[-1]
    return np.tile(np.arange(per_sample) < rank, len(objective.data))


def _settled(objective: Objective, place: Place, linear: tuple[int, ...]) -> Place:
    """The same point with the linear parameters at their best; the place itself if that fails."""
    free = np.zeros(len(place.trial.theta), dtype=bool)
    free[list(linear)] = True
    diagonal = np.maximum(place.model.diagonal, np.finfo(np.float64).tiny)
    step = -place.model.solver(_NO_DAMPING * diagonal, free)(place.model.gradient)
    if not np.isfinite(step).all():
        return place
    trial = objective.trial(place.trial.theta + step)
    model = objective.model(trial) if trial.value <= place.trial.value else None
    return place if model is None else Place(trial, model)
