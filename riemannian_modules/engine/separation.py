"""Data that separate: a likelihood that has no largest value, for it grows without end.

Source: Albert and Anderson (1984), Biometrika 71, 1-10 (existence of maximum likelihood estimates
in logistic regression); Haberman (1974), The Analysis of Frequency Data (log-linear models).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.engine.descent_step import Bounds, ModelledPoint
from riemannian_modules.engine.losses import NaturalLoss
from riemannian_modules.engine.objective import Objective
from riemannian_modules.spaces import Array

MOST_ENTRIES = 2_000_000  # of the linear program
MARGIN = 1e-6


def separating(objective: Objective, place: ModelledPoint, box: Bounds) -> Array | None:
    """A direction of theta (p,) along which the loss never rises, and for some sample always falls.

    It is sought in the map linearised at a point, which for outputs that are linear in theta is the
    map. None where there is none, the loss has a minimum anyway, or the data are too many.

    Cost: one Jacobian and a linear program of B q rows and p columns.
    """
    loss, data, theta = objective.loss, objective.data, place.trial.theta
    is_large = theta.size * data.targets.size > MOST_ENTRIES
    if not isinstance(loss, NaturalLoss) or objective.prior is not None or is_large:
        return None
    from scipy.optimize import linprog

    F = np.broadcast_to(
        objective.module.jacobian(np.zeros(0), data.inputs, theta).F,
        (*data.targets.shape, theta.size),
    )
    forms, is_bound = loss.recession(data.targets)
    rows = np.einsum("bkq,bqp->bkp", forms, F)
    size = np.abs(rows).max(axis=(0, 1), initial=0.0)
    size[size == 0.0] = 1.0
    rows = rows / size
    open_rows, bound_rows = rows[~is_bound], rows[is_bound]
    if not open_rows.size:
        return None
    # Every form at most 1: then the program is bounded, and its value is 0 or at least 1.
    sides = [
        (None if low == -np.inf else 0.0, None if high == np.inf else 0.0)
        for low, high in zip(box.lower, box.upper, strict=True)
    ]
    solved: Any = linprog(
        -open_rows.sum(axis=0),
        A_ub=np.concatenate([open_rows, -open_rows]),
        b_ub=np.concatenate([np.ones(len(open_rows)), np.zeros(len(open_rows))]),
        A_eq=bound_rows if bound_rows.size else None,
        b_eq=np.zeros(len(bound_rows)) if bound_rows.size else None,
        bounds=sides,
    )
    if solved.status != 0 or -solved.fun < 0.5:
        return None
    falls = (open_rows @ solved.x).min() >= -MARGIN
    rests = np.abs(bound_rows @ solved.x).max(initial=0.0) <= MARGIN
    return solved.x / size if falls and rests else None
