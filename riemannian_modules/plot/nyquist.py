"""Nyquist's picture: the curve of a loop, its mirror image, and the point -1.

Source: Nyquist (1932), Bell System Technical Journal 11, 126-147.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE, SKY, VERMILLION, canvas
from riemannian_modules.door import require
from riemannian_modules.engine.nyquist import Nyquist

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM = 3.0  # of the picture's half width at most, in distances of the curve from -1


def nyquist_figure(curve: Nyquist, axes: Axes | None = None) -> Figure:
    """Draw the curve for positive frequencies with arrows, and its image for negative ones.

    What leads far away is cut: the picture shows what happens about -1.

    Args:
        curve: From `LinearModel.nyquist`.
        axes: Where to draw; new ones where None.
    """
    require("nyquist_figure", curve, Nyquist, "a Nyquist curve")
    figure, ax = canvas(axes, 5.5, 5.2)
    L = curve.values
    turn = np.linspace(0.0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color="0.75", lw=0.8, ls=":", zorder=0)
    ax.axhline(0.0, color="0.85", lw=0.8, zorder=0)
    ax.axvline(0.0, color="0.85", lw=0.8, zorder=0)
    ax.plot(L.real, -L.imag, color=SKY, lw=1.2, ls="--", label="negative frequencies")
    ax.plot(L.real, L.imag, color=BLUE, lw=1.6, label="positive frequencies")
    ax.plot([-1.0], [0.0], "+", color=VERMILLION, ms=12, mew=2.5)
    reach = 1.15 * float(min(np.abs(L).max(initial=1.0), ROOM))
    reach = max(reach, 1.3)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel="real part of the loop's response", ylabel="imaginary part")
    inside = np.flatnonzero((np.abs(L.real) < reach) & (np.abs(L.imag) < reach))
    for part in (0.35, 0.7):
        if len(inside) > 3:
            k = int(inside[int(part * (len(inside) - 2))])
            if k + 1 < len(L):
                ax.annotate(
                    "", (L[k + 1].real, L[k + 1].imag), (L[k].real, L[k].imag),
                    arrowprops={"arrowstyle": "-|>", "color": BLUE, "mutation_scale": 14},
                )  # fmt: skip
    ax.set_title(
        f"{curve.encirclements} clockwise around -1: {curve.open_loop_unstable} unstable poles "
        f"open, {curve.closed_loop_unstable} closed",
        loc="left", fontsize=9,
    )  # fmt: skip
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    ax.grid(alpha=0.3)
    return figure
