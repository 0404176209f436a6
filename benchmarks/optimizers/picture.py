"""The races as curves: the measure against steps, and against CPU time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.optimizers.verdicts import OURS, Result, is_refused, ours_in
from riemannian_modules.canvas import COLOURS

DRAWN = (
    "digits MLP 256", "digits MLP 1024", "diabetes MLP", "heat equation to 0.01",
    "Poisson's equation, full batch", "variational autoencoder",
)  # fmt: skip


def figure(results: Sequence[Result]) -> Figure:
    """The measure against steps and against Adam steps of CPU time, a row for each task."""
    drawn = Figure(figsize=(10, 2.3 * len(results)), layout="constrained")
    axes = drawn.subplots(len(results), 2, squeeze=False, sharey="row")
    names = [OURS, "Adam", "SGD", "AdamW", "Muon", "SOAP", "Shampoo", "K-FAC (SINGD)", "L-BFGS"]
    for (left, right), result in zip(axes, results, strict=True):
        for row in result["rows"]:
            curve = np.array(row["curve"], dtype=float).reshape(-1, 2)
            if len(curve) < 2 or is_refused(row):
                continue
            k = names.index(row["peer"])
            style = {
                "color": COLOURS[k % len(COLOURS)], "lw": 2.2 if k == 0 else 1.0,
                "ls": "-" if k < len(COLOURS) else "--", "label": row["peer"],
                "zorder": 3 if k == 0 else 2,
            }  # fmt: skip
            left.plot(curve[:, 0], curve[:, 1], **style)
            right.plot(curve[:, 0] * row["cost"], curve[:, 1], **style)
        ours = ours_in(result)
        adam = next(r for r in result["rows"] if r["peer"] == "Adam")
        far = 1.6 * max(curve_end(ours), curve_end(adam))
        for ax in (left, right):
            ax.axhline(result["goal"], color="0.6", lw=0.8, ls=":")
            ax.set_xlim(0, far)
            if result["goal"] > 0:
                ax.set_yscale("log")
                ax.set_ylim(0.6 * result["goal"], 2 * ours["curve"][0][1])  # some diverge
        left.set_ylabel(result["task"].replace(", ", "\n"), fontsize=8)
    axes[-1][0].set_xlabel("steps")
    axes[-1][1].set_xlabel("CPU time, in Adam steps")
    axes[0][1].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn


def curve_end(row: Result) -> float:
    """The Adam steps at which a curve ends."""
    return row["curve"][-1][0] * max(1.0, row["cost"]) if row["curve"] else 0.0
