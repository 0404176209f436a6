"""What a fit minimises: the loss of a module on data, with what is known of its parameters.

Source: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.descent_step import Bounds
from riemannian_modules.engine.loss import Loss, ResidualLoss
from riemannian_modules.engine.losses import GaussianLoss, NaturalLoss, SquaredLoss
from riemannian_modules.engine.objective import Count, Coupling, Objective
from riemannian_modules.engine.posterior import (
    NO_PULLS,
    PosteriorMap,
    Pulls,
    posterior_loss,
    with_prior_rows,
)
from riemannian_modules.engine.prior_model import PriorTerm
from riemannian_modules.engine.priors import Prior
from riemannian_modules.engine.robust_losses import StudentLoss
from riemannian_modules.engine.solve_plan import Way
from riemannian_modules.engine.weighted_loss import WeightedLikelihood, WhitenedLoss
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False, repr=False)
class FitProblem(Shown):
    """A module, data, a loss, and what is known of the parameters.

    Attributes:
        module: As it was given, its fixed parameters at their values.
        data: The samples.
        loss: What is minimised, as it was given.
        priors: By position in theta.
        lower: Of the parameters, (p,); equal to the upper side where one is fixed.
        upper: Likewise.
        fixed: Which are fixed, (p,).
        is_absolute: Whether sigma is known absolutely, so that the noise's size is not estimated.
    """

    module: RiemannianModule
    data: Dataset
    loss: Loss
    priors: Mapping[int, Prior]
    lower: Array
    upper: Array
    fixed: NDArray[np.bool_]
    is_absolute: bool

    @property
    def likelihood(self) -> Loss:
        """The loss of the samples, with their weights."""
        data, loss = self.data, self.loss
        # Beside priors, residuals of unknown noise are weighed together with those of the prior.
        is_whitened = data.weights is not None or self.is_absolute or self.priors
        if is_whitened and isinstance(loss, ResidualLoss):
            return WhitenedLoss(loss, data.weighing, self.is_absolute)
        if data.weights is not None and isinstance(loss, NaturalLoss):
            return WeightedLikelihood(loss, data.weights)
        return loss

    @property
    def estimates_noise(self) -> bool:
        """Whether the covariance is scaled by what the residuals say of the noise."""
        if isinstance(self.loss, (NaturalLoss, StudentLoss, GaussianLoss)):
            return False
        return not self.is_absolute

    def outputs(self, theta: Array) -> Array:
        """What the module gives for the samples, (B, q)."""
        y = self.module.output(np.zeros(0), self.data.inputs, theta)
        return np.broadcast_to(y, self.data.targets.shape)

    def noise(self, outputs: Array, dispersion: float) -> Array | None:
        """The standard deviation of each output's measurements, (q,); None where it varies."""
        data = self.data
        if isinstance(self.loss, GaussianLoss) and data.weights is None:
            return self.loss.noise(outputs, data.targets)
        most = data.weighing.max(axis=0)
        has_one = np.all((data.weighing == most) | ~data.measured) and (most > 0.0).all()
        return (
            np.sqrt(dispersion / most) if isinstance(self.loss, SquaredLoss) and has_one else None
        )

    @override
    def facts(self) -> Facts:
        names = self.module.signature.parameters.coordinates
        title = f"FitProblem: {counted(len(self.data), 'sample')}, {type(self.loss).__name__}"
        rows = [
            ("priors", listed([names[i] for i in self.priors])),
            ("fixed", listed([names[i] for i in np.flatnonzero(self.fixed)])),
        ]
        return Facts(title, tuple(row for row in rows if row[1] != "none"))


def pulls_of(problem: FitProblem, start: Array) -> Pulls:
    """The priors' pseudo-measurements of parameters that are not fixed."""
    if not problem.priors:
        return NO_PULLS
    rows = {i: known.pull() for i, known in problem.priors.items() if not problem.fixed[i]}
    return Pulls.of({i: row for i, row in rows.items() if row is not None}, start)


def box_of(problem: FitProblem, pulls: Pulls) -> Bounds:
    """Bounds, within which a linear pull keeps its parameter on its side."""
    if not len(pulls.places):
        return Bounds(problem.lower, problem.upper)
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for place, at, side in zip(pulls.places, pulls.location, pulls.side, strict=True):
        if side > 0.0:
            lower[place] = max(lower[place], at)
        elif side < 0.0:
            upper[place] = min(upper[place], at)
    return Bounds(lower, upper)


def objective_of(problem: FitProblem, pulls: Pulls, coupling: Coupling, count: Count) -> Objective:
    """The mean of the loss over samples and rows of priors, or beside the priors of many."""
    plain = Objective(problem.module, problem.data, problem.likelihood, coupling, count)
    if not len(pulls.places):
        return plain
    if plain.plan.way is not Way.PRIMAL:
        return replace(plain, prior=PriorTerm(pulls, len(problem.data)))
    return Objective(
        PosteriorMap(problem.module, pulls),
        with_prior_rows(problem.data, pulls),
        posterior_loss(problem.likelihood, problem.data, pulls),
        coupling,
        count,
    )
