"""The plot of a comparison of tools: tightness and boxes per second, a row for each case."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from riemannian_modules.canvas import COLOURS

MARKS = "osD^v"


def comparison_figure(numbers: Sequence[Mapping[str, Any]]) -> Figure:
    """Dots for each tool and case; a tool that gave no number for a case has no dot there.

    Args:
        numbers: Rows with "case", "tool" and, where measured, "tightness" (proved rate / true
            rate, 1 is best) and "boxes_per_second".
    """
    cases = list(dict.fromkeys(row["case"] for row in numbers))
    tools = list(dict.fromkeys(row["tool"] for row in numbers))
    figure = Figure(figsize=(9.5, 1.2 + 0.5 * len(cases)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for k, tool in enumerate(tools):
        rows = [row for row in numbers if row["tool"] == tool and "tightness" in row]
        heights = np.array([cases.index(row["case"]) for row in rows]) + 0.12 * (
            k - (len(tools) - 1) / 2
        )
        style = {"ls": "", "marker": MARKS[k], "color": COLOURS[k], "label": tool, "ms": 6}
        left.plot([row["tightness"] for row in rows], heights, **style)
        right.plot([row["boxes_per_second"] for row in rows], heights, **style)
    left.axvline(1.0, color="0.6", lw=0.8)
    left.axvline(0.0, color="0.6", lw=0.8, ls=":")
    # Bounds that prove no contraction lie below 0, some of them far.
    left.set_xscale("symlog", linthresh=1.0)
    right.set_xscale("log")
    left.set_yticks(range(len(cases)), cases)
    left.invert_yaxis()
    left.set_xlabel("proved rate / true rate (1 is exact, below 0 proves nothing)")
    right.set_xlabel("boxes per second")
    for axes in (left, right):
        axes.grid(alpha=0.3, axis="x")
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
