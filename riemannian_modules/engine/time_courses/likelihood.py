"""The negative log-likelihood of measurements whose mean and spread are predicted.

Each sample's outputs are the mean and the logarithm of sigma, in which Fisher's metric is
``diag(1 / sigma^2, p)`` for errors with the density ``exp(-|e / sigma|^p / p) / (c_p sigma)``.
Sources: Amari (2016), Information Geometry and Its Applications, section 3.5; for p = 1 the metric
is that of reweighted least squares, Schlossmacher (1973), JASA 68, 857-859.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.loss import Loss
from riemannian_modules.spaces import Array

_CONSTANTS = {1.0: math.log(2.0), 2.0: 0.5 * math.log(2.0 * math.pi)}
_NEAREST = 1e-9  # of sigma: residuals of Laplace's noise that are smaller weigh no more


@final
@dataclass(frozen=True, slots=True, repr=False)
class MeasurementLoss(Loss):
    """Outputs (N, 2): mean and log sigma; targets (N, 2): measured value and power of the noise."""

    @override
    def check(self, where: str, targets: Array) -> None:
        return

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        return float(self.values(outputs, targets).sum())

    def values(self, outputs: Array, targets: Array) -> Array:
        """The negative logarithm of each sample's density, (N,)."""
        power = targets[..., 1]
        constant = np.where(power == 1.0, _CONSTANTS[1.0], _CONSTANTS[2.0])
        return constant + outputs[..., 1] + _size(outputs, targets) ** power / power

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        size, power, sigma = _size(outputs, targets), targets[..., 1], np.exp(outputs[..., 1])
        sign = np.sign(outputs[..., 0] - targets[..., 0])
        return np.stack([sign * size ** (power - 1.0) / sigma, 1.0 - size**power], axis=-1)

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        size, power = _size(outputs, targets), targets[..., 1]
        weight = np.maximum(size, _NEAREST) ** (0.5 * power - 1.0)
        return _diagonal(weight / np.exp(outputs[..., 1]), np.sqrt(power))

    def information(self, outputs: Array, targets: Array) -> Array:
        """The factor S of Fisher's metric ``S S^T``, expected over the noise, (N, 2, 2)."""
        return _diagonal(np.exp(-outputs[..., 1]), np.sqrt(targets[..., 1]))

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        return 1.0

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return 1.0


def _size(outputs: Array, targets: Array) -> Array:
    """``|e / sigma|``, (N,)."""
    return np.abs(outputs[..., 0] - targets[..., 0]) * np.exp(-outputs[..., 1])


def _diagonal(first: Array, second: Array) -> Array:
    S = np.zeros((*first.shape, 2, 2))
    S[..., 0, 0], S[..., 1, 1] = first, second
    return S
