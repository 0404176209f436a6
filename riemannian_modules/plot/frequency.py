"""Bode's picture: gain and phase over frequency, with the margins of a loop.

Source: Bode (1940), Bell System Technical Journal 19, 421-454.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.canvas import COLOURS, DASHES, GREEN, VERMILLION, legend_above
from riemannian_modules.door import require
from riemannian_modules.engine.frequency import FrequencyResponse
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.engine.margins import Margins

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PAIRS = len(COLOURS)


def bode_figure(response: FrequencyResponse) -> Figure:
    """Draw gain and phase of each input and output; of many pairs those of the largest gains.

    Args:
        response: From `LinearModel.bode`.
    """
    require("bode_figure", response, FrequencyResponse, "a frequency response")
    return _drawn(response)[0]


def loop_figure(model: LinearModel, output: str | None = None, into: str | None = None) -> Figure:
    """Draw the Bode plot of a loop with its margins: those that bind in full colour.

    Args:
        model: The open loop, from `linearize`.
        output: The output that is fed back; may be left out where there is one.
        into: The input to which minus the output goes, likewise.
    """
    require("loop_figure", model, LinearModel, "a linear model")
    loop = model.channel(output, into)
    margins = loop.margins()
    binding = (*margins.gain_frequencies[margins.gain_binds], *margins.phase_frequencies)
    inside = [w for w in binding if 0 < w < loop.highest_frequency]
    usual = loop.bode().frequencies
    ends = (min(inside) / 20, max(inside) * 20) if inside else (usual[0], usual[-1])
    low, high = ends[0], min(ends[1], loop.highest_frequency)
    figure, gain, phase = _drawn(loop.bode(np.geomspace(low, high, 600)))
    _mark(gain, phase, margins)
    return figure


def _drawn(response: FrequencyResponse) -> tuple[Figure, Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 5.0), layout="constrained")
    gain, phase = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1.0])
    draw_response(gain, phase, response)
    return figure, gain, phase


def draw_response(gain: Any, phase: Any, response: FrequencyResponse) -> None:
    """Draw gains and phases on two axes that share their frequencies."""
    w, gains, phases = response.frequencies, response.gain, response.phase
    finite = np.where(np.isfinite(gains), gains, 0.0)
    peaks = finite.max(0, initial=0.0)
    pairs = [(j, i) for j in range(len(response.outputs)) for i in range(len(response.inputs))]
    shown = sorted(sorted(pairs, key=lambda pair: -peaks[pair])[:MOST_PAIRS])
    for k, (j, i) in enumerate(shown):
        if peaks[j, i] == 0:
            continue  # no way from this input to this output
        look = {"color": COLOURS[k], "ls": DASHES[k % len(DASHES)], "lw": 1.6}
        name = f"{response.inputs[i]} → {response.outputs[j]}"
        gain.loglog(w, gains[:, j, i], label=name, **look)
        phase.semilogx(w, phases[:, j, i], **look)
    gain.set_ylabel("gain")
    phase.set(xlabel=f"frequency [rad/{response.time_unit}]", ylabel="phase [°]")
    phase.yaxis.set_major_locator(_quarters())
    gain.tick_params(labelbottom=False)
    if len(shown) < len(pairs):
        gain.set_title(f"the {len(shown)} largest of {len(pairs)}", loc="right", fontsize=8)
    for ax in (gain, phase):
        ax.grid(alpha=0.3, which="major")
    legend_above(gain)


def _mark(gain: Any, phase: Any, margins: Margins) -> None:
    gain.axhline(1.0, color="0.3", lw=0.8, zorder=0)
    rows = zip(margins.gain_frequencies, margins.gains, margins.gain_binds, strict=True)
    for w, factor, binds in rows:
        if gain.lines[0].get_xdata()[0] <= w <= gain.lines[0].get_xdata()[-1]:
            alpha = 1.0 if binds else 0.35
            gain.plot([w, w], [1.0 / factor, 1.0], color=VERMILLION, lw=2.5, alpha=alpha)
            gain.annotate(
                f"{factor:.4g} x", (w, 1.0 / factor), textcoords="offset points", xytext=(5, -4),
                fontsize=8, color=VERMILLION, alpha=alpha,
            )  # fmt: skip
    rows = zip(margins.phase_frequencies, margins.phases, margins.phase_binds, strict=True)
    for w, angle, binds in rows:
        alpha = 1.0 if binds else 0.35
        at = float(phase.lines[0].get_ydata()[np.abs(phase.lines[0].get_xdata() - w).argmin()])
        line = 360.0 * round((at - angle + 180.0) / 360.0) - 180.0
        phase.axhline(line, color="0.3", lw=0.8, zorder=0)
        phase.plot([w, w], [line, line + angle], color=GREEN, lw=2.5, alpha=alpha)
        if not binds:
            continue
        phase.annotate(
            f"{angle:.4g}°", (w, line + angle / 2), textcoords="offset points", xytext=(5, -3),
            fontsize=8, color=GREEN, alpha=alpha,
        )  # fmt: skip
    words = "closed loop " + margins.closed_loop.value
    if margins.delay < np.inf:
        words += f"; delay margin {margins.delay:.4g} {margins.time_unit}"
    gain.set_title(words, loc="right", fontsize=8)


def _quarters() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5, steps=[1, 3, 4.5, 9, 10])
