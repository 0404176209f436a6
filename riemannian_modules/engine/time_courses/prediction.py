"""What a fitted model says of a quantity over time, and how surely.

Source: Seber and Wild (1989), Nonlinear Regression, section 5.1: the estimate's covariance, pushed
forward by the prediction's derivative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import did_you_mean, number_array, text
from riemannian_modules.engine.prediction import checked_level
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.experiments import Experiment, SteadyState
from riemannian_modules.engine.time_courses.formulas import Formulas
from riemannian_modules.engine.time_courses.information import Information
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.engine.time_courses.named_units import NamedUnits
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.problem import mean_formula, named_values
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Facts, Shown, cut
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoursePrediction(Shown):
    """A quantity over time with the band in which its mean lies.

    Attributes:
        of: Its name or formula.
        experiment: The setting's name.
        times: (T,).
        mean: (T,).
        deviation: Standard deviation of the mean, from the parameters', (T,); infinite where the
            data leave it open.
        lower: The band's lower side, (T,).
        upper: Its upper side, (T,).
        level: With which probability the mean lies between them at each time.
        unit: Of the quantity; empty where it is not said.
        time_unit: Of the times, likewise.
    """

    of: str
    experiment: str
    times: Array
    mean: Array
    deviation: Array
    lower: Array
    upper: Array
    level: float
    unit: str = ""
    time_unit: str = ""

    def plot(self) -> Figure:
        """Draw the mean and its band over time."""
        from riemannian_modules.engine.time_courses.course_plot import labelled, plot_prediction

        return plot_prediction(
            (labelled("time", self.time_unit),
             labelled(f"{self.of} in {self.experiment!r}", self.unit)),
            self.times, self.mean, self.lower, self.upper, self.level,
        )  # fmt: skip

    @override
    def facts(self) -> Facts:
        widest = float(np.max(self.deviation, initial=0.0))
        span = f"from {self.times.min():.6g} to {self.times.max():.6g}"
        rows = (("deviation", f"at most {widest:.3g}"), ("band", f"{self.level:g} at each time"))
        return Facts(f"CoursePrediction of {cut(self.of, 80)} in {self.experiment!r} {span}", rows)


def predicted(
    problem: CourseProblem,
    known: Information,
    of: str,
    times: ArrayLike,
    experiment: str | Experiment | None,
    level: float,
) -> CoursePrediction:
    """Arguments as of `CourseFit.predict`.

    Raises:
        SignatureError: For an unknown experiment, and times that are not finite (T,).
        DomainError: For times before the start.
    """
    where = f"predict({text('predict: of', of)!r})"
    units = NamedUnits(problem.flow, problem.observables, problem.units)
    t = number_array(f"{where}: times", units.moment(f"{where}: times", times))
    if t.ndim != 1 or not len(t) or not np.isfinite(t).all():
        raise SignatureError(f"{where}: expected finite times (T,), got shape {t.shape}.")
    checked_level(where, level)
    model = problem.model
    if isinstance(experiment, Experiment):
        new = units.experiment(experiment)
        _require_setting(where, problem, new)
        model = model.with_experiment(new, t)
        e = len(model.settings) - 1
    else:
        names = [one.name for one in problem.experiments]
        name = names[0] if experiment is None else experiment
        if name not in names:
            raise SignatureError(
                f"{where}: there is no experiment {name!r}{did_you_mean([str(name)], names)}; "
                f"known are: {', '.join(names)}. Or give a new one, made by experiment(...)."
            )
        e = names.index(name)
    one = model.settings[e].experiment
    if (t < one.start).any():
        raise DomainError(
            f"{where}: expected times from the start at {one.start:g} on, got {t.min():g}."
        )
    shown = problem.observables.get(of, of)
    shown = Observable(shown) if isinstance(shown, str) else shown
    readout = Formulas(
        where, {of: f"{shown.transformation.function}({mean_formula(shown)})"},
        model.spaces.parameters, model.spaces.changing,
    )  # fmt: skip
    if isinstance(experiment, Experiment):
        _require_known(where, problem, model, readout)
    grid, order = np.unique(np.concatenate([[one.start], t]), return_inverse=True)
    values, slopes = model.read_slopes(e, model.table.values, grid, readout)
    mean, slopes = values[order[1:], 0], slopes[order[1:], 0]
    with np.errstate(invalid="ignore"):
        variances = known.variances(slopes)
    # Zero has no place on a logarithm; it is what the model gives there, whatever the parameters.
    deviation = np.sqrt(np.where(np.isfinite(mean), variances, 0.0))
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + 0.5 * level)) * deviation
    scale = shown.transformation
    natural = scale.back(mean)
    with np.errstate(over="ignore", invalid="ignore"):
        lower, upper = scale.back(mean - reach), scale.back(mean + reach)
        spread = np.where(np.isinf(deviation), math.inf, deviation * scale.slope(natural))
    return CoursePrediction(
        of, one.name, t, natural, spread, lower, upper, float(level), units.of(of), units.time
    )


def _require_setting(where: str, problem: CourseProblem, new: Experiment) -> None:
    """Refuse a new experiment with unknowns, of which no data tell, or a rest that is nowhere."""
    names = [one.name for one in problem.experiments]
    if new.own:
        raise SignatureError(
            f"{where}: experiment {new.name!r} has unknowns of its own ({', '.join(new.own)}), of "
            "which no data tell. Set them by theta, or predict in an experiment that was fitted."
        )
    if isinstance(new.x0, SteadyState) and new.x0.of not in names:
        raise SignatureError(
            f"{where}: experiment {new.name!r}: its initial state is that of rest in "
            f"{new.x0.of!r}{did_you_mean([new.x0.of], names)}; experiments are: "
            f"{', '.join(names)}."
        )


def _require_known(
    where: str, problem: CourseProblem, model: CourseModel, readout: Formulas
) -> None:
    """Refuse a new experiment that needs what each fitted one had for itself."""
    is_read = model.settings[-1].reads | readout.read_parameters.any(axis=0)
    owned = {name for one in problem.experiments for name in one.own}
    known = named_values(problem.fixed)
    for i, name in enumerate(model.table.names[: len(is_read)]):
        if is_read[i] and name in owned and not model.table.is_free[i] and name not in known:
            raise SignatureError(
                f"{where}: {name!r} was fitted for each experiment of its own, so that a new one "
                f"has no value of it. Set it by theta={{{name!r}: ...}}, or predict in one of: "
                f"{', '.join(one.name for one in problem.experiments)}."
            )
