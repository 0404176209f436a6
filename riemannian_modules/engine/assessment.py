"""What the end of a descent is worth: its residuals and the covariance of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.descent_step import Bounds, Place
from riemannian_modules.engine.estimate import Estimate, estimate
from riemannian_modules.engine.local_model import JointModel, Mask
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.precise_residual import needs_precision, precise_residual

_MOST_ENTRIES = 20_000_000  # of a dense Jacobian


@final
@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The sum of squared residuals, the parameters that no bound holds, and their covariance.

    ``uncertainty`` is None where the Jacobian is too large to be dense.
    """

    residual_sum: float
    free: Mask
    uncertainty: Estimate | None


def assess(objective: Objective, place: Place, box: Bounds) -> Assessment:
    """Judge a point at which a descent ended. At most one derivative; O(B q p^2)."""
    data, trial, loss = objective.data, place.trial, objective.loss
    y, t = trial.outputs, data.targets
    free = box.free(trial.theta, place.model.gradient)
    residual_sum = float(np.sum((y - t) ** 2))
    if free.size * t.size > _MOST_ENTRIES:
        return Assessment(residual_sum, free, None)
    known, p = _information(objective, place), int(free.sum())
    dispersion = loss.dispersion(y, t, p)
    if isinstance(loss, SquaredLoss) and needs_precision(data, y):
        residual = precise_residual(objective.module, data, trial.theta)
        if residual is not None:
            # theta itself is rounded: what a last step would still explain is no noise.
            residual_sum = known.unexplained(residual.ravel(), free)
            dispersion = residual_sum / (t.size - p) if t.size > p else np.inf
    return Assessment(residual_sum, free, estimate(known, free, dispersion / len(data)))


def _information(objective: Objective, place: Place) -> JointModel:
    """What the data say of theta: the place's own metric, where modules add none of theirs."""
    model, data = place.model, objective.data
    rank = objective.loss.factor(place.trial.outputs[:1], data.targets[:1]).shape[-1]
    if isinstance(model, JointModel) and len(model.J) == len(data) * rank:
        return model
    return objective.information(place.trial)
