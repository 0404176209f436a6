"""How well data determine parameters: the covariance of an estimate from its information metric.

Source: Seber and Wild (1989), Nonlinear Regression, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.local_model import Mask
from riemannian_modules.engine.triangle import Triangle, solve_upper
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array

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


def estimate(known: Triangle, free: Mask, dispersion: float) -> Estimate:
    """``dispersion (U U^T)^{-1}`` among the free parameters.

    Args:
        known: Of the free parameters' columns J = U^T, which have the information ``J^T J``.
        free: The parameters that are estimated, (p,) booleans.
        dispersion: Variance of the noise; 1 for likelihoods.
    """
    p, places = len(free), np.flatnonzero(free)
    R, scale, order, rank, n = known.R, known.scale, known.order, known.rank, len(places)
    inverse = solve_upper(known.leading, np.eye(rank))
    roots = np.zeros((n, rank))
    roots[order[:rank]] = inverse
    roots /= scale[:, None]
    covariance = np.zeros((p, p))
    if np.isfinite(dispersion):
        covariance[np.ix_(places, places)] = dispersion * (roots @ roots.T)
    else:  # no measurement is left over to tell the noise from
        covariance[places, places] = np.inf
    null = np.zeros((n, n - rank))
    null[order[:rank]] = -inverse @ R[:rank, rank:]
    null[order[rank:]] = np.eye(n - rank)
    moved = places[np.abs(null).max(axis=1, initial=0.0) > _MOVES]
    directions = np.zeros((p, n - rank))
    directions[places] = np.where(np.abs(null) > _MOVES, null, 0.0) / scale[:, None]
    return Estimate(covariance, tuple(int(i) for i in moved), directions)
