"""What a proof says of distances, as a curve: the picture that proofs by every rule have.

Source: Lohmiller and Slotine (1998): in the norm of a proof distances follow ``exp(b t)``, in
plain distance ``sqrt(cond M) exp(b t)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE, canvas
from riemannian_modules.claims.answer import Proved
from riemannian_modules.door import require
from riemannian_modules.plot.claim import logarithmic_rate
from riemannian_modules.plot.proved_envelope import overshoot_of
from riemannian_modules.shown import at_most

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HALF_LIVES = 5.0  # that are shown of what shrinks


def bound_curve(answer: Proved, axes: Axes | None = None) -> Figure:
    """Draw the proved bound of distances: over time, or for a static map over those of the inputs.

    Below the line lies what is possible; nothing is simulated (`envelope` does that).

    Args:
        answer: A proof by any rule.
        axes: Where to draw; a new figure where None.

    Raises:
        SignatureError: For an answer that is no proof.
    """
    require("bound_curve", answer, Proved, "a proof")
    data = answer.certificate.data
    claim, rule = data["claim"], data["evidence"]["rule"]
    figure, ax = canvas(axes, 5.6, 3.6)
    if claim["kind"] == "map":
        x = np.linspace(0.0, 1.0, 2)
        y, name = answer.factor * x, f"proved: factor {at_most(answer.factor)}"
        ax.set(xlabel="distance of inputs", ylabel="largest distance of outputs")
    else:
        b = logarithmic_rate(answer)
        is_step = claim["kind"] == "step"
        end = HALF_LIVES * math.log(2.0) / abs(b) if b and math.isfinite(b) else 1.0
        x = np.arange(max(math.ceil(end), 1) + 1.0) if is_step else np.linspace(0.0, end, 201)
        y = answer.factor**x if is_step else np.exp(b * x)
        name = (
            f"proved: {at_most(answer.factor)} at each step"
            if is_step
            else f"proved: exp({at_most(b)} t)"
        )
        factor = overshoot_of(claim["norm"])
        if factor is not None and "horizontal" not in claim:
            label = f"plain distance: at most {at_most(factor)} times that"
            ax.plot(x, factor * y, color="0.45", ls="-.", lw=1.2, label=label)
        ax.set_yscale("log")
        ax.set(xlabel="time [steps]" if is_step else "time", ylabel="distance / distance at start")
    ax.plot(x, y, color=BLUE, lw=1.8, label=name)
    ax.fill_between(x, y, ax.get_ylim()[0], color=BLUE, alpha=0.12, lw=0)
    ax.autoscale(enable=False)
    ax.set_title(f"Proved by the rule '{rule}', rounding included", loc="left", fontsize=9)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return figure
