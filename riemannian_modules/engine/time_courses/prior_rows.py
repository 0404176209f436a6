"""Priors as further measurements: of a parameter, or of its logarithm.

Source: Gelman et al. (2013), Bayesian Data Analysis, section 14.8 (priors as extra data).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class PriorRows:
    """K parameters that are known before the data, each (K,).

    Attributes:
        columns: Places among the free parameters.
        location: Of the parameter, or of its logarithm.
        scale: Likewise.
        is_logarithm: Whether the logarithm is meant.
        power: 2 for normal priors, 1 for Laplace's.
    """

    columns: NDArray[np.intp]
    location: Array
    scale: Array
    is_logarithm: NDArray[np.bool_]
    power: Array

    @property
    def targets(self) -> Array:
        """What is "measured", and the power of its noise, (K, 2)."""
        return np.stack([self.location, self.power], axis=-1)

    def predicted(self, table: ParameterTable, scaled: Array) -> Array:
        """Mean and log sigma, (K, 2)."""
        value = table.natural(scaled)[table.free][self.columns]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(self.is_logarithm, np.log(value), value)
        return np.stack([mean, np.log(self.scale)], axis=-1)

    def slopes(self, table: ParameterTable, scaled: Array) -> Array:
        """Their derivatives in the free parameters' scaled places, (K, 2, F)."""
        values = table.natural(scaled)
        value, slope = values[table.free][self.columns], table.slopes(values)[self.columns]
        found = np.zeros((len(self.columns), 2, len(scaled)))
        moved = np.where(self.is_logarithm, slope / value, slope)
        found[np.arange(len(self.columns)), 0, self.columns] = moved
        return found
