"""Fits a module's parameters to data by Riemannian descent with the propagated metric.

Sources: Pehle and Slotine (2026), arXiv:2603.03610 (the metric); Transtrum and Sethna (2012),
arXiv:1201.5885 (how descents lose their way, and what keeps them on it).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import brief, require, require_mapping
from riemannian_modules.engine.assessment import assess
from riemannian_modules.engine.dataset import Dataset, check_fits, dataset
from riemannian_modules.engine.descend import Descent, Iteration, Outcome, Watch
from riemannian_modules.engine.descent_step import Bounds, Method
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.linear_parameters import linear_parameters
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Coupling, Joint, Objective
from riemannian_modules.engine.progress import Progress, TerminalProgress
from riemannian_modules.engine.schedule import FullBatch, Schedule
from riemannian_modules.engine.separation import separating
from riemannian_modules.engine.solve_plan import Way
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.space import Array

Side = ArrayLike | None
_DOUBTFUL = (
    10.0  # standard deviations of this many times the parameter: it may have left for infinity
)


def fit(
    module: RiemannianModule,
    data: Mapping[str, ArrayLike] | Dataset,
    loss: Loss | None = None,
    bounds: Mapping[str, tuple[Side, Side]] | None = None,
    schedule: Schedule | None = None,
    coupling: Coupling | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Find the parameters at which the module's outputs fit the data best.

    Starts from the module's own parameters. Where the first descent ends in doubt (it has not
    converged, or a parameter has lost its effect), others with another scaling follow, and the
    best is returned. Ctrl-C returns the best so far, marked as interrupted, if there is one yet.
    Each iteration evaluates the map over all samples twice and its derivative once; what a
    step costs beside that stands with the coupling.

    Args:
        module: A module or composite without state.
        data: For each input and output an array of B samples by name, (B, *shape); or a `Dataset`
            from `dataset` or `paired_dataset`.
        loss: What is minimised; the squared loss where none is given.
        bounds: By parameter name the lower and the upper side, each a number, an array of the
            parameter's shape, or None.
        schedule: `FullBatch` (the default) or `MiniBatches`.
        coupling: `Joint` (the default), solved for in whichever way costs least, or `Layerwise`.
        progress: `TerminalProgress` (the default) or `NoProgress`.

    Returns:
        The fitted module in a `FitResult`: how the search ended, the loss, deviations and history.

    Raises:
        UnsupportedError: If the module has a state; make it a flow map first.
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
    ):
        require(where, given, (kind, NoneType), expected)
    loss = SquaredLoss() if loss is None else loss
    objective = _objective(where, module, data, loss, coupling)
    box = _bounds(where, module, bounds)
    schedule = FullBatch() if schedule is None else schedule
    history: list[Iteration] = []
    with (TerminalProgress() if progress is None else progress).watching(where) as shown:

        def watch(line: Iteration) -> None:
            history.append(line)
            shown(line)

        # Trial steps may overflow; they are refused for it.
        with np.errstate(all="ignore"):
            descent = _best(objective, module.theta, box, schedule, watch)
    if descent.place is None:
        raise DomainError(
            f"{where}: the loss or its derivative is not finite at the start {module.theta}. "
            "Start from parameters at which the map is defined for all samples."
        )
    return _result(objective, descent, box, history, time.perf_counter() - clock)


def _objective(
    where: str,
    module: RiemannianModule,
    data: Mapping[str, ArrayLike] | Dataset,
    loss: Loss,
    coupling: Coupling | None,
) -> Objective:
    require(where, module, RiemannianModule, "a module")
    s = module.signature
    if s.time is not Time.STATIC or s.state.size:
        raise UnsupportedError(
            f"{where}: fits maps without state, but this module is {s.time.value} with the state "
            f"{s.state.describe()}. Make it a flow map over the time between samples first."
        )
    if not s.parameters.size:
        raise SignatureError(f"{where}: the module has no parameters to fit.")
    samples = data if isinstance(data, Dataset) else dataset(module, data, f"{where}: data")
    check_fits(module, samples, f"{where}: data")
    loss.check(f"{where}: data", samples.targets)
    return Objective(module, samples, loss, Joint() if coupling is None else coupling)


def _bounds(
    where: str, module: RiemannianModule, bounds: Mapping[str, tuple[Side, Side]] | None
) -> Bounds:
    space = module.signature.parameters
    sides = (np.full(space.size, -np.inf), np.full(space.size, np.inf))
    require_mapping(f"{where}: bounds", {} if bounds is None else bounds, "pairs by name")
    space.check_names(bounds or {}, f"{where}: bounds")
    for name, pair in (bounds or {}).items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise SignatureError(f"{where}: bounds of {name!r} need a lower and an upper side.")
        for side, value in zip(sides, pair, strict=True):
            if value is not None:
                place, given = space.laid(name, value, f"{where}: bounds of {name!r}")
                if given.ndim != 1 or np.isnan(given).any():
                    raise SignatureError(
                        f"{where}: bounds of {name!r} expect one number for each entry, got "
                        f"{brief(value)} of shape {given.shape}."
                    )
                side[place] = given
    box, theta = Bounds(*sides), module.theta
    outside = (theta < box.lower) | (theta > box.upper) | (box.lower > box.upper)
    if outside.any():
        names = [name for name, out in zip(space.coordinates, outside, strict=True) if out]
        raise DomainError(
            f"{where}: expected a start inside the bounds, but {names[:8]} lie outside (or their "
            "lower side is above their upper one). Give the module other parameters or widen "
            "the bounds."
        )
    return box


def _best(
    objective: Objective, start: Array, box: Bounds, schedule: Schedule, watch: Watch
) -> Descent:
    """The first descent that ends without doubt, or the best of all."""
    best: Descent | None = None
    try:
        for method in _methods(objective, box):
            found = schedule.descend(objective, start, box, method, watch)
            if best is None or _is_better(found, best):
                best = found
            if found.outcome is Outcome.INTERRUPTED:
                raise KeyboardInterrupt
            if not schedule.can_retry() or not _is_doubtful(objective, start, found, box):
                return best
            if found.place is not None and separating(objective, found.place, box) is not None:
                return Descent(found.place, Outcome.DIVERGES)
    except KeyboardInterrupt:
        if best is None or best.place is None:
            raise  # before there was anything to keep
        return Descent(best.place, Outcome.INTERRUPTED)
    assert best is not None
    return best


def _methods(objective: Objective, box: Bounds) -> Iterator[Method]:
    if objective.plan.way is not Way.PRIMAL:
        # Of many parameters each bends little; other ways cost as much again. One effect on average
        # is where their damping starts, since few of the directions are curved.
        yield Method(memory=0.0, curvature=None, damping=1.0)
        return
    yield Method(memory=0.9, curvature=0.75)
    # Finding linear parameters takes symbolic derivatives, so it is done where it is needed alone.
    unbounded = np.isinf(box.lower) & np.isinf(box.upper)
    linear = tuple(i for i in linear_parameters(objective.module) if unbounded[i])
    if linear:
        yield Method(memory=0.0, curvature=None, linear=linear)
    yield Method(memory=0.0, curvature=0.75, patience=2)


def _is_better(new: Descent, old: Descent) -> bool:
    if new.place is None or old.place is None:
        return old.place is None
    # Where both found the same minimum, the first keeps the labels of parameters that can change
    # places, such as the rates of a sum of exponentials.
    slack = 1e-9 * abs(old.place.trial.value)
    return new.place.trial.value < old.place.trial.value - slack


def _is_doubtful(objective: Objective, start: Array, found: Descent, box: Bounds) -> bool:
    if found.place is None or not found.outcome.is_settled:
        return True
    known = assess(objective, found.place, box).uncertainty
    if known is None:
        return False
    deviations = np.sqrt(np.diagonal(known.covariance))
    # A parameter whose true value is zero is no larger than its deviation, but both are small
    # beside where it began.
    far = deviations > _DOUBTFUL * np.maximum(np.abs(found.place.trial.theta), np.abs(start))
    return bool(far[deviations > 0.0].any())


def _result(
    objective: Objective, found: Descent, box: Bounds, history: list[Iteration], seconds: float
) -> FitResult:
    assert found.place is not None
    module, trial = objective.module, found.place.trial
    judged = assess(objective, found.place, box)
    uncertainty = judged.uncertainty
    if found.outcome is Outcome.DIVERGES and uncertainty is not None:
        along = separating(objective, found.place, box)
        uncertainty = uncertainty if along is None else uncertainty.without(along)
    names = module.signature.parameters.coordinates
    return FitResult(
        module=module.with_parameters(trial.theta),
        outcome=found.outcome,
        loss=trial.value * len(objective.data),
        residual_sum=judged.residual_sum,
        freedom=objective.data.targets.size - int(judged.free.sum()),
        held=tuple(name for name, moves in zip(names, judged.free, strict=True) if not moves),
        history=tuple(history),
        evaluations=objective.count.values,
        derivatives=objective.count.derivatives,
        seconds=seconds,
        data=objective.data,
        uncertainty=uncertainty,
        criterion=objective.loss,
    )
