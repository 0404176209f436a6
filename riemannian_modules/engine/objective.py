"""The mean loss of a module on data: values, and the local model that the metric gives."""

from __future__ import annotations

import abc
import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.dataset import Dataset
from riemannian_modules.engine.dense_columns import dense_columns
from riemannian_modules.engine.layerwise import LayerwiseMetric
from riemannian_modules.engine.local_model import JointModel, LayerModel, LocalModel
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.propagate import pull_factors, pull_metric
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.metrics import stack
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array


class Coupling(abc.ABC, Shown):
    """Whether the metric couples the layers; `Joint` or `Layerwise`."""

    @abc.abstractmethod
    def model(self, gradient: Array, metric: LayerwiseMetric) -> LocalModel:
        """The local model in which steps are solved for."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Joint(Coupling):
    """All layers coupled, by a dense QR: accurate, for up to some thousand parameters.

    O(B q p^2) time a step and O(B q p) memory, for B samples, q outputs and p parameters.
    """

    @override
    def model(self, gradient: Array, metric: LayerwiseMetric) -> LocalModel:
        return JointModel(gradient, np.ascontiguousarray(metric.joint.factor.as_matrix().T))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Layerwise(Coupling):
    """Each layer alone, by Woodbury: for many parameters, with mini-batches for many samples.

    O(n r^2 + r^3) time for a layer of n parameters, r = B q for B samples and q outputs (n and r
    exchanged where n is smaller); no p by p matrix.
    """

    @override
    def model(self, gradient: Array, metric: LayerwiseMetric) -> LocalModel:
        return LayerModel(gradient, metric)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A point theta (p,), the outputs (B, q) there, the mean loss: infinite where undefined."""

    theta: Array
    outputs: Array
    value: float


@final
@dataclass(slots=True, eq=False)
class Count:
    """How often the map (``values``) and its derivative (``derivatives``) were evaluated."""

    values: int = 0
    derivatives: int = 0


@final
@dataclass(frozen=True, eq=False)
class Objective:
    """The mean over B samples of the loss of a module without state."""

    module: RiemannianModule
    data: Dataset
    loss: Loss
    coupling: Coupling
    count: Count = field(default_factory=Count)

    def on(self, data: Dataset) -> Objective:
        """The same objective on other samples, counted together."""
        return Objective(self.module, data, self.loss.of(data), self.coupling, self.count)

    def outputs(self, theta: Array) -> Array:
        """The outputs at theta, (B, q); NaN or infinite where the map is undefined."""
        self.count.values += 1
        # Trial points may lie outside the map's domain; they are refused by their infinite loss.
        with np.errstate(all="ignore"), suppress(ConvergenceError):
            y = self.module.output(np.zeros(0), self.data.inputs, theta)
            return np.broadcast_to(y, self.data.targets.shape)
        return np.full(self.data.targets.shape, np.nan)  # a flow that runs away has no end

    def trial(self, theta: Array) -> Trial:
        """The mean loss at theta."""
        y, value = self.outputs(theta), math.inf
        if np.isfinite(y).all():
            with np.errstate(all="ignore"):
                value = self.loss.value(y, self.data.targets) / len(self.data)
        return Trial(theta, y, value if math.isfinite(value) else math.inf)

    def model(self, trial: Trial) -> LocalModel | None:
        """The local model at a point with a finite loss; None where a derivative is not finite."""
        self.count.derivatives += 1
        y, t, batch = trial.outputs, self.data.targets, (len(self.data),)
        with np.errstate(all="ignore"):
            differential = self.module.differential(np.zeros(0), self.data.inputs, trial.theta)
            if isinstance(self.coupling, Joint):
                held = dense_columns(self.module, differential, self.loss, y, t)
                if held is not None:
                    return _if_finite(JointModel(*held))
            g, S = self.loss.gradient(y, t), self.loss.factor(y, t)
            if not (np.isfinite(g).all() and np.isfinite(S).all()):
                return None
            metric = pull_metric(self.module, differential, batch, 1.0, S, _nothing(S))
            model = self.coupling.model(self._gradient(differential, g), metric)
            return _if_finite(model)

    def information(self, trial: Trial) -> JointModel:
        """The metric of the loss alone, all layers coupled, dense: what the data say of theta."""
        self.count.derivatives += 1
        y, t, batch = trial.outputs, self.data.targets, (len(self.data),)
        differential = self.module.differential(np.zeros(0), self.data.inputs, trial.theta)
        S = self.loss.factor(y, t)
        pulled = pull_factors(self.module, differential, batch, S, _nothing(S))
        U = stack([factor for _, _, factor in pulled]).as_matrix() / math.sqrt(len(self.data))
        return JointModel(np.zeros(len(U)), np.ascontiguousarray(U.T))

    def white(self, trial: Trial, directions: Array, columns: int) -> Array:
        """``S^T`` of directions (B, q) of the outputs, in the metric's columns, scaled as U is."""
        S = self.loss.factor(trial.outputs, self.data.targets)
        inner = np.einsum("bqr,bq->br", S, directions) / math.sqrt(len(self.data))
        # Columns of modules' own output metrics follow each sample's; the loss has no part in them.
        wide = np.zeros((len(self.data), columns // len(self.data)))
        wide[:, : inner.shape[1]] = inner
        return wide.ravel()

    def floor(self, trial: Trial) -> float:
        """How far rounding alone, or the error of an integration, moves the mean loss."""
        g = self.loss.gradient(trial.outputs, self.data.targets)
        size = np.maximum(np.abs(trial.outputs), np.abs(self.data.targets))
        noise = float(np.sum(np.abs(g) * size)) / len(self.data) + abs(trial.value)
        return self.module.accuracy * noise

    def spread(self, trial: Trial) -> float:
        """The loss's mean square, in whose unit the decrement is judged."""
        return self.loss.spread(trial.outputs, self.data.targets)

    def _gradient(self, differential: Differential, g: Array) -> Array:
        B = len(self.data)
        pulled = pull_factors(self.module, differential, (B,), g[..., None], _nothing(g[..., None]))
        return np.concatenate([factor.matvec(np.ones(B)) for _, _, factor in pulled]) / B


def _if_finite(model: LocalModel) -> LocalModel | None:
    is_finite = np.isfinite(model.gradient).all() and np.isfinite(model.diagonal).all()
    return model if is_finite else None


def _nothing(columns: Array) -> Array:
    """Columns on the state's derivative, of which static modules have none."""
    return np.zeros((0, columns.shape[-1]))
