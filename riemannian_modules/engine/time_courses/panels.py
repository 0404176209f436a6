"""What is drawn of a fit of time courses: data and model, observable by observable."""

from __future__ import annotations

import numpy as np

from riemannian_modules.engine.time_courses.course_plot import Panel
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.information import Information
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.prediction import predicted
from riemannian_modules.spaces import Array

_GRID = 120  # points of a curve


def panels_of(problem: CourseProblem, known: Information) -> list[Panel]:
    """A panel for each observable of each experiment. One integration with sensitivities each."""
    model, panels = problem.model, list[Panel]()
    found = model.predicted(model.table.scaled(model.table.values))
    row = 0
    for one in problem.experiments:
        for series in one.series:
            if not len(series.values):
                continue
            rows = slice(row, row + len(series.values))
            row += len(series.values)
            ends = one.start, float(series.times.max())
            grid = np.union1d(np.linspace(*ends, _GRID), series.times)
            curve = predicted(problem, known, series.observable, grid, one.name, 0.95)
            shown = problem.observables.get(series.observable)
            errors = _errors(series.values, np.exp(found[rows, 1]), shown)
            panels.append(
                Panel(one.name, series.observable, series.times, series.values, errors, grid,
                      curve.mean, curve.lower, curve.upper, curve.unit, curve.time_unit)
            )  # fmt: skip
    return panels


def _errors(values: Array, sigma: Array, shown: object) -> Array:
    """How far the bars reach below and above the values, (2, T)."""
    if not isinstance(shown, Observable):
        return np.stack([sigma, sigma])
    scale = shown.transformation
    on_scale = scale.of(values)
    return np.stack([values - scale.back(on_scale - sigma), scale.back(on_scale + sigma) - values])
