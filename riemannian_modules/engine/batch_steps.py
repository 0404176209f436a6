"""Steps that each see one batch of samples, shrinking so that the batches' noise averages out.

Sources: Amari (1998), Neural Computation 10, 251-276, section 4; Ollivier (2018), Electron. J.
Stat. 12, 2930-2961 (online natural gradient as a Kalman filter).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.descend import descend
from riemannian_modules.engine.descent_step import Bounds, DescentMethod
from riemannian_modules.engine.local_model import JointModel
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.separation import separating
from riemannian_modules.engine.trust_region import is_finite
from riemannian_modules.metrics import stack
from riemannian_modules.spaces import Array

_DETERMINED = 20  # numbers measured, for each parameter, that are fitted before single steps begin
_FIRST_ITERATIONS = 20
_MOST_HALVINGS = 8
_NO_DAMPING = 1e-12  # in units of the metric's diagonal
_MOST_DAMPING = 1e12


@final
@dataclass(slots=True, eq=False)
class AveragedSteps:
    """``theta - H_k^{-1} g_k / k``, with H_k the mean of the metrics of the first k batches.

    Batches of other sizes count by their samples.
    H is kept as a triangle, into which each batch is folded by QR: O((p + columns) p^2) a step.
    """

    bounds: Bounds
    mu: float
    seen: int = 0
    rows: list[NDArray[np.intp]] = field(default_factory=list[NDArray[np.intp]])
    tried: int = 0
    triangle: Array | None = None

    def after(self, objective: Objective, rows: NDArray[np.intp], theta: Array) -> Array:
        """The parameters after another batch, of the samples ``rows``."""
        self.seen += len(rows)
        if self.triangle is None:
            self.rows.append(rows)
            return self._begun(objective, theta)
        batch = objective.on(objective.data.take(rows))
        found = _slope(batch, theta)
        if found is None:
            return theta
        gradient, J = found
        share = len(rows) / self.seen
        stacked = np.vstack([math.sqrt(1.0 - share) * self.triangle, math.sqrt(share) * J])
        folded: Any = np.linalg.qr(stacked, mode="r")
        self.triangle = folded
        return self._stepped(batch, JointModel(gradient, folded), theta, share)

    def _begun(self, objective: Objective, theta: Array) -> Array:
        """A fit of all batches so far, once they determine the parameters."""
        rows = np.concatenate(self.rows)
        # Every sample seen once is the most that there is.
        is_all = len(rows) >= len(objective.data)
        wanted = max(_DETERMINED * len(theta) / objective.data.targets.shape[1], 2 * self.tried)
        if len(rows) < wanted and not is_all:
            return theta
        first, self.tried = objective.on(objective.data.take(rows)), len(rows)
        method = DescentMethod(damping=self.mu)
        found = descend(first, theta, self.bounds, method, _FIRST_ITERATIONS, lambda _: None).place
        if found is None:
            return theta
        if not is_all and separating(first, found, self.bounds) is not None:
            return theta  # the likelihood of so few has no maximum
        theta = found.trial.theta
        slope = _slope(first, theta)
        if slope is not None:
            folded: Any = np.linalg.qr(slope[1], mode="r")
            self.triangle, self.rows = folded, []
        return theta

    def _stepped(self, batch: Objective, model: JointModel, theta: Array, share: float) -> Array:
        free = self.bounds.free(theta, model.gradient)
        diagonal = np.maximum(model.diagonal, np.finfo(np.float64).tiny)
        step = -share * model.solver(_NO_DAMPING * diagonal, free)(model.gradient)
        value = batch.trial(theta).value
        for _ in range(_MOST_HALVINGS):
            end = self.bounds.clip(theta + step)
            if batch.trial(end).value <= value:
                return end
            step = 0.5 * step
        return theta


def _slope(batch: Objective, theta: Array) -> tuple[Array, Array] | None:
    """Gradient (p,) and ``U^T`` (columns, p) of a batch; None where either is undefined."""
    trial = batch.trial(theta)
    if not math.isfinite(trial.value):
        return None
    batch.count.derivatives += 1
    here = batch.linearisation(trial)
    gradient, J = here.gradient, stack(here.metric.factors).as_matrix().T
    return (gradient, J) if is_finite(gradient) and is_finite(J) else None


@final
@dataclass(slots=True, eq=False)
class BatchSteps:
    """Damped steps in each batch's own metric, of length ``1 / (1 + k / per_epoch)``."""

    bounds: Bounds
    mu: float
    per_epoch: int
    taken: int = 0
    diagonal: Array | None = None

    def after(self, objective: Objective, rows: NDArray[np.intp], theta: Array) -> Array:
        """The parameters after another batch, of the samples ``rows``."""
        length = 1.0 / (1.0 + self.taken / self.per_epoch)
        self.taken += 1
        batch = objective.on(objective.data.take(rows))
        trial = batch.trial(theta)
        model = batch.model(trial) if math.isfinite(trial.value) else None
        if model is None:
            self.mu *= 4.0
            return theta
        diagonal = model.diagonal
        if self.diagonal is not None:
            diagonal = np.maximum(0.9 * self.diagonal, diagonal)
        self.diagonal = diagonal
        damping = self.mu * np.where(diagonal > 0.0, diagonal, 1.0)
        free = self.bounds.free(theta, model.gradient)
        step = -model.solver(damping, free)(model.gradient)
        end = self.bounds.clip(theta + length * step)
        step = end - theta
        promised = -float(model.gradient @ step) - 0.5 * float(np.sum(model.push(step) ** 2))
        arrived = batch.trial(end)
        if not (promised > 0.0 and arrived.value < trial.value):
            self.mu = min(4.0 * self.mu, _MOST_DAMPING)
            return theta
        gain = (trial.value - arrived.value) / promised
        self.mu = max(self.mu * max(1 / 3, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3), 1e-8)
        return end
