"""The metric's columns of a map that holds its Jacobian: read off, not pulled back through a graph.

Source: none; what `pull_metric` gives for one module, without its way there.
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.engine.linearisation import Linearisation
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.spaces import Array


def dense_columns(here: Linearisation) -> tuple[Array, Array, float] | None:
    """The gradient (p,) of the mean loss, U^T (columns, p) and its weight; None without a matrix.

    A mean over samples weighs their columns alike.
    """
    held = here.differential.output_by_parameters
    if held is None or here.module.local_metric().outputs.shape[-1]:
        return None
    (B, q), p = here.outputs.shape, here.module.signature.parameters.size
    F = held if held.shape == (B, q, p) else np.broadcast_to(held, (B, q, p))
    rows, slopes, weight = F.reshape(B * q, p), here.slopes.reshape(-1), 1.0 / math.sqrt(B)
    gradient = slopes.dot(rows) / B
    if isinstance(here.loss, SquaredLoss):
        return gradient, rows, weight
    S = here.loss.factor(here.outputs, here.targets)
    seen = S * F if S.shape[1:] == (1, 1) else np.swapaxes(S, 1, 2) @ F
    return gradient, seen.reshape(-1, p), weight
