"""The picture of what a well-conditioned metric costs: proved rate against condition number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import number_array
from riemannian_modules.errors import DomainError
from riemannian_modules.plot.canvas import BLUE, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Curve(Protocol):
    """Condition numbers and the rates that are proved with them, (k,) each."""

    @property
    def conditions(self) -> ArrayLike:
        """Condition numbers that the metric may have, at least 1."""
        ...

    @property
    def rates(self) -> ArrayLike:
        """The proved rates, 1/time; NaN where none was proved."""
        ...


def rate_against_conditioning(curve: Curve, axes: Axes | None = None) -> Figure:
    """Draw the proved rate against the condition number of the metric, which is on a log axis.

    A metric of a small condition number is one for a larger limit too, so the line is the best so
    far; the root of the condition number is the overshoot of plain distance.

    Args:
        curve: Conditions and rates, in any order.
        axes: Where to draw; a new figure where None.

    Raises:
        DomainError: For condition numbers below 1, or as many rates as there are not conditions.
    """
    conditions = number_array("rate_against_conditioning: conditions", curve.conditions)
    rates = np.asarray(curve.rates, dtype=np.float64)
    if conditions.ndim != 1 or conditions.shape != rates.shape or not (conditions >= 1).all():
        raise DomainError(
            "rate_against_conditioning: expected as many rates as condition numbers of at least 1, "
            f"got shapes {rates.shape} and {conditions.shape}."
        )
    order = np.argsort(conditions)
    conditions, rates = conditions[order], rates[order]
    proved = np.isfinite(rates)
    figure, ax = canvas(axes, 5.6, 3.8)
    if proved.any():
        best = np.maximum.accumulate(rates[proved])
        ax.step(conditions[proved], best, where="post", color=BLUE, lw=1.5, label="best so far")
    ax.plot(conditions[proved], rates[proved], "o", color=BLUE, ms=5, label="proved")
    if not proved.all():
        ax.plot(
            conditions[~proved], np.zeros((~proved).sum()), "x", color="0.4", label="not proved"
        )
    ax.set_xscale("log")
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.set(xlabel="condition number of the metric (squared overshoot)",
           ylabel="proved rate [1/time]")  # fmt: skip
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False, loc="lower right")
    return figure
