"""What measurements say of parameters: Fisher's metric, pulled back from all predictions.

Source: Rao (1945), Bull. Calcutta Math. Soc. 37, 81-91; null directions as in Transtrum et al.
(2015), J. Chem. Phys. 143, 010901.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.time_courses.likelihood import MeasurementLoss
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

_MOVES = 1e-3  # part of a direction without information that counts as moving a parameter
_FELT = 1e-3  # of a null direction's parts, that do not cancel in a prediction
_ACCURACY = 10.0  # times the integration's: how exactly directions of the metric are known


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Information(Shown):
    """Fisher's metric of F parameters on their scales of search.

    Attributes:
        metric: (F, F).
        covariance: Its inverse among the free ones; infinite where the data say nothing.
        generalised: The same where directions that the data say nothing of are held.
        free: Which ones no bound holds, (F,).
        undetermined: Positions of parameters that the data leave free to move.
        null: Directions (F, d) along which no measurement changes, of length one.
    """

    metric: Array
    covariance: Array
    generalised: Array
    free: NDArray[np.bool_]
    undetermined: tuple[int, ...]
    null: Array

    def variances(self, slopes: Array) -> Array:
        """Of quantities with derivatives (..., F) in the parameters; infinite where unknown."""
        found = np.einsum("...f,fg,...g->...", slopes, self.generalised, slopes)
        along, size = slopes @ self.null, np.abs(slopes) @ np.abs(self.null)
        return np.where((np.abs(along) > _FELT * size).any(axis=-1), np.inf, np.maximum(found, 0.0))


def information(model: CourseModel) -> Information:
    """The metric at the model's parameters. One integration with sensitivities; O(N F^2)."""
    table, loss = model.table, MeasurementLoss()
    scaled = table.scaled(table.values)
    J = model.all_slopes(scaled)  # (N + K, 2, F)
    S = loss.information(model.all_predicted(scaled), model.targets)
    white = np.einsum("nqr,nqf->nrf", S, J).reshape(-1, len(scaled))
    values = table.values[table.free]
    held = (values <= table.lower[table.free]) | (values >= table.upper[table.free])
    gradient = loss.gradient(model.all_predicted(scaled), model.targets)
    pull = np.einsum("nq,nqf->f", gradient, J)
    uphill = (values <= table.lower[table.free]) & (pull < 0)
    uphill |= (values >= table.upper[table.free]) & (pull > 0)
    return inverted(white, ~held | uphill, _ACCURACY * model.precision.relative)


def inverted(white: Array, free: NDArray[np.bool_], accuracy: float) -> Information:
    """The metric ``white^T white`` of columns (N, F), inverted where it is known to be regular.

    Args:
        white: Whitened derivatives.
        free: Parameters that no bound holds, (F,).
        accuracy: How exactly the columns are known, relative to their lengths.
    """
    F, places = len(free), np.flatnonzero(free)
    size = np.linalg.norm(white, axis=0)
    scale = np.where(size > 0.0, size, 1.0)[places]
    _, s, Vt = np.linalg.svd(white[:, places] / scale, full_matrices=True)
    s = np.concatenate([s, np.zeros(len(places) - len(s))])
    known = s > accuracy * max(float(s.max(initial=0.0)), 1e-300)
    V = Vt.T / scale[:, None]
    roots = V[:, known] / s[known]
    covariance = np.zeros((F, F))
    covariance[np.ix_(places, places)] = roots @ roots.T
    generalised = covariance.copy()
    null = np.zeros((F, int((~known).sum())))
    null[places] = V[:, ~known]
    null /= np.linalg.norm(null, axis=0)
    # In the columns' own units, a parameter takes part in a direction by its share.
    shares = np.zeros((F, null.shape[1]))
    shares[places] = Vt.T[:, ~known]
    moved = np.abs(shares).max(axis=1, initial=0.0) > _MOVES
    covariance[moved, :] = covariance[:, moved] = 0.0
    covariance[moved, moved] = np.inf
    return Information(
        white.T @ white, covariance, generalised, free,
        tuple(int(i) for i in np.flatnonzero(moved)), null,
    )  # fmt: skip
