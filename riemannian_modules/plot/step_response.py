"""The picture of a step response: outputs over time, a panel for each input.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 6.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riemannian_modules.canvas import COLOURS, DASHES, legend_above
from riemannian_modules.door import require
from riemannian_modules.engine.step_response import StepResponse
from riemannian_modules.errors import UnsupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_INPUTS, MOST_OUTPUTS = 6, len(COLOURS)


def step_response_figure(response: StepResponse) -> Figure:
    """Draw the first outputs over time for the first inputs, a panel each.

    Args:
        response: From `LinearModel.step_response`.

    Raises:
        UnsupportedError: If there is no input or no output.
    """
    from matplotlib.figure import Figure

    require("step_response_figure", response, StepResponse, "a step response")
    if not response.inputs or not response.outputs:
        raise UnsupportedError(
            "step_response_figure: expected at least one input and one output, got "
            f"{len(response.inputs)} and {len(response.outputs)}."
        )
    count = min(len(response.inputs), MOST_INPUTS)
    figure = Figure(figsize=(7.0, 1.6 + 1.8 * count), layout="constrained")
    panels: Any = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    names = response.outputs[:MOST_OUTPUTS]
    for i, ax in enumerate(panels):
        ax.axhline(0.0, color="0.8", lw=0.8, zorder=0)
        for j, name in enumerate(names):
            look = {"color": COLOURS[j], "ls": DASHES[j % len(DASHES)], "lw": 1.6, "label": name}
            draw = ax.step if response.is_discrete else ax.plot
            where = {"where": "post"} if response.is_discrete else {}
            draw(response.times, response.values[:, j, i], **look, **where)
        ax.set_ylabel(f"by unit step of\n{response.inputs[i]}", fontsize=9)
        ax.grid(alpha=0.3)
    unit = response.time_unit
    panels[-1].set_xlabel("time" if unit == "time" else f"time [{unit}]")
    left_out = len(response.inputs) - count + len(response.outputs) - len(names)
    if left_out:
        panels[0].set_title(f"{left_out} inputs and outputs are left out", loc="right", fontsize=8)
    legend_above(panels[0])
    return figure
