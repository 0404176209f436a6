"""Robust losses: Huber, soft L1, Cauchy and Student-t, of which outliers pull with bounded force.

Sources: Huber (1981), Robust Statistics, section 7.6 (covariance); Lange, Little and Taylor (1989),
JASA 84, 881-896 (Student-t); Triggs et al. (2000), Bundle Adjustment, section 4 (second order).
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.door import number
from riemannian_modules.engine.loss import ResidualLoss, diagonal_factor
from riemannian_modules.errors import DomainError
from riemannian_modules.spaces import Array

LossCurve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
_LEAST_WEIGHT = 0.1  # of an outlier in the metric, beside its weight in the gradient


@dataclass(frozen=True, slots=True, repr=False)
class RobustLoss(ResidualLoss):
    """``sum scale^2 / 2 rho((y - t)^2 / scale^2)``: squares up to ``scale``, less beyond it.

    The metric weighs each residual by the curvature where that is positive, else by a tenth of
    ``rho'``. The estimate's covariance is that of an M-estimator:
    ``K^2 [sum psi^2 / (n - p)] / mean(psi')^2 (J^T J)^-1``, true for outliers of either sign.

    Attributes:
        scale: The residual from which a measurement counts as an outlier: in the outputs' unit, or
            in standard deviations where `sigma` is given.
    """

    scale: float

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = number(f"{type(self).__name__}: {name}", getattr(self, name))
            if not value > 0.0:
                raise DomainError(
                    f"{type(self).__name__}: {name}: expected a positive number, got {value}."
                )

    @abc.abstractmethod
    def shape(self, s: Array) -> LossCurve:
        """``rho``, ``rho'`` and ``rho' + 2 s rho''`` at squares s of residuals over `width`."""

    @property
    def width(self) -> float:
        """What residuals are divided by."""
        return self.scale

    @property
    def height(self) -> float:
        """What the loss of the shape is multiplied with."""
        return 1.0

    def scaled_shape(self, outputs: Array, targets: Array) -> LossCurve:
        """The shape of each entry, times `height`: loss, weight, and curvature, (B, q) each."""
        rho, weight, curvature = self.shape(((outputs - targets) / self.width) ** 2)
        return self.height * rho, self.height * weight, self.height * curvature

    @override
    def terms(self, outputs: Array, targets: Array) -> Array:
        return 0.5 * self.width**2 * self.scaled_shape(outputs, targets)[0]

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return (outputs - targets) * self.scaled_shape(outputs, targets)[1]

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        _, weight, curvature = self.scaled_shape(outputs, targets)
        roots = np.sqrt(np.maximum(curvature, _LEAST_WEIGHT * weight))
        return diagonal_factor(roots)

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        n, (_, weight, curvature) = targets.size, self.scaled_shape(outputs, targets)
        mean = float(np.mean(curvature))
        if n <= parameters or mean <= 0.0:
            return math.inf
        # Huber's K corrects the first order of p / n.
        K = 1.0 + parameters / n * float(np.var(curvature)) / mean**2
        psi = (outputs - targets) * weight
        return K**2 * float(np.sum(psi**2)) / (n - parameters) / mean

    @override
    def estimating(self) -> ResidualLoss:
        return _MeanCurvature(self)


@final
@dataclass(frozen=True, slots=True, repr=False)
class HuberLoss(RobustLoss):
    """Squares up to ``scale``, straight lines beyond: convex; outliers pull with equal force.

    Attributes:
        scale: The residual from which a measurement counts as an outlier; by default 95 % as
            efficient as least squares where there is none and sigma is given.
    """

    scale: float = 1.345

    @override
    def shape(self, s: Array) -> LossCurve:
        root, inside = np.sqrt(np.maximum(s, 1.0)), s <= 1.0
        return np.where(inside, s, 2.0 * root - 1.0), 1.0 / root, inside.astype(np.float64)


@final
@dataclass(frozen=True, slots=True, repr=False)
class SoftL1Loss(RobustLoss):
    """``rho = 2 (sqrt(1 + s) - 1)``: Huber's loss without its kink in the curvature.

    Attributes:
        scale: The residual from which a measurement counts as an outlier.
    """

    scale: float = 1.0

    @override
    def shape(self, s: Array) -> LossCurve:
        root = np.sqrt(1.0 + s)
        return 2.0 * s / (root + 1.0), 1.0 / root, root**-3.0


@final
@dataclass(frozen=True, slots=True, repr=False)
class CauchyLoss(RobustLoss):
    """``rho = log(1 + s)``: outliers pull less the further they lie; not convex.

    Attributes:
        scale: The residual from which a measurement counts as an outlier; by default as efficient
            as Huber's.
    """

    scale: float = 2.385

    @override
    def shape(self, s: Array) -> LossCurve:
        return _logarithmic(s)


@final
@dataclass(frozen=True, slots=True, repr=False)
class StudentLoss(RobustLoss):
    """Negative log-likelihood of Student's t noise, less its constants.

    The covariance is the inverse Fisher information, that of a measurement being
    ``(nu + 1) / (nu + 3) / scale^2``.

    Attributes:
        scale: Of the noise, in the outputs' unit or in units of `sigma`; known.
        freedom: nu, the degrees of freedom: 1 is Cauchy's noise, many are Gaussian noise.
    """

    scale: float = 1.0
    freedom: float = 4.0

    @property
    @override
    def width(self) -> float:
        return self.scale * math.sqrt(self.freedom)

    @property
    @override
    def height(self) -> float:
        return (self.freedom + 1.0) / self.width**2

    @property
    def information(self) -> float:
        """Fisher's, of each measurement."""
        return (self.freedom + 1.0) / (self.freedom + 3.0) / self.scale**2

    @override
    def shape(self, s: Array) -> LossCurve:
        return _logarithmic(s)

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        return 1.0

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return float(targets.shape[-1])


@final
@dataclass(frozen=True, slots=True, repr=False)
class _MeanCurvature(ResidualLoss):
    """A robust loss whose metric is what its curvature is on average, which may not be positive."""

    loss: RobustLoss

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        return self.loss.value(outputs, targets)

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return self.loss.gradient(outputs, targets)

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        if isinstance(self.loss, StudentLoss):
            mean = self.loss.information
        else:
            mean = float(np.mean(self.loss.scaled_shape(outputs, targets)[2]))
        root = math.sqrt(max(mean, 0.0))
        return root * np.broadcast_to(
            np.eye(outputs.shape[-1]), (*outputs.shape, outputs.shape[-1])
        )

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        return self.loss.dispersion(outputs, targets, parameters)

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return self.loss.spread(outputs, targets)


def _logarithmic(s: Array) -> LossCurve:
    """That of Cauchy's noise, and of Student's."""
    return np.log1p(s), 1.0 / (1.0 + s), (1.0 - s) / (1.0 + s) ** 2
