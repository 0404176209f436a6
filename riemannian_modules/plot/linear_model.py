"""The picture of a linear model: where its poles lie, and its frequency response.

Source: Bode (1940), Bell System Technical Journal 19, 421-454; Kailath (1980), Linear Systems,
chapter 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.canvas import BLUE
from riemannian_modules.door import require
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules.module import Time
from riemannian_modules.plot.frequency import draw_response
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_STATES = 500  # a response costs O(n^2) a frequency


def linear_model_figure(model: LinearModel) -> Figure:
    """Draw the poles and, where there are inputs and outputs, the Bode plot.

    Of many pairs of inputs and outputs those of the largest gains are drawn. Floating point: the
    picture proves nothing.

    Args:
        model: From `linearize`.

    Raises:
        UnsupportedError: If the model has no state, or more than 500.
    """
    from matplotlib.figure import Figure

    require("linear_model_figure", model, LinearModel, "a linear model")
    if not 0 < len(model.A) <= MOST_STATES:
        raise UnsupportedError(
            f"linear_model_figure: expected 1 to {MOST_STATES} states, got {len(model.A)}. Of a "
            "model without a state D is all there is: print it."
        )
    has_response = bool(model.inputs) and bool(model.outputs)
    figure = Figure(figsize=(9.0 if has_response else 4.5, 4.2), layout="constrained")
    if not has_response:
        _draw_poles(figure.subplots(), model)
        return figure
    grid = figure.add_gridspec(2, 2, width_ratios=[1.0, 1.5], height_ratios=[1.5, 1.0])
    _draw_poles(figure.add_subplot(grid[:, 0]), model)
    gain = figure.add_subplot(grid[0, 1])
    draw_response(gain, figure.add_subplot(grid[1, 1], sharex=gain), model.bode())
    return figure


def frequency_response(model: LinearModel, frequencies: Array) -> NDArray[np.complex128]:
    """``C (s - A)^-1 B + D`` at s = i w, or at s = exp(i w step) in discrete time: (k, q, m).

    Args:
        model: The linear model.
        frequencies: w (k,), in radians per unit of time; infinite at a pole.
    """
    return model.bode(frequencies).values


def _draw_poles(ax: Axes, model: LinearModel) -> None:
    from matplotlib.patches import Circle

    poles = model.poles
    ax.axhline(0.0, color="0.8", lw=0.8, zorder=0)
    if model.signature.time is Time.CONTINUOUS:
        ax.axvline(0.0, color="0.3", lw=1.2, zorder=0)
        ax.set(xlabel="real part [1/time]", ylabel="imaginary part [rad/time]")
        reach = 1.15 * max(float(np.abs(poles.real).max()), 1e-12)
        ax.set_xlim(-reach, reach if (poles.real > 0).any() else 0.15 * reach)
        border = "stable left of the line"
    else:
        ax.add_patch(Circle((0, 0), 1.0, fc="none", ec="0.3", lw=1.2, zorder=0))
        reach = 1.15 * max(1.0, float(np.abs(poles).max()))
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.set(xlabel="real part", ylabel="imaginary part")
        border = "stable inside the circle"
    ax.plot(poles.real, poles.imag, "x", color=BLUE, ms=8, mew=2)
    ax.locator_params(nbins=6)
    ax.set_title(f"{len(poles)} pole{'s' * (len(poles) > 1)}; {border}", loc="left", fontsize=9)
    ax.grid(alpha=0.3)
