"""The picture of a prediction: the mean of each output with its bands.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from riemannian_modules.canvas import COLOURS, legend_above
from riemannian_modules.engine.fit_plot import MOST_OUTPUTS, curves_of, units_of
from riemannian_modules.space import Array, Space

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
        label: Of the inner band.
    """

    inputs: Array
    input_space: Space
    output_space: Space
    mean: Array
    inner: Array
    outer: Array | None
    label: str


def plot_prediction(shown: Bands) -> Figure:
    """Draw each output over the input that varies most, a curve for each setting of the others.

    Where several inputs take many values, outputs are drawn point by point.
    """
    from matplotlib.figure import Figure

    count = min(shown.output_space.size, MOST_OUTPUTS)
    figure = Figure(figsize=(6.4, 1.0 + 2.6 * count), layout="constrained")
    curves = curves_of(shown.inputs, shown.input_space)
    is_line = curves is not None and curves.along >= 0
    groups = curves.groups if curves is not None and is_line else [np.arange(len(shown.inputs))]
    names = curves.names if curves is not None and is_line else [""]
    for j in range(count):
        ax = figure.add_subplot(count, 1, j + 1)
        for rows, name, colour in zip(groups, names, COLOURS, strict=False):
            if curves is not None and is_line:
                rows = rows[np.argsort(shown.inputs[rows, curves.along], kind="stable")]  # noqa: PLW2901
            x = shown.inputs[rows, curves.along] if curves is not None and is_line else rows
            y = shown.mean[rows, j]
            if shown.outer is not None:
                reach = shown.outer[rows, j]
                ax.fill_between(x, y - reach, y + reach, color=colour, alpha=0.12, lw=0)
            reach = shown.inner[rows, j]
            ax.fill_between(x, y - reach, y + reach, color=colour, alpha=0.3, lw=0,
                            label=shown.label)  # fmt: skip
            ax.plot(x, y, "-", color=colour, lw=1.6, label=name or "mean")
        label, unit = shown.output_space.coordinates[j], units_of(shown.output_space)[j]
        ax.set_ylabel(f"{label} [{unit}]" if unit else label)
        if curves is not None and is_line:
            name = shown.input_space.coordinates[curves.along]
            unit = units_of(shown.input_space)[curves.along]
            ax.set_xlabel(f"{name} [{unit}]" if unit else name)
        else:
            ax.set_xlabel("point")
        ax.grid(alpha=0.3)
        legend_above(ax)
    return figure
