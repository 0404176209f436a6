"""Pictures of fitted time courses: data against the model, profiles, predictions, the waterfall.

Sources: Anscombe (1973), The American Statistician 27, 17-21 (a fit is judged by its picture); Raue
et al. (2013), PLoS ONE 8, e74335 (profiles, the waterfall).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.canvas import BLUE, COLOURS, VERMILLION, canvas
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ROWS, _MOST_COLUMNS = 6, 6
_BAND = 0.25  # how dark
_HIGHEST = 1e6  # rises that are drawn


@final
@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One observable of one experiment.

    Attributes:
        experiment: Its name.
        observable: Its name.
        times: Of the measurements, (T,).
        values: Measured, (T,).
        errors: How far bars reach below and above, (2, T).
        grid: Times of the curve, (G,).
        mean: The model there, (G,).
        lower: The band's lower side, (G,).
        upper: Its upper side, (G,).
        unit: Of the observable; empty where it is not said.
        time_unit: Of the times, likewise.
    """

    experiment: str
    observable: str
    times: Array
    values: Array
    errors: Array
    grid: Array
    mean: Array
    lower: Array
    upper: Array
    unit: str
    time_unit: str


def plot_panels(panels: Sequence[Panel]) -> Figure:
    """A column for each experiment, a row for each observable; the first six of both."""
    from matplotlib.figure import Figure

    experiments = [*dict.fromkeys(p.experiment for p in panels)]
    observables = [*dict.fromkeys(p.observable for p in panels)]
    columns, rows = experiments[:_MOST_COLUMNS], observables[:_MOST_ROWS]
    figure = Figure(figsize=(1.2 + 2.9 * len(columns), 0.9 + 2.1 * len(rows)), layout="constrained")
    grid: Any = figure.subplots(len(rows), len(columns), squeeze=False, sharex="col", sharey="row")
    for axes in grid.ravel():
        axes.grid(alpha=0.3)
    for panel in panels:
        if panel.experiment in columns and panel.observable in rows:
            _draw(grid[rows.index(panel.observable), columns.index(panel.experiment)], panel)
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(name, fontsize=9)
    for axes, name in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(labelled(name, next(p.unit for p in panels if p.observable == name)))
    for axes in grid[-1]:
        axes.set_xlabel(labelled("time", panels[0].time_unit))
    left = len(experiments) * len(observables) - len(columns) * len(rows)
    more = "" if left == 0 else f"; the first {len(columns)} experiments, {len(rows)} observables"
    figure.suptitle(
        f"points: data with their errors; lines: the model, with 95 % bands{more}", fontsize=9
    )
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    axes.errorbar(
        panel.times, panel.values, yerr=panel.errors, fmt="o", ms=3.5, mfc="white", mec=BLUE,
        ecolor=BLUE, elinewidth=0.9, capsize=2.0, zorder=3,
    )  # fmt: skip
    axes.plot(panel.grid, panel.mean, "-", color=VERMILLION, lw=1.5, zorder=2)
    _fill(axes, panel.grid, panel.mean, panel.lower, panel.upper)


def _fill(axes: Axes, times: Array, mean: Array, lower: Array, upper: Array) -> None:
    known = np.isfinite(lower) & np.isfinite(upper)
    axes.fill_between(
        times, np.where(known, lower, mean), np.where(known, upper, mean), color=VERMILLION,
        alpha=_BAND, lw=0, zorder=1,
    )  # fmt: skip


def labelled(name: str, unit: str) -> str:
    """An axis's label."""
    return f"{name} [{unit}]" if unit else name


def plot_prediction(
    labels: tuple[str, str], times: Array, mean: Array, lower: Array, upper: Array, level: float
) -> Figure:
    """A predicted mean with its band over time; without one where the data leave it open."""
    figure, axes = canvas(None, 5.6, 3.4)
    order = np.argsort(times)
    axes.plot(times[order], mean[order], "-", color=VERMILLION, lw=1.5)
    _fill(axes, times[order], mean[order], lower[order], upper[order])
    is_open = not (np.isfinite(lower).all() and np.isfinite(upper).all())
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(
        f"band: {100 * level:g} % at each time" + ("; open where none is drawn" if is_open else ""),
        fontsize=8, loc="right",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    return figure


def plot_waterfall(values: Array) -> Figure:
    """Minima of ``-2 log L`` above the least, in order: a flat step at the left is hoped for."""
    figure, axes = canvas(None, 5.6, 3.4)
    found = np.sort(values[np.isfinite(values)])
    rises = np.minimum(found - found[0], _HIGHEST)
    colours = [COLOURS[2] if rise < 0.1 else BLUE for rise in rises]
    axes.scatter(np.arange(1, len(rises) + 1), rises, c=colours, s=18, zorder=2)
    axes.plot(np.arange(1, len(rises) + 1), rises, "-", color="0.7", lw=0.9, zorder=1)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(-0.02, max(1.0, 2.0 * float(rises.max(initial=0.0))))
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="start, in order of its end", ylabel="-2 log L above the least")
    lost = len(values) - len(found)
    axes.set_title(
        "green: the least" + (f"; starts without a finite likelihood: {lost}" if lost else ""),
        fontsize=8, loc="right",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    return figure
