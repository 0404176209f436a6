"""How well data determine parameters: the covariance of an estimate from its information metric.

Source: Seber and Wild (1989), Nonlinear Regression, section 2.1; for pivoted QR of columns scaled
to length one, Golub and Van Loan (2013), Matrix Computations, 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.local_model import JointModel, Mask, solve_upper
from riemannian_modules.shown import Shown
from riemannian_modules.space import Array

_MOVES = 1e-6  # part of a direction without information that counts as moving a parameter


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimate(Shown):
    """Covariance (p, p) and the positions of parameters that the data do not determine.

    Undetermined parameters have infinite variance, those held at a bound variance zero.
    """

    covariance: Array
    undetermined: tuple[int, ...]

    def without(self, direction: Array) -> Estimate:
        """The same where the parameters that a direction (p,) moves are undetermined."""
        moves = np.abs(direction) > _MOVES * np.abs(direction).max(initial=0.0)
        covariance = self.covariance.copy()
        covariance[moves, :] = covariance[:, moves] = 0.0
        covariance[moves, moves] = np.inf
        places = {*self.undetermined, *np.flatnonzero(moves).tolist()}
        return Estimate(covariance, tuple(sorted(places)))


def estimate(model: JointModel, free: Mask, dispersion: float) -> Estimate:
    """``dispersion (U U^T)^{-1}`` among the free parameters.

    Args:
        model: Whose J = U^T (columns, p) has the information ``J^T J``.
        free: The parameters that are estimated, (p,) booleans.
        dispersion: Variance of the noise; 1 for likelihoods.
    """
    p, places = len(free), np.flatnonzero(free)
    R, scale, order, rank = model.triangle(free)
    n = len(places)
    inverse = solve_upper(R[:rank, :rank], np.eye(rank))
    roots = np.zeros((n, rank))
    roots[order[:rank]] = inverse
    roots /= scale[:, None]
    covariance = np.zeros((p, p))
    with np.errstate(invalid="ignore"):  # an infinite dispersion: no degrees of freedom are left
        covariance[np.ix_(places, places)] = dispersion * (roots @ roots.T)
    if rank == n:
        return Estimate(covariance, ())
    null = np.zeros((n, n - rank))
    null[order[:rank]] = -inverse @ R[:rank, rank:]
    null[order[rank:]] = np.eye(n - rank)
    moved = places[np.abs(null).max(axis=1) > _MOVES]
    covariance[moved, :] = covariance[:, moved] = 0.0
    covariance[moved, moved] = np.inf
    return Estimate(covariance, tuple(int(i) for i in moved))
