"""All parameters of all experiments, each once: which are searched for, from where, on which scale.

A parameter of one experiment's own is another one, named "experiment.parameter".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.time_courses.scale import Scale
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class ParameterTable:
    """P parameters, and where each experiment finds its own values of the L that formulas know.

    Attributes:
        names: (P,).
        values: Their values now, as they stand in equations, (P,).
        scales: On which they are searched, (P,).
        lower: Least values, (P,).
        upper: Largest values, (P,).
        is_free: Which are searched for, (P,).
        places: Positions among the P, (experiments, L).
    """

    names: tuple[str, ...]
    values: Array
    scales: tuple[Scale, ...]
    lower: Array
    upper: Array
    is_free: NDArray[np.bool_]
    places: NDArray[np.intp]

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """Positions of the F parameters that are searched for, (F,)."""
        return np.flatnonzero(self.is_free)

    @cached_property
    def free_names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.names[i] for i in self.free)

    @cached_property
    def column(self) -> NDArray[np.intp]:
        """For each parameter its place among the free ones, -1 for known ones, (P,)."""
        column = np.full(len(self.names), -1, dtype=np.intp)
        column[self.free] = np.arange(len(self.free))
        return column

    def scaled(self, values: Array) -> Array:
        """Free values (F,) of all (P,), on their scales."""
        return self._each("of", values[self.free])

    def natural(self, scaled: Array) -> Array:
        """All values (P,) where the free ones stand at these places (F,) of their scales."""
        values = self.values.copy()
        values[self.free] = self._each("back", scaled)
        return values

    def slopes(self, values: Array) -> Array:
        """How fast the free values move along their scales, (F,)."""
        return self._each("slope", values[self.free])

    def clipped(self, scaled: Array, kept: int) -> Array:
        """The nearest places (F,) within the bounds, but for one that is kept."""
        lower, upper = self.scaled(self.lower), self.scaled(self.upper)
        low, high = (
            np.where(np.isnan(lower), -np.inf, lower),
            np.where(np.isnan(upper), np.inf, upper),
        )
        inside = np.clip(scaled, low, high)
        inside[kept] = scaled[kept]
        return inside

    def _each(self, name: str, free: Array) -> Array:
        scales = (self.scales[i] for i in self.free)
        return np.array(
            [float(getattr(s, name)(np.asarray(v))) for s, v in zip(scales, free, strict=True)]
        )
