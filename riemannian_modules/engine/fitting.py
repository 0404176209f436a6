"""Fits a module's parameters to data by Riemannian descent with the propagated metric.

Sources: Pehle and Slotine (2026), arXiv:2603.03610 (the metric); Transtrum and Sethna (2012),
arXiv:1201.5885 (how descents lose their way, and what keeps them on it).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import brief, require
from riemannian_modules.engine.assessment import assess
from riemannian_modules.engine.datasets import Dataset, check_fits, dataset
from riemannian_modules.engine.descend import Descent, Iteration, Outcome, Watcher
from riemannian_modules.engine.descent_step import Bounds, DescentMethod
from riemannian_modules.engine.fit_problem import FitProblem, box_of, objective_of, pulls_of
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.linear_parameters import linear_parameters
from riemannian_modules.engine.loss import Loss, ResidualLoss
from riemannian_modules.engine.losses import NaturalLoss, SquaredLoss
from riemannian_modules.engine.measurement import (
    ByOutput,
    Missing,
    checked_weights,
    weights_of,
)
from riemannian_modules.engine.objective import Count, Coupling, Joint, Objective
from riemannian_modules.engine.parameter_box import (
    BoundsByName,
    Fixed,
    bounded,
    check_inside,
    fixed_values,
    priors_by_entry,
)
from riemannian_modules.engine.priors import Prior
from riemannian_modules.engine.progress import Progress, TerminalProgress
from riemannian_modules.engine.robust_losses import RobustLoss, StudentLoss
from riemannian_modules.engine.schedule import FullBatch, Schedule
from riemannian_modules.engine.separation import separating
from riemannian_modules.engine.solve_plan import Way
from riemannian_modules.engine.stopping import Callback, Stopping, Tolerances
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spaces import Array

_LEAST_SQUARES, _ALL_AT_ONCE, _JOINT, _EXACT = SquaredLoss(), FullBatch(), Joint(), Tolerances()
_FAR = 10.0  # standard deviations of so many times a parameter: it may have left for infinity


def fit(  # noqa: PLR0913 - each is known by this name to users of curve_fit, lmfit or PEtab
    module: RiemannianModule,
    data: Mapping[str, ArrayLike] | Dataset,
    loss: Loss | None = None,
    bounds: BoundsByName | None = None,
    schedule: Schedule | None = None,
    coupling: Coupling | None = None,
    progress: Progress | None = None,
    *,
    sigma: ByOutput | None = None,
    absolute: bool = False,
    weights: ByOutput | None = None,
    missing: Missing = None,
    fixed: Fixed | None = None,
    prior: Prior | Mapping[str, Prior] | None = None,
    tolerances: Tolerances | None = None,
    callback: Callback | None = None,
) -> FitResult:
    """Find the parameters at which the module's outputs fit the data best.

    One descent from the module's own parameters; where it has found no minimum, another, in which
    linear parameters are eliminated. Ctrl-C returns the best so far, marked as interrupted, if
    there is one yet. Each iteration evaluates the map over all samples once (twice where it bends)
    and its derivative once; what a step costs beside that stands with the coupling.

    A prior is weighed against the data by sigma, which is 1 where none is given; it adds a row to
    the metric for each parameter that it speaks of.

    Args:
        module: A module or composite without state.
        data: For each input and output an array of B samples by name, (B, *shape); or a `Dataset`
            from `dataset` or `paired_dataset`.
        loss: What is minimised; the squared loss where none is given. `HuberLoss`, `SoftL1Loss`,
            `CauchyLoss` and `StudentLoss` bear outliers.
        bounds: By parameter name the lower and the upper side, each a number, an array of the
            parameter's shape, or None.
        schedule: `FullBatch` (the default) or `MiniBatches`.
        coupling: `Joint` (the default), solved for in whichever way costs least, or `Layerwise`.
        progress: `TerminalProgress` (the default) or `NoProgress`.
        sigma: Standard deviations of the measurements, in the outputs' units: by output's name a
            number or an array (B,), or an array (B, q). Residuals are divided by them.
        absolute: curve_fit's `absolute_sigma`. True: sigma (1 where none is given) is the noise
            itself. False: sigma says how measurements compare, and the size of the noise is
            estimated from the residuals, which scales the covariance.
        weights: What squares, or terms of a likelihood, are multiplied with, as in statsmodels and
            R: ``1 / sigma^2``, in the same forms as sigma. (lmfit's multiply residuals: give
            ``sigma=1 / weights``.) A weight of 0 leaves a measurement out.
        missing: Names of outputs in which NaN means that nothing was measured, as ``"y z"``; or
            arrays of booleans by name, true where nothing was. Other NaN are refused.
        fixed: Names of parameters, or of entries such as ``"W[0,1]"``, that keep their values, as
            ``"k n"``; or values by name, as ``{"k": 1.0}``.
        prior: By name of a parameter or an entry, a `NormalPrior`, `LogNormalPrior`,
            `UniformPrior` or `LaplacePrior`; or one for all, as ``ridge(0.1)``.
        tolerances: When to stop early; as accurate as floating point allows where none are given.
        callback: Called with each `Iteration`; the fit stops where it returns True.

    Returns:
        The fitted module in a `FitResult`: how the search ended, the loss, deviations and history.

    Raises:
        UnsupportedError: If the module has a state; make it a flow map first. If the loss knows its
            own noise and sigma or `absolute` is given.
        SignatureError: For wrong names or shapes, no samples, or no parameters.
        DomainError: For NaN or infinite data, targets that the loss does not know, a start outside
            the bounds, or a map that is undefined at the start.
    """
    clock, where = time.perf_counter(), f"fit({type(module).__name__})"
    for given, kind, expected in (
        (loss, Loss, "a loss such as SquaredLoss()"),
        (schedule, Schedule, "a schedule such as FullBatch()"),
        (coupling, Coupling, "a coupling: Joint() or Layerwise()"),
        (progress, Progress, "TerminalProgress() or NoProgress()"),
        (tolerances, Tolerances, "tolerances such as Tolerances(loss=1e-6)"),
        (absolute, (bool, np.bool_), "absolute=True or absolute=False"),
    ):
        kinds = kind if isinstance(kind, tuple) else (kind, NoneType)
        require(where, given, kinds, expected)
    if callback is not None and not callable(callback):
        raise SignatureError(
            f"{where}: callback: expected a function of an Iteration, got {brief(callback)}."
        )
    loss = _LEAST_SQUARES if loss is None else loss
    samples = _samples(where, module, data, loss, (sigma, weights, missing))
    problem = _problem(where, module, samples, loss, bounds, fixed, prior, absolute)
    coupling = _JOINT if coupling is None else coupling
    history: list[Iteration] = []
    tolerances = _EXACT if tolerances is None else tolerances
    stopping = Stopping(tolerances, callback)
    with (TerminalProgress() if progress is None else progress).watching(where) as shown:

        def watch(line: Iteration) -> None:
            history.append(line)
            shown(line)
            stopping.look(line)

        # Trial steps may overflow; they are refused for it.
        with np.errstate(all="ignore"):
            objective, box, descent = _search(
                problem,
                _ALL_AT_ONCE if schedule is None else schedule,
                coupling,
                DescentMethod(offset=tolerances.offset),
                watch,
            )
    if descent.place is None:
        raise DomainError(
            f"{where}: the loss or its derivative is not finite at the start "
            f"{problem.module.theta}. Start from parameters at which the map is defined for all "
            "samples, and which their priors allow."
        )
    if stopping.outcome is not None and descent.outcome is Outcome.INTERRUPTED:
        descent = Descent(descent.place, stopping.outcome)
    return _result(problem, objective, descent, box, history, time.perf_counter() - clock)


def _samples(
    where: str,
    module: RiemannianModule,
    data: Mapping[str, ArrayLike] | Dataset,
    loss: Loss,
    said: tuple[ByOutput | None, ByOutput | None, Missing],
) -> Dataset:
    """The samples with what is said of their errors, weights and missing values."""
    require(where, module, RiemannianModule, "a module")
    s, (sigma, weights, missing) = module.signature, said
    if s.time is not Time.STATIC or s.state.size:
        raise UnsupportedError(
            f"{where}: fits maps without state, but this module is {s.time.value} with the state "
            f"{s.state.describe()}. Make it a flow map over the time between samples first."
        )
    if not s.parameters.size:
        raise SignatureError(f"{where}: the module has no parameters to fit.")
    if not isinstance(data, Dataset):
        data = dataset(module, data, f"{where}: data", missing)
    elif missing is not None:
        raise SignatureError(
            f"{where}: missing: a Dataset says itself what is missing; give `missing` to dataset() "
            "or paired_dataset()."
        )
    check_fits(module, data, f"{where}: data")
    if sigma is not None and not isinstance(loss, ResidualLoss):
        raise UnsupportedError(
            f"{where}: sigma: {type(loss).__name__} knows the noise of its own outcomes; give "
            "`weights` for outcomes that count several times."
        )
    given = weights_of(where, s.outputs, len(data), sigma, weights)
    if given is not None:
        given = checked_weights(where, s.outputs, given * data.weighing, data.measured)
        data = replace(data, weights=given)
    if not data.size:
        raise SignatureError(f"{where}: data: nothing was measured; expected at least one target.")
    _check_loss(where, loss, data)
    return data


def _check_loss(where: str, loss: Loss, data: Dataset) -> None:
    """Raise unless the loss speaks of the targets that were measured, with their weights."""
    if data.weights is not None and not isinstance(loss, ResidualLoss):
        # Losses of whole samples, as that of a category, weigh these alone.
        each = loss.terms(data.targets[:1], data.targets[:1]).shape[-1]
        if each < data.targets.shape[1] and (data.weights != data.weights[:, :1]).any():
            raise DomainError(
                f"{where}: {type(loss).__name__} weighs samples: expected equal weights of a "
                "sample's outputs, all of which are measured or none."
            )
    rows = data.counting
    loss.check(f"{where}: data", data.targets if rows is None else data.targets[rows])


def _problem(
    where: str,
    module: RiemannianModule,
    samples: Dataset,
    loss: Loss,
    bounds: BoundsByName | None,
    fixed: Fixed | None,
    prior: Prior | Mapping[str, Prior] | None,
    absolute: bool,  # noqa: FBT001 - as it was given
) -> FitProblem:
    space = module.signature.parameters
    knows = isinstance(loss, (SquaredLoss, NaturalLoss, StudentLoss))
    if absolute and not knows and isinstance(loss, ResidualLoss):
        why = "takes it from the spread" if isinstance(loss, RobustLoss) else "estimates the noise"
        raise UnsupportedError(
            f"{where}: absolute: {type(loss).__name__} {why} of the residuals. Leave `absolute` "
            "out, or use SquaredLoss or StudentLoss, whose noise is known."
        )
    start, is_fixed = module, np.zeros(space.size, dtype=bool)
    if fixed is not None:
        values = fixed_values(where, space, fixed, module.theta)
        is_fixed = np.isfinite(values)
        if is_fixed.all():
            raise SignatureError(f"{where}: fixed: no parameter is left to fit; leave some out.")
        start = module.with_parameters(np.where(is_fixed, values, module.theta))
    box, priors = bounded(where, space, bounds), priors_by_entry(where, space, prior)
    for i, known in priors.items():
        box.lower[i] = max(box.lower[i], known.support[0])
        box.upper[i] = min(box.upper[i], known.support[1])
    if bounds or priors:
        check_inside(where, space, box, start.theta)
    box.lower[is_fixed] = box.upper[is_fixed] = start.theta[is_fixed]
    return FitProblem(start, samples, loss, priors, box.lower, box.upper, is_fixed, absolute)


def _search(
    problem: FitProblem,
    schedule: Schedule,
    coupling: Coupling,
    method: DescentMethod,
    watch: Watcher,
) -> tuple[Objective, Bounds, Descent]:
    """The best descent; linear priors change their side until none is better on the other."""
    start, count = problem.module.theta, Count()
    pulls = pulls_of(problem, start)
    while True:
        objective, box = objective_of(problem, pulls, coupling, count), box_of(problem, pulls)
        descent = _best(objective, start, box, schedule, method, watch)
        if not len(pulls.places) or descent.place is None or not descent.outcome.is_settled:
            return objective, box, descent
        gradient = descent.place.model.gradient * len(objective.data)
        turned = pulls.turned(descent.place.trial.theta, gradient)
        # A side is left for a lower loss alone, so this ends.
        if (turned.side == pulls.side).all():
            return objective, box, descent
        pulls, start = turned, descent.place.trial.theta


def _best(
    objective: Objective, start: Array, box: Bounds, schedule: Schedule, method: DescentMethod,
    watch: Watcher,
) -> Descent:  # fmt: skip
    """Where the descent ends, or the better of two where the first one has not settled."""
    found = schedule.descend(objective, start, box, method, watch)
    if found.outcome is Outcome.INTERRUPTED and found.place is None:
        raise KeyboardInterrupt  # before there was anything to keep
    if found.place is None or found.outcome is Outcome.INTERRUPTED or not schedule.can_retry():
        return found
    try:
        is_doubtful = _is_doubtful(objective, start, found, box)
        if is_doubtful and separating(objective, found.place, box) is not None:
            return Descent(found.place, Outcome.DIVERGES)
        if not found.outcome.is_settled:
            return _second(objective, start, box, schedule, method, watch, found)
    except KeyboardInterrupt:
        return Descent(found.place, Outcome.INTERRUPTED)
    return found


def _second(
    objective: Objective, start: Array, box: Bounds, schedule: Schedule, method: DescentMethod,
    watch: Watcher, old: Descent,
) -> Descent:  # fmt: skip
    """Another descent in which parameters that enter linearly are always at their best."""
    if objective.plan.way is not Way.PRIMAL:
        return old  # of many parameters each bends little; another way costs as much again
    # Finding linear parameters takes symbolic derivatives, so it is done where it is needed alone.
    unbounded = np.isinf(box.lower) & np.isinf(box.upper)
    linear = tuple(i for i in linear_parameters(objective.module) if unbounded[i])
    if not linear:
        return old
    new = schedule.descend(objective, start, box, replace(method, linear=linear), watch)
    assert old.place is not None
    if new.place is None or new.place.trial.value >= old.place.trial.value:
        return Descent(old.place, new.outcome) if new.outcome is Outcome.INTERRUPTED else old
    return new


def _is_doubtful(objective: Objective, start: Array, found: Descent, box: Bounds) -> bool:
    """Whether a likelihood's parameters may have left for infinity, where it has no minimum."""
    is_likelihood = isinstance(objective.loss, NaturalLoss) and objective.prior is None
    if found.place is None or not is_likelihood:
        return False
    known = assess(objective, found.place, box).uncertainty
    if known is None or not found.outcome.is_settled:
        return True
    deviations = np.sqrt(np.diagonal(known.covariance))
    # A parameter whose true value is zero is no larger than its deviation, but both are small
    # beside where it began.
    far = deviations > _FAR * np.maximum(np.abs(found.place.trial.theta), np.abs(start))
    return bool(far[deviations > 0.0].any())


def _result(
    problem: FitProblem, objective: Objective, found: Descent, box: Bounds,
    history: list[Iteration], seconds: float,
) -> FitResult:  # fmt: skip
    assert found.place is not None
    trial = found.place.trial
    judged = assess(objective, found.place, box)
    uncertainty = judged.uncertainty
    if found.outcome is Outcome.DIVERGES and uncertainty is not None:
        along = separating(objective, found.place, box)
        uncertainty = uncertainty if along is None else uncertainty.without(along)
    names = problem.module.signature.parameters.coordinates
    held = ~judged.free & ~problem.fixed
    return FitResult(
        module=problem.module.with_parameters(trial.theta),
        outcome=found.outcome,
        loss=trial.value * len(objective.data),
        residual_sum=judged.residual_sum,
        freedom=judged.freedom,
        dispersion=judged.dispersion,
        held=tuple(name for name, is_held in zip(names, held, strict=True) if is_held),
        history=tuple(history),
        evaluations=objective.count.values,
        derivatives=objective.count.derivatives,
        seconds=seconds,
        problem=problem,
        uncertainty=uncertainty,
    )
