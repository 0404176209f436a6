"""The model of a fit of time courses: tables of parameters and measurements, starts from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.door import (
    did_you_mean,
    number,
    number_array,
    repeated,
    require,
    require_mapping,
)
from riemannian_modules.engine.delays import refuse_delays
from riemannian_modules.engine.priors import Prior
from riemannian_modules.engine.sampling import refuse_ticks
from riemannian_modules.engine.time_courses.course import TINY, first_precision, states
from riemannian_modules.engine.time_courses.experiments import Experiment
from riemannian_modules.engine.time_courses.model import CourseModel, MeasurementRows
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.engine.time_courses.precision import Precision
from riemannian_modules.engine.time_courses.prior_rows import PriorRows
from riemannian_modules.engine.time_courses.problem import (
    WHERE,
    check_plain,
    checked_experiments,
    checked_observables,
    named_values,
    readout_of,
    with_unknowns,
)
from riemannian_modules.engine.time_courses.quantities import Quantities
from riemannian_modules.engine.time_courses.scale import LinearScale, LogScale, Scale
from riemannian_modules.engine.time_courses.setting import Settings
from riemannian_modules.engine.time_courses.starts import started
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    SignatureError,
)
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spaces import Array

ABSOLUTE = 1e-3  # of the relative tolerance, times a state's largest value: the absolute one
Sides = tuple[float | None, float | None]


def set_up(  # noqa: PLR0913, PLR0917 - the arguments of `fit_trajectories`
    flow: RiemannianModule,
    experiments: Any,
    observables: Mapping[str, Any] | None,
    parameters: Mapping[str, float] | None,
    sigma: Any,
    fixed: Any,
    bounds: Mapping[str, Sides] | None,
    scales: Mapping[str, Scale] | None,
    prior: Mapping[str, Prior] | None,
    rtol: float,
) -> CourseModel:
    """Check all that describes a fit, and set up its model; arguments as of `fit_trajectories`.

    Raises:
        SignatureError: If the flow has no continuous time or no state.
        DomainError: If the tolerance is out of range.
    """
    require(WHERE, flow, RiemannianModule, "a module")
    s = flow.signature
    if s.time is not Time.CONTINUOUS or not s.state.size:
        raise SignatureError(
            f"{WHERE}: expected a module in continuous time with a state, got "
            f"{type(flow).__name__} in {s.time.value} time. Maps without state are fitted by `fit`."
        )
    refuse_ticks(WHERE, flow)
    refuse_delays(WHERE, flow)
    if not 1e-13 <= number(f"{WHERE}: rtol", rtol) < 0.1:
        raise DomainError(f"{WHERE}: expected rtol from 1e-13 to 0.1, got {rtol}.")
    done = checked_experiments(experiments)
    check_plain(done)
    further = {} if parameters is None else dict(parameters)
    require_mapping(f"{WHERE}: parameters", further, "starts by name")
    measured = checked_observables(Quantities(flow, tuple(further)), done, observables, sigma)
    plain = Quantities(flow, tuple(further))
    known = [*plain.changing.names, *plain.changing.coordinates, *plain.parameters.names]
    known += plain.parameters.coordinates
    measured, brought = with_unknowns(measured, done, known)
    quantities = Quantities(flow, (*further, *brought))
    readout = readout_of(quantities, measured)
    starts = {name: number(f"{WHERE}: parameters: {name!r}", v) for name, v in further.items()}
    local = np.concatenate([flow.theta, [*starts.values()], np.ones(len(brought))])
    table, shared = _table(quantities, done, local, brought, fixed, bounds, scales)
    priors = _by_name(table.names, shared, prior, "prior")
    table = _supported(table, priors)
    times = tuple(_times(one) for one in done)
    settings = tuple(
        Settings(f"{WHERE}: experiment {one.name!r}", quantities, one, table, e, t)
        for e, (one, t) in enumerate(zip(done, times, strict=True))
    )
    rows = _rows(done, times, measured)
    precision = Precision(rtol, np.full(s.state.size, TINY))
    pulls = _prior_rows(table, priors)
    model = CourseModel(flow, quantities, settings, times, readout, table, rows, pulls, precision)
    _refuse_early(done)
    model = replace(model, precision=Precision(rtol, _absolute(model, rtol)))
    found = started(model, measured, brought, len(local) - len(brought))
    return _checked_start(replace(model, table=replace(table, values=found)))


def _refuse_early(experiments: Sequence[Experiment]) -> None:
    for one in experiments:
        early = [d.time for d in one.doses if not isinstance(d.time, str) and d.time < one.start]
        if early:
            raise DomainError(
                f"{WHERE}: experiment {one.name!r}: a dose is given at {min(early):g}, before the "
                f"start at {one.start:g}. Give an earlier `start`, or the initial state after it."
            )


def _times(one: Experiment) -> Array:
    return np.unique(np.concatenate([[one.start], *(s.times for s in one.series)]))


def _table(
    quantities: Quantities,
    experiments: Sequence[Experiment],
    local: Array,
    brought: Mapping[str, str],
    fixed: Any,
    bounds: Mapping[str, Sides] | None,
    scales: Mapping[str, Scale] | None,
) -> tuple[ParameterTable, list[int]]:
    space = quantities.parameters
    names, values = [*space.coordinates], local.tolist()
    L, p = len(names), quantities.flow.signature.parameters.size
    places = np.tile(np.arange(L), (len(experiments), 1))
    kinds = [brought.get(name, "") for name in names]
    shared = list(range(L))  # of which shared parameter each is
    is_used = np.zeros(L, dtype=bool)
    for e, one in enumerate(experiments):
        for name, start in one.own.items():
            if name not in space.coordinates:
                raise SignatureError(
                    f"{WHERE}: experiment {one.name!r}: own: there is no parameter {name!r}"
                    f"{did_you_mean([name], space.coordinates)}; known are: "
                    f"{', '.join(space.coordinates)}."
                )
            if name in one.theta:
                raise SignatureError(
                    f"{WHERE}: experiment {one.name!r}: {name!r} is set by theta, and unknown by "
                    "own. Keep one."
                )
            i = space.coordinates.index(name)
            places[e, i] = len(names)
            shared.append(i)
            names.append(f"{one.name}.{name}")
            kinds.append(kinds[i] if start is None else "")
            values.append(values[i] if start is None else start)
        quantities.flow.signature.parameters.check_names(
            one.theta, f"{WHERE}: experiment {one.name!r}: theta"
        )
        is_set = np.zeros(L, dtype=bool)
        for name, value in one.theta.items():
            if not isinstance(value, str):
                is_set[:p][quantities.flow.signature.parameters.slice_of(name)] = True
        is_used |= ~is_set & (places[e] < L)
    if repeated(names):
        raise SignatureError(
            f"{WHERE}: the names {sorted(repeated(names))} stand for more than one parameter: own "
            "ones are named 'experiment.parameter'. Rename an experiment or a parameter."
        )
    is_free = np.concatenate([is_used, np.ones(len(names) - L, dtype=bool)])
    each, all_names = np.array(values), tuple(names)
    _fix(all_names, fixed, is_free, each)
    chosen = _by_name(all_names, shared, scales, "scales")
    found = tuple(chosen.get(i, LogScale() if kinds[i] == "sigma" else LinearScale())
                  for i in range(len(names)))  # fmt: skip
    for i, scale in enumerate(found):
        require(f"{WHERE}: scales: {names[i]!r}", scale, Scale, "LogScale() or Log10Scale()")
    lower, upper = _sides(all_names, _by_name(all_names, shared, bounds, "bounds"))
    table = ParameterTable(all_names, each, found, lower, upper, is_free, places)
    return table, shared


def _fix(names: tuple[str, ...], fixed: Any, is_free: NDArray[np.bool_], values: Array) -> None:
    for name, value in named_values(fixed).items():
        if name not in names:
            raise SignatureError(
                f"{WHERE}: fixed: there is no parameter {name!r}{did_you_mean([name], names)}; "
                f"known are: {', '.join(names)}."
            )
        i = names.index(name)
        is_free[i] = False
        if value is not None:
            values[i] = number(f"{WHERE}: fixed: {name!r}", value)


def _by_name(
    names: tuple[str, ...], shared: list[int], given: Mapping[str, Any] | None, what: str
) -> dict[int, Any]:
    """What is given for each parameter; one of an experiment's own has what the shared one has."""
    given = {} if given is None else given
    require_mapping(f"{WHERE}: {what}", given, "values by parameter")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise SignatureError(
            f"{WHERE}: {what}: there are no parameters {unknown}{did_you_mean(unknown, names)}; "
            f"known are: {', '.join(names)}."
        )
    return {
        i: given[names[i] if names[i] in given else names[s]]
        for i, s in enumerate(shared)
        if names[i] in given or names[s] in given
    }


def _sides(names: tuple[str, ...], given: Mapping[int, Any]) -> tuple[Array, Array]:
    sides = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    for i, pair in given.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise SignatureError(f"{WHERE}: bounds of {names[i]!r} need a lower and an upper side.")
        for side, value in zip(sides, pair, strict=True):
            if value is not None:
                one = number_array(f"{WHERE}: bounds of {names[i]!r}", value)
                if one.ndim or np.isnan(one):
                    raise SignatureError(f"{WHERE}: bounds of {names[i]!r}: expected a number.")
                side[i] = one
    return sides


def _supported(table: ParameterTable, priors: Mapping[int, Any]) -> ParameterTable:
    """The table within the ranges outside of which priors are zero."""
    lower, upper = table.lower.copy(), table.upper.copy()
    for i, prior in priors.items():
        expected = "priors by name, such as {'k': NormalPrior(1.0, 0.2)}"
        require(f"{WHERE}: prior of {table.names[i]!r}", prior, Prior, expected)
        lower[i] = max(lower[i], prior.support[0])
        upper[i] = min(upper[i], prior.support[1])
    is_known = table.is_free & (lower == upper)  # sides that coincide leave nothing to search
    values = np.where(is_known, lower, table.values)
    free = table.is_free & ~is_known
    return replace(table, lower=lower, upper=upper, values=values, is_free=free)


def _prior_rows(table: ParameterTable, priors: Mapping[int, Prior]) -> PriorRows:
    pulls = {table.column[i]: p.pull() for i, p in priors.items() if table.is_free[i]}
    found = {column: pull for column, pull in pulls.items() if pull is not None}
    each = [*found.values()]
    return PriorRows(
        np.array([*found], dtype=np.intp),
        np.array([p.location for p in each]),
        np.array([p.scale for p in each]),
        np.array([p.is_logarithm for p in each], dtype=bool),
        np.array([1.0 if p.is_linear else 2.0 for p in each]),
    )


def _rows(
    experiments: Sequence[Experiment], times: tuple[Array, ...], measured: Mapping[str, Observable]
) -> MeasurementRows:
    order = list(measured)
    columns: list[tuple[Any, ...]] = []
    targets: list[Array] = []
    log_slope = 0.0
    for e, one in enumerate(experiments):
        for series in one.series:
            if not len(series.values):
                continue
            observable = measured[series.observable]
            on_scale = observable.transformation.of(series.values)
            if not np.isfinite(on_scale).all():
                bad = series.values[~np.isfinite(on_scale)][0]
                raise DomainError(
                    f"{WHERE}: experiment {one.name!r}: {series.observable!r} was measured as "
                    f"{bad:g}, which has no place on a logarithmic scale. Leave it out (NaN), or "
                    "compare on the linear scale."
                )
            log_slope -= float(np.log(observable.transformation.slope(series.values)).sum())
            columns.append((
                np.full(len(on_scale), e), np.searchsorted(times[e], series.times),
                np.full(len(on_scale), order.index(series.observable)), np.log(series.sigma),
            ))  # fmt: skip
            targets.append(
                np.stack([on_scale, np.full(len(on_scale), observable.noise.power)], axis=-1)
            )
    e, time, observable, log_sigma = (np.concatenate(c) for c in zip(*columns, strict=True))
    return MeasurementRows(
        e.astype(np.intp), time.astype(np.intp), observable.astype(np.intp), log_sigma,
        np.concatenate(targets), log_slope,
    )  # fmt: skip


def _absolute(model: CourseModel, rtol: float) -> Array:
    """The absolute tolerance of each state, from how large it becomes at the start parameters."""
    largest = np.zeros(model.flow.signature.state.size)
    for e, times in enumerate(model.times):
        at = model.setting(e, model.table.values)
        try:
            precision = first_precision(model.settings[e], at, times, rtol)
            found = states(model.settings[e], at, times, precision)
        except StoppedError:
            continue  # told with its reason where the start is checked
        largest = np.maximum(largest, np.abs(found).max(axis=0))
    size = np.where(largest > 0.0, largest, largest.max(initial=0.0) or 1.0)
    return ABSOLUTE * rtol * size


def _checked_start(model: CourseModel) -> CourseModel:
    table = model.table
    values = table.values
    outside = table.is_free & ((values < table.lower) | (values > table.upper))
    if outside.any() or (table.lower > table.upper).any():
        bad = [n for n, out in zip(table.names, outside | (table.lower > table.upper), strict=True)
               if out]  # fmt: skip
        raise DomainError(
            f"{WHERE}: expected a start inside the bounds, but {bad[:8]} lie outside (or their "
            "lower side is above their upper one). Give other starts or widen the bounds."
        )
    places = model.table.free[model.priors.columns[model.priors.is_logarithm]]
    if (values[places] <= 0.0).any():
        bad = [table.names[i] for i in places if values[i] <= 0.0]
        raise DomainError(
            f"{WHERE}: the priors of {bad} are of logarithms, but they start at zero or below. "
            "Give positive starts."
        )
    scaled = table.scaled(values)
    if not np.isfinite(scaled).all():
        bad = [n for n, v in zip(table.free_names, scaled, strict=True) if not np.isfinite(v)]
        raise DomainError(
            f"{WHERE}: {bad[:8]} are searched on a logarithm but start at zero or below. Give "
            "positive starts, or search them on the linear scale."
        )
    try:
        found = model.predicted(scaled)
    except ConvergenceError as fault:
        raise DomainError(f"{WHERE}: at the start parameters, {fault} Start from others.") from None
    if not np.isfinite(found).all():
        row = int(np.argmax(~np.isfinite(found).all(axis=1)))
        e = model.rows.experiment[row]
        raise DomainError(
            f"{WHERE}: at the start parameters, experiment {model.settings[e].experiment.name!r} "
            f"predicts no finite number on the observable's scale at t = "
            f"{model.times[e][model.rows.time[row]]:g} (or its sigma is not positive). Start from "
            "other parameters."
        )
    return model
