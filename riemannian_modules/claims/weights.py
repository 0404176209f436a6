"""Positive weights of blocks, each a double times a power of two.

Down a long cascade weights grow beyond the range of doubles.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Positive numbers ``values 2^exponents``, each (n,)."""

    values: Array
    exponents: NDArray[np.int64]

    @property
    def spread(self) -> float:
        """The base-2 logarithm of the largest over the smallest: the price in conditioning."""
        logs = np.log2(self.values) + self.exponents
        return float(logs.max() - logs.min())

    @property
    def floats(self) -> Array | None:
        """The numbers as doubles, the smallest near one; None where they do not fit."""
        shift = self.exponents - self.exponents.min()
        if self.spread > 1000 or shift.max() > 1000:
            return None
        return np.ldexp(self.values, shift)

    def to_data(self) -> dict[str, Any]:
        """The numbers as data; beyond doubles each is its value times 2^exponent."""
        plain = self.floats
        if plain is not None:
            return {"weights": plain.tolist()}
        return {"weights": self.values.tolist(), "exponents": self.exponents.tolist()}

    def fraction(self, i: int) -> Fraction:
        """One weight, exactly."""
        return Fraction(float(self.values[i])) * power_of_two(int(self.exponents[i]))


def power_of_two(e: int) -> Fraction:
    """``2^e``, exactly."""
    return Fraction(1 << e) if e >= 0 else Fraction(1, 1 << -e)


def plain_weights(values: Array) -> Weights:
    """Weights that are doubles."""
    return Weights(values, np.zeros(len(values), dtype=np.int64))
