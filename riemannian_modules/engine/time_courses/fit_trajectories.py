"""A flow's parameters fitted to time courses of several experiments.

Sources: Raue et al. (2013), PLoS ONE 8, e74335 (exact sensitivities, estimated noise); Bock (1987),
Randwertproblemmethoden zur Parameteridentifizierung (Gauss-Newton on whole experiments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from riemannian_modules.engine.dataset import Dataset
from riemannian_modules.engine.fit import fit
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.progress import Progress
from riemannian_modules.engine.schedule import Schedule
from riemannian_modules.engine.time_courses.experiment import Experiment
from riemannian_modules.engine.time_courses.likelihood import MeasurementLoss
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.predictions import Predictions
from riemannian_modules.engine.time_courses.scale import Scale
from riemannian_modules.engine.time_courses.set_up import Sides, set_up
from riemannian_modules.modules.module import RiemannianModule

RTOL = 1e-8


def fitted(
    model: CourseModel, schedule: Schedule | None, progress: Progress | None
) -> tuple[CourseModel, FitResult]:
    """The model at the parameters that fit best, and how the descent there went."""
    table = model.table
    rows = np.arange(len(model.rows.targets), dtype=np.float64)[:, None]
    lower, upper = (table.scaled(side) for side in (table.lower, table.upper))
    bounds = {
        name: (None if np.isnan(a) else a, None if np.isnan(b) else b)
        for name, a, b in zip(table.free_names, lower.tolist(), upper.tolist(), strict=True)
    }
    found = fit(
        Predictions(model), Dataset(rows, model.rows.targets), MeasurementLoss(), bounds,
        schedule, progress=progress,
    )  # fmt: skip
    return model, found
