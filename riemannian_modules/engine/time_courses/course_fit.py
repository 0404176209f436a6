"""What a fit of time courses found, how well it is known, and what the model says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.profile import Profile
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.experiments import Experiment
from riemannian_modules.engine.time_courses.information import Information, information
from riemannian_modules.engine.time_courses.likelihood import MeasurementLoss
from riemannian_modules.engine.time_courses.panels import panels_of
from riemannian_modules.engine.time_courses.prediction import CoursePrediction, predicted
from riemannian_modules.engine.time_courses.profile import profiled
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.shown import MOST_NAMES, Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, eq=False, repr=False)
class CourseFit(Shown, Recomputed):
    """Parameters fitted to time courses.

    Attributes:
        problem: What was asked, at the parameters that were found.
        outcome: How the search ended; `Outcome.is_settled` for a minimum.
        history: Every iteration of every attempt.
        evaluations: Integrations of all experiments.
        derivatives: Integrations with sensitivities.
        seconds: Wall time.
    """

    problem: CourseProblem
    outcome: Outcome
    history: tuple[Iteration, ...]
    evaluations: int
    derivatives: int
    seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        """The estimated parameters' names, (F,)."""
        return self.problem.model.table.free_names

    @property
    def theta(self) -> Array:
        """Their values, (F,)."""
        table = self.problem.model.table
        return table.values[table.free]

    @property
    def parameters(self) -> Mapping[str, float]:
        """All parameters by name, known ones included."""
        table = self.problem.model.table
        return dict(zip(table.names, table.values.tolist(), strict=True))

    @property
    def module(self) -> RiemannianModule:
        """The flow with the parameters found, those of experiments' own left aside."""
        flow, values = self.problem.flow, self.problem.model.table.values
        return flow.with_parameters(values[: flow.signature.parameters.size])

    @cached_property
    def information(self) -> Information:
        """What the data say of the parameters: Fisher's metric, its inverse, null directions."""
        return information(self.problem.model)

    @property
    def covariance(self) -> Array:
        """Of the estimate, (F, F): infinite for parameters that the data do not determine."""
        slopes = self._slopes
        with np.errstate(invalid="ignore"):
            covariance = self.information.covariance * np.outer(slopes, slopes)
        return np.where(np.isnan(covariance), 0.0, covariance)

    @property
    def deviations(self) -> Array:
        """Standard deviations of the parameters, (F,), to first order on their scales."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def correlations(self) -> Array:
        """Of the estimates on their scales, (F, F); zero for those that are not determined."""
        C = np.where(np.isfinite(self.information.covariance), self.information.covariance, 0.0)
        size = np.sqrt(np.diagonal(C))
        size[size == 0.0] = np.inf
        return C / np.outer(size, size) + np.diag(np.where(np.isinf(size), 1.0, 0.0))

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of parameters that the data leave free to move."""
        return tuple(self.names[i] for i in self.information.undetermined)

    @property
    def null_directions(self) -> tuple[Mapping[str, float], ...]:
        """Ways in which parameters can move together without any effect on the measurements.

        Each gives the relative rates, by parameter: ``{"a": 1, "b": -1}`` where only ``a b``
        counts (changes relative to their values, for those on the linear scale as well).
        """
        table = self.problem.model.table
        relative = table.slopes(table.values) / np.where(self.theta != 0, self.theta, 1.0)
        found: list[Mapping[str, float]] = []
        for direction in self.information.null.T:
            moves = direction * relative
            moves = moves / moves[np.abs(moves).argmax()]
            found.append({n: float(v) for n, v in zip(self.names, moves, strict=True)
                          if abs(v) > 1e-4})  # fmt: skip
        return tuple(found)

    @property
    def held(self) -> tuple[str, ...]:
        """Names of parameters that a bound holds; they count as known."""
        return tuple(n for n, free in zip(self.names, self.information.free, strict=True)
                     if not free)  # fmt: skip

    @cached_property
    def log_likelihood(self) -> float:
        """The logarithm of the density of all measured values, constants included."""
        model = self.problem.model
        rows, loss = model.rows, MeasurementLoss()
        found = model.predicted(model.table.scaled(model.table.values))
        return -loss.value(found, rows.targets) + rows.log_slope

    @property
    def minus_two_log_likelihood(self) -> float:
        """``-2 log L``, whose differences are compared with chi squared."""
        return -2.0 * self.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``-2 log L + 2 F``."""
        return self.minus_two_log_likelihood + 2.0 * len(self.names)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``-2 log L + F log N`` for N measured values."""
        return self.minus_two_log_likelihood + len(self.names) * math.log(self.problem.count)

    def predict(
        self,
        of: str,
        times: ArrayLike,
        experiment: str | Experiment | None = None,
        *,
        level: float = 0.95,
    ) -> CoursePrediction:
        """What the model says of a quantity over time, measured or not, with a band of confidence.

        Args:
            of: An observable, a state, an output, or a formula of those and parameters.
            times: (T,), from the experiment's start on.
            experiment: The setting: the name of one, or a new one; the first where None.
            level: With which probability the mean lies in the band at each time, to first order.

        Raises:
            SignatureError: For unknown names, or a formula that cannot be read.
            DomainError: For times before the start.
            ConvergenceError: If the integration stops early.
        """
        return predicted(self.problem, self.information, of, times, experiment, level)

    def profile(self, name: str, *, level: float = 0.95) -> Profile:
        """The profile likelihood of a parameter, with its interval of confidence.

        Each point is a fit of all other parameters.

        Args:
            name: Of an estimated parameter.
            level: With which probability the interval holds the true value.

        Raises:
            SignatureError: For an unknown or known parameter.
        """
        return profiled(self.problem, self.information, name, level)

    @property
    def residuals(self) -> Array:
        """Measured minus predicted over sigma, on the observables' scales, (N,)."""
        model = self.problem.model
        found = model.predicted(model.table.scaled(model.table.values))
        return (model.rows.targets[:, 0] - found[:, 0]) * np.exp(-found[:, 1])

    def plot(self) -> Figure:
        """Draw each observable of each experiment: data with their errors, the model, its band."""
        from riemannian_modules.engine.time_courses.course_plot import plot_panels

        return plot_panels(panels_of(self.problem, self.information))

    def summary(self) -> dict[str, Any]:
        """All but data and history, as JSON's types; numbers that are not finite as null."""
        return {
            "outcome": self.outcome.value,
            "minus_two_log_likelihood": _number(self.minus_two_log_likelihood),
            "aic": _number(self.aic),
            "bic": _number(self.bic),
            "measured_values": self.problem.count,
            "experiments": [one.name for one in self.problem.experiments],
            "parameters": {
                name: {"value": _number(value), "deviation": _number(deviation)}
                for name, value, deviation in self._estimates()
            },
            "all_parameters": {n: _number(v) for n, v in self.parameters.items()},
            "held": list(self.held),
            "undetermined": list(self.undetermined),
            "null_directions": [dict(d) for d in self.null_directions],
            "correlations": [[_number(v) for v in row] for row in self.correlations],
            "iterations": len(self.history),
            "evaluations": self.evaluations,
            "derivatives": self.derivatives,
            "seconds": self.seconds,
        }

    def history_table(self) -> str:
        """The iterations as a CSV table."""
        names = [*Iteration.__dataclass_fields__]
        rows = [",".join(repr(getattr(line, name)) for name in names) for line in self.history]
        return "\n".join([",".join(names), *rows]) + "\n"

    def table(self) -> str:
        """The outcome, and every parameter with its deviation, a line each."""
        return "\n".join([
            f"{self.outcome.value}; -2 log L {self.minus_two_log_likelihood:.10g}, AIC "
            f"{self.aic:.10g}, BIC {self.bic:.10g}",
            *(f"  {name} = {value:.10g} +- {d:.3g}" for name, value, d in self._estimates()),
        ])  # fmt: skip

    @property
    def _slopes(self) -> Array:
        table = self.problem.model.table
        return table.slopes(table.values)

    @override
    def facts(self) -> Facts:
        sizes = (
            f"{counted(self.problem.count, 'value')} of "
            f"{counted(len(self.problem.experiments), 'experiment')}, "
            f"{counted(len(self.names), 'parameter')}"
        )
        value = f"-2 log L {self.minus_two_log_likelihood:.6g}"
        title = f"CourseFit: {self.outcome.value}, {value} ({sizes})"
        shown = [f"{n} = {v:.6g} +- {d:.3g}" for n, v, d in self._estimates()[:MOST_NAMES]]
        rows = [("parameters", listed([*shown, *self.names[len(shown) :]]))]
        if self.undetermined:
            rows.append(("not determined by the data", listed(self.undetermined)))
        if self.held:
            rows.append(("held by bounds", listed(self.held)))
        return Facts(title, tuple(rows))

    def _estimates(self) -> list[tuple[str, float, float]]:
        return [*zip(self.names, self.theta.tolist(), self.deviations.tolist(), strict=True)]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
