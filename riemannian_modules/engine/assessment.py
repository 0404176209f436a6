"""What the end of a descent is worth: its residuals and the covariance of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.descent_step import Bounds, Place
from riemannian_modules.engine.estimate import Estimate, estimate
from riemannian_modules.engine.local_model import Mask
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.precise_residual import needs_precision, precise_residual

_MOST_PARAMETERS = 1_000  # with a covariance however many the samples are
_MOST_UNDETERMINED = 500  # with a covariance though they outnumber what was measured
_MOST_ENTRIES = 20_000_000  # of a dense Jacobian of more parameters


@final
@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The sum of squared residuals, the parameters that no bound holds, and their covariance.

    ``uncertainty`` is None where the covariance is too large, or of many parameters that outnumber
    what was measured.
    """

    residual_sum: float
    free: Mask
    uncertainty: Estimate | None


def assess(objective: Objective, place: Place, box: Bounds) -> Assessment:
    """Judge a point at which a descent ended. One derivative; O(B q p^2)."""
    data, trial, loss = objective.data, place.trial, objective.loss
    y, t = trial.outputs, data.targets
    free = box.free(trial.theta, place.model.gradient)
    residual_sum = float(np.sum((y - t) ** 2))
    if not _is_known(free.size, t.size):
        return Assessment(residual_sum, free, None)
    known, p = objective.information(trial), int(free.sum())
    dispersion = loss.dispersion(y, t, p)
    if isinstance(loss, SquaredLoss) and needs_precision(data, y):
        residual = precise_residual(objective.module, data, trial.theta)
        if residual is not None:
            # theta itself is rounded: what a last step would still explain is no noise.
            residual_sum = known.unexplained(residual.ravel(), free)
            dispersion = residual_sum / (t.size - p) if t.size > p else np.inf
    return Assessment(residual_sum, free, estimate(known, free, dispersion / len(data)))


def _is_known(parameters: int, measured: int) -> bool:
    if parameters > measured:
        return parameters <= _MOST_UNDETERMINED
    return parameters <= _MOST_PARAMETERS or parameters * measured <= _MOST_ENTRIES
