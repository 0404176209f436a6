"""A flow's parameters fitted to time courses of several experiments.

Sources: Raue et al. (2013), PLoS ONE 8, e74335 (exact sensitivities, estimated noise); Bock (1987),
Randwertproblemmethoden zur Parameteridentifizierung (Gauss-Newton on whole experiments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riemannian_modules.door import require
from riemannian_modules.engine.priors import Prior
from riemannian_modules.engine.progress import Progress
from riemannian_modules.engine.schedule import Schedule
from riemannian_modules.engine.time_courses.course_fit import CourseFit
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.descent import descent
from riemannian_modules.engine.time_courses.experiments import Experiment
from riemannian_modules.engine.time_courses.named_units import named_units
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.problem import WHERE, checked_experiments, named_values
from riemannian_modules.engine.time_courses.scale import Scale
from riemannian_modules.engine.time_courses.set_up import Sides
from riemannian_modules.engine.time_courses.table import read_experiments
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import RiemannianModule


def fit_trajectories(  # noqa: PLR0913 - named as users of `fit`, lmfit and PEtab know them
    flow: RiemannianModule,
    experiments: Any,
    observables: Mapping[str, str | Observable] | None = None,
    *,
    parameters: Mapping[str, float] | None = None,
    sigma: float | str | Mapping[str, float | str] | None = None,
    fixed: str | Sequence[str] | Mapping[str, float | None] | None = None,
    bounds: Mapping[str, Sides] | None = None,
    scales: Mapping[str, Scale] | None = None,
    prior: Mapping[str, Prior] | None = None,
    units: Mapping[str, str] | None = None,
    rtol: float = 1e-8,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> CourseFit:
    """Find the parameters at which a flow's time courses are most likely to give the data.

    The likelihood is that of `Observable`'s noise; sigmas that nobody gives are estimated with the
    rest. Sensitivities are exact, by the variational equations, integrated once an experiment for
    all parameters: O(n F) states for a flow of n states and F parameters. Ctrl-C returns the best
    so far, marked as interrupted.

    Args:
        flow: A module in continuous time, or a composite; its parameters are the starts.
        experiments: Made by `experiment`, one or several; or a table that `read_experiments` takes
            (a path, a DataFrame, columns by name).
        observables: What was measured, by the name that the data have for it: a formula of states,
            outputs, inputs, parameters and the time t, or an `Observable` with its noise. A state
            or an output may be named in the data as it is.
        parameters: Starts of further parameters, which formulas speak of.
        sigma: The errors' sizes where the data bring none: a number or a formula, for all
            observables or by name. A new name is an unknown; without one, each observable has its
            own, "sigma_NAME".
        fixed: Parameters that are not searched for: names, or values by name.
        bounds: By parameter the lower and the upper side, each a number or None. Parameters of an
            experiment's own, named "experiment.parameter", have those of the shared one.
        scales: By parameter `LogScale`, `Log10Scale` or `LinearScale`, on which it is searched:
            linear where not named, but for sigmas.
        prior: By parameter what is known of it before the data, such as `NormalPrior`.
        units: By name the unit of what has none of its own: the time "t", parameters, observables.
            States, outputs, inputs and a time port have those of their ports. With it, quantities
            of pint's may stand wherever numbers do, and are converted: seconds into minutes.
        rtol: Relative local error of states and sensitivities; the absolute one is a thousandth of
            it, times each state's largest value at the start.
        schedule: `FullBatch(max_iterations)`.
        progress: `TerminalProgress` (the default) or `NoProgress`.

    Returns:
        The parameters with their uncertainty, and what the model predicts with them.

    Raises:
        SignatureError: For unknown names, wrong shapes, formulas that cannot be read, no data,
            quantities of another dimension, or whose unit nobody said.
        DomainError: For numbers that are not finite, values without a logarithm, a start outside
            of the bounds, or one at which an experiment cannot be integrated.
    """
    require(WHERE, flow, RiemannianModule, "a module")
    is_made = isinstance(experiments, (Experiment, list, tuple))
    listed = checked_experiments(experiments if is_made else read_experiments(experiments))
    measured = tuple(series.observable for one in listed for series in one.series)
    unit = named_units(flow, observables, parameters, units, measured)
    problem = CourseProblem(
        flow,
        tuple(unit.experiment(one) for one in listed),
        unit.seen(),
        unit.each(f"{WHERE}: parameters", parameters),
        unit.errors(sigma),
        unit.each(f"{WHERE}: fixed", named_values(fixed)),
        unit.each(f"{WHERE}: bounds", bounds),
        scales or {},
        unit.each(f"{WHERE}: prior", prior),
        rtol,
        units=unit.said,
    )
    return descended(problem, schedule, progress)


def descended(
    problem: CourseProblem, schedule: Schedule | None, progress: Progress | None
) -> CourseFit:
    """The fit that a descent from the problem's parameters ends in.

    Raises:
        SignatureError: If no parameter is free.
    """
    table = problem.model.table
    if not len(table.free):
        raise SignatureError(f"{WHERE}: all parameters are fixed, so there is nothing to fit.")
    found = descent(problem.model, schedule, progress)
    return CourseFit(
        problem.placed(table.natural(found.theta)), found.outcome, found.history,
        found.evaluations, found.derivatives, found.seconds,
    )  # fmt: skip
