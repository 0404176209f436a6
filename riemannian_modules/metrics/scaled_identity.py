"""The Euclidean metric, scaled.

Source: the case R = I of the layer metric in Pehle and Slotine (2026), arXiv:2603.03610.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.door import whole_number
from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, positive_number, real_array
from riemannian_modules.metrics.factor import Factor
from riemannian_modules.metrics.metric import Metric


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScaledIdentityMetric(Metric):
    """``scale I`` of ``size`` coordinates; scale a positive 0-d array. Everything is O(n).

    Attributes:
        size: The number of coordinates.
        scale: A positive 0-d array.
    """

    size: int
    scale: AnyArray

    @property
    @override
    def dim(self) -> int:
        return self.size

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.scale

    @override
    def logdet(self) -> float:
        return self.size * math.log(float(self.scale))

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self._times(self._root, z)

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        return self._times(1.0 / self._root, v)

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self._times(1.0 / self._root, z)

    @override
    def whiten_factor(self, factor: Factor) -> Factor:
        return factor if self._root == 1.0 else factor.scaled(1.0 / self._root)

    @property
    def _root(self) -> float:
        return math.sqrt(float(self.scale))

    def _times(self, number: float, v: AnyArray) -> AnyArray:
        return v if number == 1.0 else number * v

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return float(self.scale) * v

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        return v / float(self.scale)


def scaled_identity_metric(dim: int, scale: AnyArray = 1.0) -> ScaledIdentityMetric:
    """Validate ``scale I``; a scale that is a 0-d array decides the library and device.

    Args:
        dim: The number of coordinates, at least 1.
        scale: The number on the diagonal, positive.

    Raises:
        DomainError: If the scale is not a positive finite number.
        MetricError: If dim < 1, or the scale has more than one entry.
    """
    s = real_array("scale", scale)
    whole_number("ScaledIdentityMetric: dim", dim, 1, MetricError)
    if s.ndim != 0:
        raise MetricError(
            f"ScaledIdentityMetric: expected dim >= 1 and one scale, got dim {dim} and a scale of "
            f"shape {tuple(s.shape)}. For one scale per coordinate use diagonal_metric."
        )
    positive_number("scale", float(s))
    return ScaledIdentityMetric(dim, s)
