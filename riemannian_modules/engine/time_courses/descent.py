"""The descent of `fit`, from a model's parameters to those of the largest likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.descend import Descent, Watcher
from riemannian_modules.engine.descent_step import Bounds, DescentMethod
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.objective import Joint, Objective
from riemannian_modules.engine.progress import Progress
from riemannian_modules.engine.schedule import FullBatch, Schedule
from riemannian_modules.engine.time_courses.likelihood import MeasurementLoss
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.engine.time_courses.predictions import Predictions
from riemannian_modules.spaces import Array


def descent(model: CourseModel, schedule: Schedule | None, progress: Progress | None) -> FitResult:
    """One descent from the model's parameters; those whose bounds coincide stay."""
    table = model.table
    rows = np.arange(len(model.targets), dtype=np.float64)[:, None]
    lower, upper = (_sides(table, side) for side in (table.lower, table.upper))
    bounds = dict(zip(table.free_names, zip(lower, upper, strict=True), strict=True))
    return fit(
        Predictions(model),
        Dataset(rows, model.targets),
        MeasurementLoss(),
        bounds=bounds,
        schedule=_Once(FullBatch() if schedule is None else schedule),
        coupling=Joint(),
        progress=progress,
    )


def _sides(table: ParameterTable, side: Array) -> list[float | None]:
    """One side of the bounds on the scales of search; None where it has no place on them."""
    scaled = table.scaled(side)
    return [None if np.isnan(v) else float(v) for v in scaled]


@final
@dataclass(frozen=True, slots=True, repr=False)
class _Once(Schedule):
    """One descent, however it ends: others begin elsewhere, in `multi_start`."""

    schedule: Schedule

    @override
    def descend(
        self,
        objective: Objective,
        start: Array,
        bounds: Bounds,
        method: DescentMethod,
        watch: Watcher,
    ) -> Descent:
        return self.schedule.descend(objective, start, bounds, method, watch)

    @override
    def can_retry(self) -> bool:
        return False
