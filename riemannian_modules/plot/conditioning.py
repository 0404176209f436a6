"""The picture of what a well-conditioned metric costs: proved rate against condition number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE, canvas, legend_above
from riemannian_modules.certify.conditioning import Curve
from riemannian_modules.door import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rate_against_conditioning(curve: Curve, axes: Axes | None = None) -> Figure:
    """Draw the proved rate against the condition number of the metric, which is on a log axis.

    A metric of a small condition number is one for a larger limit too, so the line is the best so
    far; the root of the condition number is the overshoot of plain distance.

    Args:
        curve: From `rate_against_condition`: each point is a proof, or marked as none.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.
    """
    require("rate_against_conditioning", curve, Curve, "a curve from rate_against_condition")
    proved = np.array(curve.is_proved)
    is_step = any(c is not None and c.data["claim"]["kind"] == "step" for c in curve.certificates)
    figure, ax = canvas(axes, 5.6, 3.8)
    x, y = curve.conditions[proved], curve.bounds[proved]
    if proved.any():
        best = (np.minimum if is_step else np.maximum).accumulate(y)
        ax.step(x, best, where="post", color=BLUE, lw=1.5, label="best so far")
    ax.plot(x, y, "o", color=BLUE, ms=5, label="proved")
    limit = 1.0 if is_step else 0.0
    if not proved.all():
        open_ones = curve.conditions[~proved]
        ax.plot(open_ones, np.full(len(open_ones), limit), "x", color="0.4", label="not proved")
    ax.set_xscale("log")
    ax.axhline(limit, color="0.6", lw=0.8)
    ax.set(xlabel="condition number of the metric (squared overshoot)",
           ylabel="proved factor" if is_step else "proved rate [1/time]")  # fmt: skip
    ax.grid(alpha=0.3, which="both")
    legend_above(ax)
    return figure
