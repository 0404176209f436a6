"""How well data determine parameters: the covariance of an estimate from its information metric.

Source: Seber and Wild (1989), Nonlinear Regression, section 2.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.local_model import Mask
from riemannian_modules.engine.triangle import PivotedTriangle, inverse_upper
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

_MOVES = 1e-6  # part of a direction without information that counts as moving a parameter


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimate(Shown):
    """How well parameters are known.

    Attributes:
        generalised: Their covariance (p, p) where those that data do not determine are held.
        undetermined: Positions of parameters that data do not determine.
        null: Directions (p, d) in which parameters can move without any effect on the loss.
    """

    generalised: Array
    undetermined: tuple[int, ...]
    null: Array

    @property
    def covariance(self) -> Array:
        """(p, p): infinite variance for undetermined parameters, zero for those at a bound."""
        covariance, moved = self.generalised.copy(), list(self.undetermined)
        covariance[moved, :] = covariance[:, moved] = 0.0
        covariance[moved, moved] = np.inf
        return covariance

    def without(self, direction: Array) -> Estimate:
        """The same where nothing is known along a direction (p,)."""
        moves = np.abs(direction) > _MOVES * np.abs(direction).max(initial=0.0)
        places = {*self.undetermined, *np.flatnonzero(moves).tolist()}
        P = np.eye(len(direction)) - np.outer(direction, direction) / (direction @ direction)
        null = np.column_stack([self.null, direction])
        return Estimate(P @ self.generalised @ P.T, tuple(sorted(places)), null)


def estimate(known: PivotedTriangle, free: Mask, dispersion: float) -> Estimate:
    """``dispersion (U U^T)^{-1}`` among the free parameters.

    Args:
        known: Of the free parameters' columns J = U^T, which have the information ``J^T J``.
        free: The parameters that are estimated, (p,) booleans.
        dispersion: Variance of the noise; 1 for likelihoods.
    """
    p, rank, places = len(free), known.rank, np.flatnonzero(free)[known.order]
    scale = known.scale[known.order, None]
    inverse = inverse_upper(known.leading)
    roots = np.zeros((p, rank))
    roots[places[:rank]] = inverse / scale[:rank]
    if math.isfinite(dispersion):
        covariance = dispersion * roots.dot(roots.T)
    else:  # no measurement is left over to tell the noise from
        covariance = np.diag(np.where(free, np.inf, 0.0))
    if rank == len(places):
        return Estimate(covariance, (), np.zeros((p, 0)))
    null = np.concatenate([-inverse @ known.R[:rank, rank:], np.eye(len(places) - rank)])
    null[np.abs(null) <= _MOVES] = 0.0
    directions = np.zeros((p, len(places) - rank))
    directions[places] = null / scale
    moved = np.flatnonzero(directions.any(axis=1))
    return Estimate(covariance, tuple(moved.tolist()), directions)
