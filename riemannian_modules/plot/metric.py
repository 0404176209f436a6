"""The picture of a metric: its matrix, and the squared lengths along its axes.

Source: Golub and Van Loan (2013), Matrix Computations, section 8.1, for the axes of a quadratic
form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE
from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 400  # rows of a matrix that is drawn
MOST_NAMED = 24  # rows that are named


def metric_figure(metric: Metric, names: Sequence[str] = ()) -> Figure:
    """Draw the correlations ``M_ij / sqrt(M_ii M_jj)`` and the eigenvalues on a logarithmic scale.

    Costs O(n^3), for the dense matrix is formed.

    Args:
        metric: A metric on at most 400 coordinates.
        names: The coordinates' names; numbers where none is given.

    Raises:
        UnsupportedError: For more coordinates.
        SignatureError: If the names are not one for each coordinate.
    """
    from matplotlib.figure import Figure

    require("metric_figure", metric, Metric, "a metric")
    n = metric.dim
    if n > MOST_SHOWN:
        raise UnsupportedError(
            f"metric_figure: a matrix of {n} rows cannot be read; expected at most {MOST_SHOWN}. "
            "Draw a layer's, or a truncated one's factor."
        )
    if names and len(names) != n:
        raise SignatureError(f"metric_figure: expected {n} names or none, got {len(names)}.")
    M = np.asarray(metric.as_matrix(), dtype=np.float64)
    scale = np.sqrt(np.diagonal(M))
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = left.imshow(M / np.outer(scale, scale), cmap="PuOr", vmin=-1, vmax=1)
    figure.colorbar(shown, ax=left, shrink=0.85)
    left.set_title("correlation: M_ij / sqrt(M_ii M_jj)", loc="left", fontsize=9)
    if n <= MOST_NAMED:
        labels = list(names) if names else [str(i) for i in range(n)]
        left.set_xticks(range(n), labels, rotation=90, fontsize=8)
        left.set_yticks(range(n), labels, fontsize=8)
    values = np.linalg.eigvalsh(M)[::-1]
    right.semilogy(np.arange(1, n + 1), values, "o-", color=BLUE, ms=4, lw=1.0)
    right.locator_params(axis="x", integer=True)
    right.set(xlabel="axis, the longest first", ylabel="eigenvalue (squared length)")
    right.set_title(f"condition number {values[0] / values[-1]:.3g}", loc="left", fontsize=9)
    right.grid(alpha=0.3)
    return figure
