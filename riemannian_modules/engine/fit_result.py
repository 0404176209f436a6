"""What a fit found, how well it is known, and how it was found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import text
from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.estimate import Estimate
from riemannian_modules.engine.fit_files import write_fit
from riemannian_modules.engine.fit_problem import FitProblem, box_of, objective_of, pulls_of
from riemannian_modules.engine.identifiability import (
    Identifiability,
    direction_in_words,
    identifiability,
)
from riemannian_modules.engine.likelihood import log_likelihood, noise_parameters
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.objective import Count, Joint
from riemannian_modules.engine.prediction import Prediction, checked_level, propagated
from riemannian_modules.engine.profile import Profile, Profiled, profile
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import MOST_NAMES, Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_CRITERIA = ("log_likelihood", "aic", "bic")


@final
@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Shown):
    """A fitted module with its uncertainty and its history.

    Attributes:
        module: The module with the parameters found.
        outcome: How the search ended; `Outcome.is_settled` for a minimum.
        loss: The loss, summed over all samples, and what priors cost.
        residual_sum: The sum of squares of outputs minus targets, over sigma where it was given.
        freedom: Degrees of freedom: numbers measured minus parameters that they determine, of which
            priors take a part; 0 where nothing is left over.
        dispersion: What the inverse metric is multiplied with to be the covariance.
        held: Names of coordinates that a bound holds; they count as known.
        history: Every iteration of every attempt.
        evaluations: Of the map over all samples (or over a mini-batch).
        derivatives: Of its derivative, likewise.
        seconds: Wall time.
        problem: What was minimised.
        uncertainty: What `covariance` and `undetermined` are taken from; None where the problem is
            too large for it.
    """

    module: RiemannianModule
    outcome: Outcome
    loss: float
    residual_sum: float
    freedom: float
    dispersion: float
    held: tuple[str, ...]
    history: tuple[Iteration, ...]
    evaluations: int
    derivatives: int
    seconds: float
    problem: FitProblem
    uncertainty: Estimate | None

    @property
    def data(self) -> Dataset:
        """The samples."""
        return self.problem.data

    @property
    def criterion(self) -> Loss:
        """The loss that was minimised."""
        return self.problem.loss

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of coordinates that were fixed; they count as known."""
        return tuple(n for n, f in zip(self.names, self.problem.fixed, strict=True) if f)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta."""
        return self.module.signature.parameters.coordinates

    @property
    def theta(self) -> Array:
        """The parameters found, (p,)."""
        return self.module.theta

    @property
    def parameters(self) -> Mapping[str, Array]:
        """The parameters found, by name."""
        return self.module.signature.parameters.unpack(self.module.theta)

    @property
    def residual_deviation(self) -> float:
        """The residuals' standard deviation, ``sqrt(residual_sum / freedom)``."""
        return math.sqrt(self.residual_sum / self.freedom) if self.freedom > 0 else math.inf

    @property
    def covariance(self) -> Array:
        """Of the estimate, (p, p): infinite for parameters that the data do not determine.

        Raises:
            UnsupportedError: If the problem is too large for a dense covariance.
        """
        if self.uncertainty is None:
            raise UnsupportedError(
                f"FitResult.covariance: {len(self.theta)} parameters with {len(self.data)} samples "
                "are too many for a dense covariance. Fit fewer parameters, or leave the "
                "covariance aside."
            )
        return self.uncertainty.covariance

    @property
    def deviations(self) -> Array:
        """Standard deviations of the parameters, (p,); zero for held ones. Raises as covariance."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of coordinates that the data leave free to move."""
        found = self.uncertainty.undetermined if self.uncertainty is not None else ()
        return tuple(self.names[i] for i in found)

    @property
    def is_determined(self) -> bool:
        """Whether the data determine every parameter that is neither fixed nor held."""
        if self.uncertainty is not None:
            return not self.undetermined
        # Of many parameters the metric's rank is not known, but it is at most what was measured.
        return len(self.theta) - len(self.fixed) - len(self.held) <= self.data.size

    @property
    def directions(self) -> tuple[str, ...]:
        """In words, the directions in which parameters move without effect, as ``a - 0.5 b``."""
        null = np.zeros((0, 0)) if self.uncertainty is None else self.uncertainty.null
        return tuple(direction_in_words(self.names, direction) for direction in null.T)

    @property
    def correlations(self) -> Array:
        """Of the estimates, (p, p); NaN for those held, fixed or not determined."""
        d = self.deviations
        known = np.where(np.isfinite(d) & (d > 0.0), d, np.nan)
        return self.covariance / np.outer(known, known)

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Confidence intervals by name, from the covariance; `profile` asks the map itself.

        By Student's t where the noise is estimated, by the normal distribution where it is known.

        Args:
            level: The probability that an interval holds the true value, such as 0.95.

        Raises:
            UnsupportedError: If the problem is too large for a dense covariance.
        """
        reach = self._quantile("FitResult.intervals", level)
        return {
            name: (value - reach * d, value + reach * d)
            for name, value, d in zip(
                self.names, self.theta.tolist(), self.deviations.tolist(), strict=True
            )
        }

    @property
    def log_likelihood(self) -> float:
        """``log p(data)``, natural; at the most likely noise where that is estimated.

        Raises:
            UnsupportedError: For losses that are no likelihood, as Huber's.
        """
        return log_likelihood(self.problem, self.problem.outputs(self.theta))

    @property
    def aic(self) -> float:
        """Akaike's criterion ``2 k - 2 log L``; k counts the noise's size where it is estimated."""
        return 2.0 * self._counted() - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion ``k log n - 2 log L``, n numbers being measured."""
        return self._counted() * math.log(self.data.size) - 2.0 * self.log_likelihood

    def _counted(self) -> int:
        null = 0 if self.uncertainty is None else self.uncertainty.null.shape[1]
        free = len(self.theta) - len(self.held) - len(self.fixed) - null
        return free + noise_parameters(self.problem)

    def _quantile(self, where: str, level: float) -> float:
        """How many standard deviations an interval of a level reaches to each side."""
        from scipy.stats import norm, t

        upper = 0.5 + 0.5 * checked_level(where, level)
        if not self.problem.estimates_noise:
            return float(norm.ppf(upper))
        return float(t.ppf(upper, self.freedom)) if self.freedom > 0 else math.inf

    def predict(
        self, inputs: ArrayLike | Mapping[str, ArrayLike], level: float = 0.95
    ) -> Prediction:
        """The mean of the outputs for new inputs, with standard deviations and bands.

        The covariance is propagated through the map's Jacobian, O(B q p^2).

        Args:
            inputs: By name, each (B, *shape), or flat (B, m).
            level: Of the bands, such as 0.95.

        Raises:
            UnsupportedError: If the problem is too large for a dense covariance.
            SignatureError: For wrong names or shapes.
        """
        s, where = self.module.signature, "FitResult.predict"
        u = np.atleast_2d(s.inputs.pack(inputs, f"{where}: inputs"))
        reach = self._quantile(where, level)
        known = self._known()
        mean, deviations = propagated(self.module, self.criterion, known, u)
        noise = self.problem.noise(self.problem.outputs(self.theta), self.dispersion)
        return Prediction(u, mean, deviations, noise, level, reach, s.inputs, s.outputs)

    def profile(self, name: str, level: float = 0.95) -> Profile:
        """The profile likelihood of a parameter, and the interval that it gives.

        The threshold is that of chi2 with one degree of freedom where the noise is known, and that
        of F where it is estimated. Some twenty short descents to each side.

        Args:
            name: Of a parameter that is a scalar, or of an entry such as ``"W[0,1]"``.
            level: Of the interval, such as 0.95.

        Raises:
            SignatureError: For an unknown name, or one that is fixed.
        """
        where, theta, problem = "FitResult.profile", self.theta, self.problem
        place = self.module.signature.parameters.slice_of(text(f"{where}: name", name))
        if place.stop - place.start != 1:
            raise SignatureError(
                f"{where}: {name!r} has {place.stop - place.start} entries; name one of them, as "
                f"{self.names[place.start]!r}."
            )
        if problem.fixed[place.start]:
            raise SignatureError(f"{where}: {name!r} is fixed; name a parameter that was fitted.")
        pulls = pulls_of(problem, theta)
        known = 0.0 if self.uncertainty is None else float(self.deviations[place.start])
        step = (
            0.5 * known
            if 0.0 < known < math.inf
            else max(0.1 * abs(float(theta[place.start])), 1e-3)
        )
        objective, box = objective_of(problem, pulls, Joint(), Count()), box_of(problem, pulls)
        threshold = self._quantile(where, level) ** 2  # of chi2 with one degree of freedom, or of F
        profiled = Profiled(objective, box, theta, place.start, step, self.dispersion, threshold)
        return profile(profiled, self.names[place.start], level)

    def identifiability(self) -> Identifiability:
        """Which directions of the parameters the data determine, and how well; one derivative."""
        theta = self.theta
        free = np.array([n not in (*self.held, *self.fixed) for n in self.names])
        objective = objective_of(self.problem, pulls_of(self.problem, theta), Joint(), Count())
        estimating = replace(objective, loss=objective.loss.estimating())
        with np.errstate(all="ignore"):
            known = estimating.information(objective.trial(theta))
        variance = self.dispersion / len(objective.data)
        return identifiability(self.names, known, free, theta, variance)

    def _known(self) -> Estimate:
        _ = self.covariance  # which says why there is none
        assert self.uncertainty is not None
        return self.uncertainty

    def plot(self, deviations: ArrayLike | None = None) -> Figure:
        """Draw each output's data against the model, the residuals, and the loss by iteration.

        Args:
            deviations: Standard deviations of the targets where they are known, drawn as bars: of
                shape (B, q), or one that broadcasts to it; those of the data where none are given.

        Returns:
            The figure; ``figure.savefig(path)`` writes it.

        Raises:
            DomainError: If a deviation is negative or not finite, or their shape does not fit.
        """
        from riemannian_modules.engine.fit_plot import Fitted, bars_of, plot_fit

        s, q = self.module.signature, self.data.targets.shape[1]

        def mean(inputs: Array) -> Array:
            y = self.module.output(np.zeros(0), inputs, self.theta)
            return self.criterion.mean(np.broadcast_to(y, (len(inputs), q)))

        losses = [line.loss for line in self.history]
        bars = bars_of(self.data, deviations)
        return plot_fit(Fitted(self.data, mean, s.inputs, s.outputs, bars, losses, self.ending))

    def summary(self) -> dict[str, Any]:
        """All but data and history, as JSON's types; numbers that are not finite as null."""
        known = self.uncertainty is not None
        deviations = self.deviations if known else np.full(len(self.theta), np.nan)
        intervals = self.intervals() if known else {}
        criteria: dict[str, float | None] = dict.fromkeys(_CRITERIA)
        with suppress(UnsupportedError):
            criteria = {name: _number(getattr(self, name)) for name in _CRITERIA}
        return {
            "outcome": self.outcome.value,
            "is_determined": self.is_determined,
            "loss": _number(self.loss),
            "residual_sum": _number(self.residual_sum),
            "residual_deviation": _number(self.residual_deviation),
            "degrees_of_freedom": self.freedom,
            "parameters": {
                name: {"value": _number(value), "deviation": _number(deviation)}
                for name, value, deviation in zip(self.names, self.theta, deviations, strict=True)
            },
            "intervals_95": {n: [*map(_number, ends)] for n, ends in intervals.items()},
            **criteria,
            "held": list(self.held),
            "fixed": list(self.fixed),
            "undetermined": list(self.undetermined),
            "directions_without_effect": list(self.directions),
            "missing": self.data.targets.size - self.data.size,
            "covariance": None
            if self.uncertainty is None
            else [[_number(v) for v in row] for row in self.covariance],
            "iterations": len(self.history),
            "evaluations": self.evaluations,
            "derivatives": self.derivatives,
            "seconds": self.seconds,
        }

    def save(self, folder: str | Path) -> None:
        """Write ``fit.json`` (the summary) and ``history.csv`` into a folder, made if need be.

        Each file appears whole or not at all.
        """
        write_fit(folder, self.summary(), self.history)

    @override
    def facts(self) -> Facts:
        sizes = f"{counted(len(self.data), 'sample')}, {counted(len(self.theta), 'parameter')}"
        title = f"FitResult: {self.ending}, loss {self.loss:.6g} ({sizes})"
        shown = [
            f"{name} = {value:.6g}" + ("" if math.isnan(d) else f" +- {d:.3g}")
            for name, value, d in self._estimates()[:MOST_NAMES]
        ]
        rows = [("parameters", listed([*shown, *self.names[len(shown) :]]))]
        gone = self.data.targets.size - self.data.size
        rows += [
            ("not determined", listed(self.undetermined)),
            ("no effect along", listed(self.directions)),
            ("held by bounds", listed(self.held)),
            ("fixed", listed(self.fixed)),
            ("missing", f"{gone:,} of {self.data.targets.size:,} values" if gone else "none"),
        ]
        return Facts(title, tuple(row for row in rows if row[1] != "none"))

    @property
    def ending(self) -> str:
        """How the search ended, after what the data do not tell where there is such."""
        if not self.is_determined:
            return f"not determined by the data ({self.outcome.value})"
        if self.uncertainty is not None and not math.isfinite(self.dispersion):
            return f"no data left over to tell the noise from ({self.outcome.value})"
        return self.outcome.value

    def _estimates(self) -> list[tuple[str, float, float]]:
        """Names, values, and deviations, which are NaN where they are too many to compute."""
        known = self.uncertainty is not None
        deviations = self.deviations if known else np.full(len(self.theta), np.nan)
        return [*zip(self.names, self.theta.tolist(), deviations.tolist(), strict=True)]

    def table(self) -> str:
        """The outcome, and every parameter with its deviation, a line each."""
        return "\n".join([
            f"{self.ending}; loss {self.loss:.10g}, {self.evaluations} evaluations",
            *(f"  {name} = {value:.10g} +- {d:.3g}" for name, value, d in self._estimates()),
        ])  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
