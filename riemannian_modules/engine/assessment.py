"""What the end of a descent is worth: its residuals and the covariance of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.descent_step import Bounds, ModelledPoint
from riemannian_modules.engine.estimate import Estimate, estimate
from riemannian_modules.engine.local_model import GramModel, JointModel, Mask
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.precise_residual import needs_precision, precise_residual
from riemannian_modules.spaces import Array

_MOST_PARAMETERS = 1_000  # with a covariance however many the samples are
_MOST_UNDETERMINED = 500  # with a covariance though they outnumber what was measured
_MOST_ENTRIES = 20_000_000  # of a dense Jacobian of more parameters


@final
@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The sum of squared residuals, the parameters that no bound holds, and their covariance.

    ``freedom`` is how much was measured less how much it determines; ``uncertainty`` is None where
    the covariance is too large, or of many parameters that outnumber what was measured.
    """

    residual_sum: float
    free: Mask
    freedom: float
    dispersion: float
    uncertainty: Estimate | None


def assess(objective: Objective, place: ModelledPoint, box: Bounds) -> Assessment:
    """Judge a point at which a descent ended. At most one derivative; O(B q p^2)."""
    data, trial, loss = objective.data, place.trial, objective.loss
    y, t = trial.outputs, data.targets
    free = box.free(trial.theta, place.model.gradient)
    residual_sum, n = _sum_of_squares(data, y - t), data.size
    priors = 0 if objective.prior is None else len(objective.prior.pulls.places)
    if not _is_known(free.size, t.size + priors):
        freedom = max(0, n - int(free.sum()))
        return Assessment(residual_sum, free, freedom, loss.dispersion(y, t, n - freedom), None)
    known, counts = _information(objective, place), data.counting
    rows = None if counts is None else np.repeat(counts, max(1, known.columns // len(data)))
    if priors:
        rows = np.arange(known.columns) < known.columns - free.size  # the prior's are the last
    triangle = known.triangle(free)
    determined = known.explained(rows, triangle, free)
    dispersion = loss.dispersion(y, t, determined)
    if isinstance(loss, SquaredLoss) and needs_precision(data, y):
        residual = precise_residual(objective.module, data, trial.theta)
        if residual is not None and isinstance(known, JointModel):
            # theta itself is rounded: what a last step would still explain is no noise.
            residual_sum = triangle.unexplained(known.J[:, free], residual.ravel())
            dispersion = residual_sum / (n - determined) if n > determined else np.inf
    found = estimate(triangle, free, dispersion / len(data))
    return Assessment(residual_sum, free, n - determined, dispersion, found)


def _sum_of_squares(data: Dataset, residual: Array) -> float:
    white = residual if data.weights is None else np.sqrt(data.weights) * residual
    flat = white.ravel()
    return float(flat @ flat)


def _information(objective: Objective, place: ModelledPoint) -> GramModel:
    """What the data say of theta: the place's own metric, where it is of the same columns."""
    model, estimating = place.model, objective.loss.estimating()
    if estimating is not objective.loss:
        return replace(objective, loss=estimating).information(place.trial)
    count = len(objective.data) * objective.directions(place.trial)
    if isinstance(model, GramModel) and model.columns == count:
        return model
    return objective.information(place.trial)


def _is_known(parameters: int, measured: int) -> bool:
    if parameters > measured:
        return parameters <= _MOST_UNDETERMINED
    return parameters <= _MOST_PARAMETERS or parameters * measured <= _MOST_ENTRIES
