"""A flow with its derivatives in the state and in other quantities, as a solver calls it.

Source: none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array

EntryPlaces = tuple[tuple[int, int], ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Linearised:
    """``(x, u) -> dx`` with the entries of [A, F] behind it, those that are not zero.

    A is the derivative in the state, F (n, q) that in what else moves.

    Attributes:
        rate: From n and m floats to n numbers alone.
        values: From the same to n numbers and the entries, in the order of `places`.
        places: Where they stand in [A, F] (n, n + q).
        shape: (n, n + q).
    """

    rate: Callable[[Numbers, Numbers], Numbers]
    values: Callable[[Numbers, Numbers], Numbers]
    places: EntryPlaces
    shape: tuple[int, int]

    def matrix(self, x: Numbers, u: Numbers) -> Array:
        """[A, F], (n, n + q)."""
        J = np.zeros(self.shape)
        J[self.index] = self.values(x, u)[self.shape[0] :]
        return J

    @property
    def index(self) -> tuple[list[int], list[int]]:
        """The places as NumPy takes them."""
        return [i for i, _ in self.places], [j for _, j in self.places]
