"""The picture of a fit: data against the model, what is left over, and how the loss went down.

Source: Anscombe (1973), The American Statistician 27, 17-21: a fit is judged by its picture, data
and residuals, not by its numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riemannian_modules.canvas import COLOURS, legend_above
from riemannian_modules.door import number_array
from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.errors import DomainError, RiemannianError
from riemannian_modules.spaces import Array, Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_OUTPUTS = 6  # that are drawn
MOST_CURVES = len(COLOURS)  # in one panel: one for each setting of the other inputs
GRID = 200  # points of a curve
DECADES = 1000.0  # an input that spans more is drawn on a logarithmic scale
GREY = "0.5"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a picture of a fit shows.

    Attributes:
        data: The samples.
        model: The mean of the targets (B, q) that the fitted model gives for inputs (B, m).
        inputs: The space of the inputs.
        outputs: The space of the outputs.
        bars: Standard deviations of the targets (B, q), None where they are not known.
        losses: The loss after each iteration.
        outcome: How the fit ended.
    """

    data: Dataset
    model: Callable[[Array], Array]
    inputs: Space
    outputs: Space
    bars: Array | None
    losses: Sequence[float]
    outcome: str


@final
@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The input along which data are drawn, and the samples of each setting of the others."""

    along: int
    groups: list[NDArray[np.intp]]
    names: list[str]


def plot_fit(shown: Fitted) -> Figure:
    """Draw each output's data against the model, beside its residuals; below, the loss.

    Where at most one input takes many values, data and model are drawn over it, a curve for each
    setting of the other inputs; else data are drawn over what the model gives for them.
    """
    from matplotlib.figure import Figure

    count = min(shown.outputs.size, MOST_OUTPUTS)
    figure = Figure(figsize=(9.0, 2.6 * count + 1.9), layout="constrained")
    grid = figure.add_gridspec(count + 1, 2, height_ratios=[2.6] * count + [1.7],
                               width_ratios=[1.5, 1.0])  # fmt: skip
    curves, model = curves_of(shown.data.inputs, shown.inputs), shown.model(shown.data.inputs)
    units = shown.outputs.units
    for j in range(count):
        left, right = figure.add_subplot(grid[j, 0]), figure.add_subplot(grid[j, 1])
        name = shown.outputs.coordinates[j]
        label = f"{name} [{units[j]}]" if units[j] else name
        if curves is None:
            _draw_parity(left, shown, model, j, label)
            places, xlabel = model[:, j], f"model: {label}"
        else:
            _draw_curves(left, shown, curves, j, label)
            places, xlabel = _axis(shown, curves)
            left.set_xlabel(xlabel)
            left.set_xscale(_scale(places))
            right.set_xscale(_scale(places))
        groups = [np.arange(len(model))] if curves is None else curves.groups
        _draw_residuals(right, shown, places, model, groups, j)
        right.set(xlabel=xlabel, ylabel="data - model" + (f" [{units[j]}]" if units[j] else ""))
    lines = "the model" if curves else "where data and model are equal"
    part = f"; {count} of {shown.outputs.size} outputs" if shown.outputs.size > count else ""
    figure.suptitle(f"points: data, lines: {lines}{part}", fontsize=9)
    _draw_losses(figure.add_subplot(grid[count, :]), shown)
    return figure


def bars_of(data: Dataset, deviations: ArrayLike | None) -> Array | None:
    """A user's standard deviations of the targets (B, q), or the data's own.

    Raises:
        DomainError: If one is negative or not finite, or their shape does not fit.
    """
    shape = data.targets.shape
    if deviations is None:
        own = data.deviations
        return None if own is None or (own[data.measured] == 1.0).all() else own
    bars = number_array("plot: deviations", deviations)
    fits = bars.ndim <= 2 and all(
        n in (1, m) for n, m in zip(bars.shape[::-1], shape[::-1], strict=False)
    )
    if not fits or not (np.isfinite(bars) & (bars >= 0)).all():
        raise DomainError(
            f"plot: deviations: expected finite numbers of at least 0 of shape {shape} or "
            f"one that broadcasts to it, got shape {bars.shape}."
        )
    return np.broadcast_to(bars, shape)


def curves_of(inputs: Array, space: Space) -> Curves | None:
    """How rows are drawn over one input, None where several inputs take many values."""
    distinct = [len(np.unique(column)) for column in inputs.T]
    varying = [i for i, number in enumerate(distinct) if number > 1]
    if not varying:
        return Curves(-1, [np.arange(len(inputs))], [""])
    along = max(varying, key=lambda i: distinct[i])
    others = [i for i in varying if i != along]
    settings, which = np.unique(inputs[:, others], axis=0, return_inverse=True)
    if len(settings) > MOST_CURVES:
        return None
    units = space.units
    names = [
        ", ".join(f"{space.coordinates[i]} = {v:g} {units[i]}".strip()
                  for i, v in zip(others, setting, strict=True))
        for setting in settings.tolist()
    ]  # fmt: skip
    groups = [np.flatnonzero(which.ravel() == k) for k in range(len(settings))]
    return Curves(along, groups, names)


def _axis(shown: Fitted, curves: Curves) -> tuple[Array, str]:
    """Where samples stand along the axis, and what it is called."""
    if curves.along < 0:
        return np.arange(len(shown.data), dtype=float), "sample"
    units = shown.inputs.units
    name, unit = shown.inputs.coordinates[curves.along], units[curves.along]
    return shown.data.inputs[:, curves.along], f"{name} [{unit}]" if unit else name


def _scale(places: Array) -> str:
    return "log" if places.min() > 0 and places.max() > DECADES * places.min() else "linear"


def _draw_curves(ax: Axes, shown: Fitted, curves: Curves, j: int, label: str) -> None:
    places, _ = _axis(shown, curves)
    for rows, name, colour in zip(curves.groups, curves.names, COLOURS, strict=False):
        x, y = _curve(shown, curves, places, rows, j)
        ax.plot(x, y, "-", color=colour, lw=1.6, zorder=3, label="" if name else "model")
        targets = shown.data.targets[rows, j]
        _draw_points(ax, shown, places[rows], targets, rows, j, colour, name or "data")
    ax.set_ylabel(label)
    ax.grid(alpha=0.3)
    legend_above(ax)


def _curve(
    shown: Fitted, curves: Curves, places: Array, rows: NDArray[np.intp], j: int
) -> tuple[Array, Array]:
    """The model between a group's samples, or at them alone where it has no value between them."""
    order = rows[np.argsort(places[rows], kind="stable")]
    x, inputs = places[order], shown.data.inputs[order]
    if curves.along >= 0 and x[0] < x[-1]:
        space = np.geomspace if _scale(places) == "log" else np.linspace
        grid = space(x[0], x[-1], GRID)
        dense = np.repeat(inputs[:1], GRID, axis=0)
        dense[:, curves.along] = grid
        try:
            with np.errstate(invalid="ignore"):  # a gap in the curve says so
                return grid, shown.model(dense)[:, j]
        except RiemannianError:  # for instance outside of the map's domain
            pass
    return x, shown.model(inputs)[:, j]


def _draw_parity(ax: Axes, shown: Fitted, model: Array, j: int, label: str) -> None:
    rows = np.arange(len(model))
    _draw_points(ax, shown, model[:, j], shown.data.targets[:, j], rows, j, COLOURS[0], "data")
    both = np.concatenate([model[:, j], shown.data.targets[shown.data.measured[:, j], j]])
    ends = [both.min(), both.max()]
    ax.plot(ends, ends, "-", color=GREY, lw=1.2, zorder=1, label="data = model")
    ax.set(xlabel=f"model: {label}", ylabel=f"data: {label}")
    ax.grid(alpha=0.3)
    legend_above(ax)


def _draw_residuals(
    ax: Axes, shown: Fitted, places: Array, model: Array, groups: list[NDArray[np.intp]], j: int
) -> None:
    rest = shown.data.targets[:, j] - model[:, j]
    measured = rest[shown.data.measured[:, j]]
    for rows, colour in zip(groups, COLOURS, strict=False):
        _draw_points(ax, shown, places[rows], rest[rows], rows, j, colour, "")
    ax.axhline(0.0, color=GREY, lw=1.2, zorder=1)
    ax.set_title(f"root mean square {np.sqrt(np.mean(measured**2)):.3g}", fontsize=8, loc="right")
    ax.grid(alpha=0.3)


def _draw_points(
    ax: Axes, shown: Fitted, x: Array, y: Array, rows: NDArray[np.intp], j: int, colour: str,
    label: str,
) -> None:  # fmt: skip
    many, measured = len(shown.data) > 300, shown.data.measured[rows, j]
    x, y, rows = x[measured], y[measured], rows[measured]
    bars = None if shown.bars is None else shown.bars[rows, j]
    ax.errorbar(
        x, y, yerr=bars, fmt="o", ms=2.0 if many else 4.0, mfc=colour if many else "white",
        mec=colour, ecolor=colour, elinewidth=0.9, capsize=2.0, alpha=0.5 if many else 1.0,
        label=label, zorder=2 if many else 4, rasterized=many,
    )  # fmt: skip


def _draw_losses(ax: Axes, shown: Fitted) -> None:
    losses = np.array(shown.losses)
    marker = "o" if len(losses) < 40 else ""
    ax.plot(losses, color=COLOURS[0], marker=marker, ms=3, drawstyle="steps-post")
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="iteration", ylabel="loss")
    ax.set_title(shown.outcome, fontsize=8, loc="right")
    ax.grid(alpha=0.3)
