"""The metric's columns of a map that holds its Jacobian: read off, not pulled back through a graph.

Source: none; what `pull_metric` gives for one module, without its way there.
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.engine.linearisation import Linearisation
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.modules.differential import DenseDifferential
from riemannian_modules.space import Array


def dense_columns(here: Linearisation) -> tuple[Array, Array] | None:
    """The gradient (p,) of the mean loss, and U^T (columns, p); None where no matrix is held."""
    differential = here.differential
    if not isinstance(differential, DenseDifferential):
        return None
    if here.module.local_metric().outputs.shape[-1]:
        return None
    (B, q), p = here.outputs.shape, here.module.signature.parameters.size
    held = differential.jacobian.F
    F = held if held.shape == (B, q, p) else np.broadcast_to(held, (B, q, p))
    slopes = here.slopes.reshape(-1)
    if isinstance(here.loss, SquaredLoss):
        J = F.reshape(B * q, p) / math.sqrt(B)
        return slopes.dot(J) / math.sqrt(B), J
    gradient = slopes @ F.reshape(B * q, p) / B
    S = here.loss.factor(here.outputs, here.targets)
    seen = S * F if S.shape[1:] == (1, 1) else np.swapaxes(S, 1, 2) @ F
    return gradient, seen.reshape(-1, p) / math.sqrt(B)
