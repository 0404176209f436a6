"""Comparison matrices: the smallest b with ``C r <= b r`` for given weights r > 0.

C has the nodes' bounds on its diagonal and the gains, which are not negative, off it. All is exact
rational arithmetic.

Source: Strom (1975).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from riemannian_modules.claims.weights import Weights, power_of_two


@final
@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A sparse comparison matrix: entries {(to, from): number}, rounded upwards."""

    size: int
    entries: Mapping[tuple[int, int], float]

    @property
    def transposed(self) -> Comparison:
        """Its transpose: the weights of l1 are those of linf for it."""
        return Comparison(self.size, {(j, i): v for (i, j), v in self.entries.items()})

    @property
    def matrix(self) -> Any:
        """The same as a sparse array of floats."""
        from scipy.sparse import csr_array

        places = np.array(list(self.entries), dtype=np.intp).reshape(-1, 2)
        values = np.array(list(self.entries.values()), dtype=np.float64)
        shape = (self.size, self.size)
        return csr_array((values, (places[:, 0], places[:, 1])), shape=shape)


def comparison_rows(C: Comparison, r: Weights) -> list[Fraction]:
    """``(C r)_i / r_i``, exactly."""
    exact = [Fraction(v) for v in r.values.tolist()]
    exponents = r.exponents.tolist()
    rows = [Fraction(0)] * C.size
    for (i, j), value in C.entries.items():
        rows[i] += Fraction(value) * exact[j] / exact[i] * power_of_two(exponents[j] - exponents[i])
    return rows


def sparse_comparison_bound(C: Comparison, r: Weights) -> float:
    """The smallest double b with ``C r <= b r``; inf where C is not finite."""
    if not all(math.isfinite(v) for v in C.entries.values()):
        return math.inf
    return rounded_up(max(comparison_rows(C, r)))


def rounded_up(value: Fraction) -> float:
    """The smallest double that is not below a fraction."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
