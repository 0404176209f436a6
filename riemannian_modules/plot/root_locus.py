"""The picture of a root locus, over lines of equal damping and equal natural frequency.

Source: Evans (1948), Transactions of the AIEE 67, 547-551; Franklin, Powell and Workman (1998),
Digital Control of Dynamic Systems, third edition, section 4.2 for the grid in discrete time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.canvas import COLOURS, VERMILLION, canvas
from riemannian_modules.door import require
from riemannian_modules.engine.root_locus import RootLocus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAMPINGS = (0.1, 0.3, 0.5, 0.7, 0.9)
MOST_COLOURED = len(COLOURS)


def root_locus_figure(locus: RootLocus, axes: Axes | None = None) -> Figure:
    """Draw the branches from the poles (crosses) to the zeros (circles).

    Args:
        locus: From `LinearModel.root_locus`.
        axes: Where to draw; new ones where None.
    """
    require("root_locus_figure", locus, RootLocus, "a root locus")
    figure, ax = canvas(axes, 6.2, 5.2)
    start = locus.poles[0]
    seen = np.concatenate([start, locus.zeros])
    reach = max(1.0 if locus.step else 0.0, 2.2 * float(np.abs(seen).max(initial=0.0))) or 1.0
    unit = "" if locus.step else f" [rad/{locus.time_unit}]"
    if locus.step:
        reach = max(1.15, min(reach, 2.0))
        _discrete_grid(ax)
    else:
        _continuous_grid(ax, reach)
    # Nothing is drawn from one side of infinity to the other.
    through = np.searchsorted(locus.gains, locus.unsolvable)
    for k, branch in enumerate(np.insert(locus.poles, through, np.nan, axis=0).T):
        ax.plot(branch.real, branch.imag, color=COLOURS[k % MOST_COLOURED], lw=1.6)
    ax.plot(start.real, start.imag, "x", color="0.1", ms=8, mew=2, label="poles at gain 0")
    ax.plot(locus.zeros.real, locus.zeros.imag, "o", mfc="none", color="0.1", ms=8, label="zeros")
    for gain in locus.borders:
        poles = locus.poles[np.abs(locus.gains - gain).argmin()]
        outside = np.abs(np.abs(poles) - 1) if locus.step else np.abs(poles.real)
        if gain in locus.unsolvable:
            continue
        p = poles[outside <= outside.min() + 1e-6 * reach]
        ax.plot(p.real, p.imag, "s", color=VERMILLION, ms=5)
        ax.annotate(
            f"k = {gain:.4g}", (p[0].real, p.imag.max()), fontsize=8, color=VERMILLION,
            textcoords="offset points", xytext=(6, 4),
        )  # fmt: skip
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel=f"real part{unit}", ylabel=f"imaginary part{unit}")
    words = "stable inside the circle" if locus.step else "stable left of the line"
    ax.set_title(f"{locus.input} → {locus.output}; {words}", loc="left", fontsize=9)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    return figure


def _continuous_grid(ax: Any, reach: float) -> None:
    ax.axhline(0.0, color="0.85", lw=0.8, zorder=0)
    ax.axvline(0.0, color="0.3", lw=1.2, zorder=0)
    turn = np.linspace(np.pi / 2, 3 * np.pi / 2, 100)
    for part in (0.25, 0.5, 0.75, 1.0):
        ax.plot(
            part * reach * np.cos(turn), part * reach * np.sin(turn), color="0.85", lw=0.7, zorder=0
        )  # fmt: skip
    for damping in DAMPINGS:
        x, y = -damping * 1.5 * reach, np.sqrt(1 - damping**2) * 1.5 * reach
        for sign in (1.0, -1.0):
            ax.plot([0.0, x], [0.0, sign * y], color="0.85", lw=0.7, ls=":", zorder=0)
        place = 0.93 * reach / max(abs(x), y)
        ax.text(place * x, place * y, f"{damping:g}", fontsize=7, color="0.5", zorder=0)


def _discrete_grid(ax: Any) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((0, 0), 1.0, fc="none", ec="0.3", lw=1.2, zorder=0))
    angles = np.linspace(0.0, np.pi, 80)
    for damping in DAMPINGS:
        z = np.exp(-damping / np.sqrt(1 - damping**2) * angles + 1j * angles)
        for sign in (1.0, -1.0):
            ax.plot(z.real, sign * z.imag, color="0.85", lw=0.7, ls=":", zorder=0)
        middle = z[len(z) // 3]
        ax.text(middle.real, middle.imag, f"{damping:g}", fontsize=7, color="0.5", zorder=0)
    for angle in np.pi * np.array([0.2, 0.4, 0.6, 0.8]):
        # Equal natural frequency: z = exp(angle (-d + i sqrt(1 - d^2))) over the dampings d.
        d = np.linspace(0.0, 1.0, 60)
        z = np.exp(angle * (-d + 1j * np.sqrt(1 - d**2)))
        for sign in (1.0, -1.0):
            ax.plot(z.real, sign * z.imag, color="0.85", lw=0.7, zorder=0)
