"""The mean loss of a module on data: values, and the local model that the metric gives."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.dense_columns import dense_columns
from riemannian_modules.engine.krylov_model import KrylovModel
from riemannian_modules.engine.linearisation import Linearisation
from riemannian_modules.engine.local_model import JointModel, LocalModel
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.prior_model import PriorModel, PriorTerm
from riemannian_modules.engine.propagation import pull_factors, pull_gradient
from riemannian_modules.engine.ridge_model import RidgeModel
from riemannian_modules.engine.solve_plan import (
    SolvePlan,
    Way,
    joint_plan,
    module_has_output_metrics,
)
from riemannian_modules.engine.tall_model import TallModel
from riemannian_modules.engine.triangle import LARGEST_BLOCK, blocks_of, gathered
from riemannian_modules.engine.trust_region import is_finite, norm
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.metrics import stack
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.evaluation import accuracy_of, output_then_differential
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

_NOTHING = np.zeros(0)  # the state of a module that has none
_MOST_HELD = 5_000_000  # entries of all columns, which are gone through by blocks beyond that


class Coupling(abc.ABC, Shown):
    """Whether the metric couples the layers; `Joint` or `Layerwise`."""

    @abc.abstractmethod
    def plan(self, module: RiemannianModule, data: Dataset) -> SolvePlan:
        """How steps are solved for, and why.

        Args:
            module: Without state.
            data: Its samples, as `dataset` makes them.
        """


@final
@dataclass(frozen=True, slots=True, repr=False)
class Joint(Coupling):
    """All layers coupled: the exact damped natural gradient, in whichever way costs least.

    For B samples, q outputs, p parameters and c = B q: few parameters by QR, O(c p^2) a step;
    c < p by Woodbury, O(c^2 sqrt(p) + c^3) for dense layers; many of both by conjugate gradients, a
    hundred products of O(B p), in memory linear in p and in B. `plan` says which, and why.
    """

    @override
    def plan(self, module: RiemannianModule, data: Dataset) -> SolvePlan:
        return joint_plan(module, data)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Layerwise(Coupling):
    """Each layer alone, by Woodbury: the layerwise metric, for many parameters.

    O(n r^2 + r^3) time for a layer of n parameters, r = B q for B samples and q outputs (n and r
    exchanged where n is smaller); no p by p matrix.
    """

    @override
    def plan(self, module: RiemannianModule, data: Dataset) -> SolvePlan:
        return SolvePlan(Way.LAYERS, "asked for")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A point theta (p,).

    Attributes:
        theta: Where.
        outputs: There, (B, q).
        value: The mean loss; infinite where it is undefined.
        differential: Gives the map's differential there, of what its outputs have computed already.
    """

    theta: Array
    outputs: Array
    value: float
    differential: Callable[[], Differential]


@final
@dataclass(slots=True, eq=False)
class Count:
    """How often the map (``values``) and its derivative (``derivatives``) were evaluated."""

    values: int = 0
    derivatives: int = 0


@final
@dataclass(frozen=True, eq=False)
class Objective:
    """The mean over B samples of the loss of a module without state.

    ``prior`` is what is known of many parameters; priors of few are rows of the data.
    """

    module: RiemannianModule
    data: Dataset
    loss: Loss
    coupling: Coupling
    count: Count = field(default_factory=Count)
    prior: PriorTerm | None = None

    def on(self, data: Dataset) -> Objective:
        """The same objective on other samples, counted together."""
        return replace(self, data=data, loss=self.loss.of(data))

    def trial(self, theta: Array) -> Trial:
        """The mean loss at theta: infinite outside the map's domain.

        NumPy warns there, unless it is told not to.
        """
        t, value = self.data.targets, math.inf
        y, differential = self._evaluated(theta)
        if y.shape != t.shape:
            y = np.broadcast_to(y, t.shape)
        if is_finite(y):
            value = self.loss.value(y, t) / len(t)
            if self.prior is not None:
                value += self.prior.cost(theta)
        return Trial(theta, y, value if math.isfinite(value) else math.inf, differential)

    def _evaluated(self, theta: Array) -> tuple[Array, Callable[[], Differential]]:
        """The outputs at theta, NaN or infinite where they are undefined, and the differential."""
        self.count.values += 1
        module, u = self.module, self.data.inputs
        anew = partial(module.differential, _NOTHING, u, theta)
        try:
            if self._is_tall:  # what outputs have computed would be too much to be kept
                return module.output(_NOTHING, u, theta), anew
            return output_then_differential(module, _NOTHING, u, theta)
        except ConvergenceError:  # a flow that runs away has no end
            return np.full(self.data.targets.shape, np.nan), anew

    @cached_property
    def plan(self) -> SolvePlan:
        """How steps are solved for."""
        return self.coupling.plan(self.module, self.data)

    def model(self, trial: Trial) -> LocalModel | None:
        """The local model at a point with a finite loss; None where a derivative is not finite."""
        self.count.derivatives += 1
        is_tall = self.plan.way is Way.PRIMAL and self._is_tall
        model = (
            self._tall_model(trial)
            if is_tall
            else model_of(self.plan.way, self.linearisation(trial))
        )
        if self.prior is not None:
            gradient = model.gradient + self.prior.gradient(trial.theta)
            model = PriorModel(model, gradient, self.prior.roots(trial.theta))
        # A square beyond floats, of a finite number, is told from infinity by a second look.
        both = model.gradient.dot(model.gradient) + model.diagonal.sum()
        is_defined = math.isfinite(both) or (
            is_finite(model.gradient) and is_finite(model.diagonal)
        )
        return model if is_defined else None

    def information(self, trial: Trial) -> JointModel:
        """The metric of the loss alone, all layers coupled, dense: what the data say of theta.

        Where there are many samples, ``J^T J`` is that of a triangle, gathered a block of them at a
        time: O(B q p^2) time, and memory O(p^2) beside the block's. Rows of a prior come last.
        """
        self.count.derivatives += 1
        p, (B, q) = len(trial.theta), self.data.targets.shape
        # Rows that were not measured, those of priors, have to be told from the others afterwards.
        blocks = (J for _, _, J in self._swept(trial))
        if self.prior is not None:
            rows = np.diag(self.prior.roots(trial.theta))
            return JointModel(np.zeros(p), np.concatenate([*blocks, rows]))
        if B * q * p <= LARGEST_BLOCK or self.data.counting is not None:
            return JointModel(np.zeros(p), np.concatenate([*blocks]))
        return JointModel(np.zeros(p), gathered(blocks, p))

    @cached_property
    def _is_tall(self) -> bool:
        """Whether the metric's columns are too many to be held."""
        p = self.module.signature.parameters.size
        return p * self.data.targets.size > _MOST_HELD and not module_has_output_metrics(
            self.module
        )

    def _tall_model(self, trial: Trial) -> TallModel:
        """`model` where the samples are gone through by blocks."""
        p, B = len(trial.theta), len(self.data)
        gradient, gram, columns = np.zeros(p), np.zeros((p, p)), 0
        slopes = self.loss.gradient(trial.outputs, self.data.targets)
        for rows, differential, J in self._swept(trial):
            part = slopes[rows]
            gradient += pull_gradient(self.module, differential, (len(part),), part) / B
            gram += J.T @ J
            columns += len(J)
        each = columns // B

        def blocks() -> Iterator[tuple[slice, Array]]:
            self.count.derivatives += 1
            for rows, _, J in self._swept(trial):
                yield slice(each * rows.start, each * rows.start + len(J)), J

        return TallModel(gradient, gram, blocks, columns)

    def _swept(self, trial: Trial) -> Iterator[tuple[slice, Differential, Array]]:
        """Blocks of samples, the differential there, and ``U^T`` of the loss's metric."""
        module, B = self.module, len(self.data)
        S = self.loss.factor(trial.outputs, self.data.targets)
        for rows in blocks_of(B, self.data.targets.shape[1] * len(trial.theta)):
            u = self.data.inputs[rows]
            differential = module.differential(_NOTHING, u, trial.theta)
            none = np.zeros((0, S.shape[-1]))
            pulled = pull_factors(module, differential, (len(u),), S[rows], none)
            columns = stack([factor for _, _, factor in pulled]).as_matrix()
            columns /= math.sqrt(B)
            yield rows, differential, columns.T

    def linearisation(self, trial: Trial) -> Linearisation:
        """The loss near a point, with its products."""
        return Linearisation(
            self.module, trial.differential(), self.loss, trial.outputs, self.data.targets
        )

    def directions(self, trial: Trial) -> int:
        """How many columns the metric of the loss has for each sample."""
        if isinstance(self.loss, SquaredLoss):
            return self.data.targets.shape[1]
        return self.loss.factor(trial.outputs[:1], self.data.targets[:1]).shape[-1]

    def white(self, trial: Trial, directions: Array, columns: int) -> Array:
        """``S^T`` of directions (B, q) of the outputs, in the metric's columns, scaled as U is."""
        seen = self.loss.colour_adjoint(trial.outputs, self.data.targets, directions)
        inner = seen / math.sqrt(len(self.data))
        if inner.size == columns:
            return inner.ravel()
        # Columns of modules' own output metrics follow each sample's; the loss has no part in them.
        wide = np.zeros((len(self.data), columns // len(self.data)))
        wide[:, : inner.shape[1]] = inner
        return wide.ravel()

    @cached_property
    def targets_length(self) -> float:
        """The norm of all targets."""
        return norm(self.data.targets.ravel())

    def floor(self, trial: Trial) -> float:
        """How far rounding alone, or the error of an integration, moves the mean loss."""
        g = self.loss.gradient(trial.outputs, self.data.targets)
        size = np.maximum(np.abs(trial.outputs), np.abs(self.data.targets))
        noise = float(np.sum(np.abs(g) * size)) / len(self.data) + abs(trial.value)
        return accuracy_of(self.module) * noise

    def spread(self, trial: Trial) -> float:
        """The loss's mean square, in whose unit the decrement is judged."""
        if self.prior is not None:
            own = self.loss.spread(trial.outputs, self.data.targets)
            return own + self.prior.spread(trial.theta)
        if isinstance(self.loss, SquaredLoss):
            return 2.0 * trial.value
        return self.loss.spread(trial.outputs, self.data.targets)


def model_of(way: Way, here: Linearisation) -> LocalModel:
    """The local model in which steps are solved for in one way."""
    return _MODELS[way](here)


def _joint_model(here: Linearisation) -> LocalModel:
    held = dense_columns(here)
    if held is not None:
        return JointModel(*held)
    return JointModel(here.gradient, np.ascontiguousarray(stack(here.metric.factors).as_matrix().T))


def _dual_model(here: Linearisation) -> LocalModel:
    U = stack(here.metric.factors)
    return RidgeModel(here.gradient_by(U), (U,), here.ports)


def _layer_model(here: Linearisation) -> LocalModel:
    return RidgeModel(here.gradient, here.metric.factors, here.ports)


_MODELS: dict[Way, Callable[[Linearisation], LocalModel]] = {
    Way.PRIMAL: _joint_model,
    Way.DUAL: _dual_model,
    Way.LAYERS: _layer_model,
    Way.PRODUCTS: KrylovModel,
}
