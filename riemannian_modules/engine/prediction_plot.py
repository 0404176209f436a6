"""The picture of a prediction: the mean of each output with its bands.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from riemannian_modules.canvas import COLOURS, legend_above
from riemannian_modules.engine.fit_plot import MOST_OUTPUTS, Curves, curves_of
from riemannian_modules.spaces import Array, Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Means (B, q) at inputs (B, m), and how far their bands reach.

    Attributes:
        inputs: (B, m).
        input_space: Of the inputs.
        output_space: Of the outputs.
        mean: (B, q).
        inner: How far the mean's band reaches to each side, (B, q).
        outer: How far that of new measurements does; None where it is not known.
        level: Of both bands, such as 0.95.
    """

    inputs: Array
    input_space: Space
    output_space: Space
    mean: Array
    inner: Array
    outer: Array | None
    level: float


def plot_prediction(shown: Bands) -> Figure:
    """Draw each output over the input that varies most, a curve for each setting of the others.

    Where several inputs take many values, outputs are drawn point by point.
    """
    from matplotlib.figure import Figure

    count = min(shown.output_space.size, MOST_OUTPUTS)
    figure = Figure(figsize=(6.4, 1.0 + 2.6 * count), layout="constrained")
    (x, xlabel, curves), percent = _axis(shown), f"{100 * shown.level:g} %"
    for j in range(count):
        ax = figure.add_subplot(count, 1, j + 1)
        for i, (given, name, colour) in enumerate(
            zip(curves.groups, curves.names, COLOURS, strict=False)
        ):
            rows = given[np.argsort(x[given], kind="stable")]
            y, inner = shown.mean[rows, j], shown.inner[rows, j]
            if shown.outer is not None:
                outer = shown.outer[rows, j]
                ax.fill_between(x[rows], y - outer, y + outer, color=colour, alpha=0.12, lw=0,
                                label="" if i else f"{percent} of measurements")  # fmt: skip
            ax.fill_between(x[rows], y - inner, y + inner, color=colour, alpha=0.3, lw=0,
                            label="" if i else f"{percent} of the mean")  # fmt: skip
            ax.plot(x[rows], y, "-", color=colour, lw=1.6, label=name or "mean")
        ax.set(xlabel=xlabel, ylabel=_labelled(shown.output_space, j))
        ax.grid(alpha=0.3)
        legend_above(ax)
    return figure


def _axis(shown: Bands) -> tuple[Array, str, Curves]:
    """Where points stand along the axis, what it is called, and the curves over it."""
    everywhere = np.arange(len(shown.inputs))
    curves = curves_of(shown.inputs, shown.input_space)
    if curves is None or curves.along < 0:
        return everywhere.astype(np.float64), "point", Curves(-1, [everywhere], [""])
    return shown.inputs[:, curves.along], _labelled(shown.input_space, curves.along), curves


def _labelled(space: Space, i: int) -> str:
    """A coordinate's name with its unit."""
    return f"{space.coordinates[i]} [{space.units[i]}]" if space.units[i] else space.coordinates[i]
