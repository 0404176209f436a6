"""Where unknown factors, offsets and sigmas start: at what fits the data with all else as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.engine.time_courses.scale import LinearScale
from riemannian_modules.errors import RiemannianError
from riemannian_modules.spaces import Array

_LEAST_SIGMA = 1e-3  # of the measured values' size


def started(
    model: CourseModel, observables: Mapping[str, Observable], brought: Mapping[str, str],
    known: int,
) -> Array:  # fmt: skip
    """All parameters' values (P,), those of unknowns that observables bring found from the data.

    Args:
        model: Set up, with ones in their places.
        observables: By name, in the readout's order.
        brought: What each such unknown is: "scale", "offset" or "sigma".
        known: How many parameters stand before them in formulas.
    """
    values, places = model.table.values.copy(), model.table.places[:, known:]
    kinds = [*brought.values()]
    if not kinds:
        return values
    linear = [i for i, kind in enumerate(kinds) if kind != "sigma"]
    at = values.copy()
    try:
        if linear:
            at = _regressed(model, observables, at, places, [*brought], kinds)
            at = _allowed(model.table, at, places[:, linear])
        predicted = replace(model, table=replace(model.table, values=at)).predicted(
            model.table.scaled(at)
        )
    except RiemannianError:
        return values  # the start is refused with its reason
    residual = predicted[:, 0] - model.rows.targets[:, 0]
    for i, name in enumerate(brought):
        if kinds[i] != "sigma":
            continue
        for place in np.unique(places[:, i]):
            here = (places[model.rows.experiment, i] == place) & np.isnan(model.rows.log_sigma)
            here &= _reads(observables, name)[model.rows.observable]
            if here.any() and model.table.is_free[place]:
                size = np.sqrt(np.mean(model.rows.targets[here, 0] ** 2)) or 1.0
                at[place] = max(np.sqrt(np.nanmean(residual[here] ** 2)), _LEAST_SIGMA * size)
    return _allowed(model.table, at, places)


def _allowed(table: ParameterTable, found: Array, places: NDArray[np.intp]) -> Array:
    """The nearest values within bounds; where a scale has no place for them, the start as it was.

    So a factor that regression takes for negative begins at one where its logarithm is searched.
    """
    kept = found.copy()
    for i in np.unique(places):
        if table.is_free[i] and table.lower[i] <= table.upper[i]:
            for value in (found[i], table.values[i]):
                kept[i] = np.clip(value, table.lower[i], table.upper[i])
                if np.isfinite(table.scales[i].of(kept[i])):
                    break
    return kept


def _reads(observables: Mapping[str, Observable], name: str) -> Array:
    """Which observables' sigmas are that very unknown, (observables,)."""
    return np.array([one.sigma == name for one in observables.values()], dtype=bool)


def _regressed(
    model: CourseModel,
    observables: Mapping[str, Observable],
    values: Array,
    places: NDArray[np.intp],
    names: list[str],
    kinds: list[str],
) -> Array:
    """Factors and offsets by one linear regression over all measurements, (P,)."""
    zero, rows = values.copy(), model.rows
    is_free = model.table.is_free
    unknowns = np.unique(
        [p for i, k in enumerate(kinds) if k != "sigma" for p in places[:, i] if is_free[p]]
    ).astype(np.intp)
    if not len(unknowns):
        return values
    for i, kind in enumerate(kinds):
        if kind == "offset":
            zero[places[is_free[places[:, i]], i]] = 0.0
    shown = [*observables.values()]
    linear = _values(model, zero, shown)
    design = np.zeros((len(linear), len(unknowns)))
    wanted = np.empty(len(linear))
    for row, (e, o) in enumerate(zip(rows.experiment, rows.observable, strict=True)):
        one = shown[o]
        y = float(one.transformation.back(rows.targets[row, 0]))
        # On logarithms relative errors count.
        weight = 1.0 if isinstance(one.transformation, LinearScale) else 1.0 / abs(y or 1.0)
        factor, offset = (
            names.index(t) if t in names and is_free[places[e, names.index(t)]] else -1
            for t in (one.scale, one.offset)
        )
        wanted[row] = weight * (y - (0.0 if factor >= 0 else linear[row]))
        if factor >= 0:
            design[row, np.searchsorted(unknowns, places[e, factor])] = weight * linear[row]
        if offset >= 0:
            design[row, np.searchsorted(unknowns, places[e, offset])] = weight
    found = values.copy()
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    touched = np.abs(design).max(axis=0) > 0
    found[unknowns[touched]] = solution[touched]
    return found


def _values(model: CourseModel, values: Array, observables: list[Observable]) -> Array:
    """What the formulas give without factors and offsets, on the linear scale, (N,)."""
    at = replace(model, table=replace(model.table, values=values))
    mean = at.predicted(model.table.scaled(values))[:, 0]
    scales = [one.transformation for one in observables]
    return np.array(
        [float(scales[o].back(np.asarray(v))) for o, v in zip(model.rows.observable, mean,
         strict=True)]
    )  # fmt: skip
