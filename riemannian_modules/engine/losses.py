"""The losses: squared, Gaussian, categorical, Bernoulli and Poisson.

Source: Martens (2020), JMLR 21(146), section 9 (exponential families in their natural coordinates).
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.door import number_array, whole_number
from riemannian_modules.engine.loss import Loss, ResidualLoss, diagonal_factor
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, repr=False)
class SquaredLoss(ResidualLoss):
    """``1/2 sum |y - t|^2``: least squares, with the Gauss-Newton metric."""

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        residual = (outputs - targets).ravel()
        return 0.5 * float(residual.dot(residual))

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return outputs - targets

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        return diagonal_factor(np.ones_like(outputs))

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        return columns

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        return directions

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        freedom = targets.size - parameters
        return 2.0 * self.value(outputs, targets) / freedom if freedom > 0 else math.inf


@final
@dataclass(frozen=True, slots=True, repr=False)
class GaussianLoss(ResidualLoss):
    """Negative log-likelihood of Gaussian noise, one unknown standard deviation for each output.

    The standard deviations are eliminated: at given outputs the likelihood is largest at
    ``s_j^2 = mean (y_j - t_j)^2``, which leaves ``sum_j B log s_j`` and a constant. A fit weighs
    several outputs by their own noise.
    """

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        constant = 0.5 * (1.0 + math.log(2.0 * math.pi))
        return float(len(targets) * np.sum(np.log(self.noise(outputs, targets)) + constant))

    def noise(self, outputs: Array, targets: Array) -> Array:
        """The most likely standard deviation of each output, (q,); not corrected for bias."""
        scale = np.sqrt(np.mean((outputs - targets) ** 2, axis=0))
        # At a perfect fit the likelihood has no bound; rounding gives it one.
        return np.maximum(scale, np.finfo(float).eps * np.max(np.abs(targets), axis=0) + 1e-300)

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return (outputs - targets) / self.noise(outputs, targets) ** 2

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        noise = np.broadcast_to(self.noise(outputs, targets), targets.shape)
        return diagonal_factor(1.0 / noise)

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        return columns / self.noise(outputs, targets)

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        return directions / self.noise(outputs, targets)

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        return 1.0

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return float(targets.shape[-1])


class NaturalLoss(Loss):
    """A negative log-likelihood whose outputs are natural coordinates; its metric is Fisher's."""

    @abc.abstractmethod
    def recession(self, targets: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Directions of the outputs in which the loss never rises, however far one goes.

        Returns:
            Forms (B, k, q) and which of them are bound (B, k): the loss never rises along v where
            all forms of v are at least 0, and the bound ones 0; it falls if one is above 0.
        """

    @override
    def mean(self, outputs: Array) -> Array:
        # In natural coordinates the gradient is the mean minus the target.
        return self.gradient(outputs, np.zeros_like(outputs))

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        return 1.0

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return 1.0


@final
@dataclass(frozen=True, slots=True)
class BernoulliLoss(NaturalLoss):
    """Negative log-likelihood of outcomes 0 or 1 (or their frequencies); the outputs are logits."""

    @override
    def check(self, where: str, targets: Array) -> None:
        if targets.min() < 0.0 or targets.max() > 1.0:
            raise DomainError(
                f"{where}: BernoulliLoss expects targets from 0 to 1, got {targets.min():.6g} to "
                f"{targets.max():.6g}. For counts use PoissonLoss."
            )

    @override
    def terms(self, outputs: Array, targets: Array) -> Array:
        # log(1 + e^y) - t y, kept from overflow.
        return np.logaddexp(0.0, outputs) - targets * outputs

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return _logistic(outputs) - targets

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        return diagonal_factor(_logistic_deviation(outputs))

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        return _logistic_deviation(outputs) * columns

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        return _logistic_deviation(outputs) * directions

    @override
    def recession(self, targets: Array) -> tuple[Array, NDArray[np.bool_]]:
        # Up for a 1, down for a 0; what lies between pulls back from both sides.
        return diagonal_factor(np.where(targets == 0.0, -1.0, 1.0)), (targets > 0.0) & (
            targets < 1.0
        )


@final
@dataclass(frozen=True, slots=True)
class CategoricalLoss(NaturalLoss):
    """Negative log-likelihood of one class among q; the outputs are logits, (B, q).

    Targets are rows of probabilities, for a known class a 1 among zeros (see `one_hot`).
    """

    @override
    def check(self, where: str, targets: Array) -> None:
        gap = np.abs(targets.sum(axis=-1) - 1.0).max()
        if targets.min() < 0.0 or gap > 1e-9:
            raise DomainError(
                f"{where}: CategoricalLoss expects rows of probabilities that sum to 1, got a "
                f"minimum of {targets.min():.6g} and a sum {gap:.3g} off. For class numbers use "
                "one_hot(labels, classes)."
            )

    @override
    def terms(self, outputs: Array, targets: Array) -> Array:
        return -np.sum(targets * _log_softmax(outputs), axis=-1, keepdims=True)

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return np.exp(_log_softmax(outputs)) - targets

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        # (diag(s) - p s^T)(diag(s) - s p^T) = diag(p) - p p^T with s = sqrt p, s.s = 1.
        root = np.exp(0.5 * _log_softmax(outputs))
        return diagonal_factor(root) - root[..., :, None] ** 2 * root[..., None, :]

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        root = np.exp(0.5 * _log_softmax(outputs))
        return root * columns - root**2 * np.sum(root * columns, axis=-1, keepdims=True)

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        root = np.exp(0.5 * _log_softmax(outputs))
        return root * (directions - np.sum(root**2 * directions, axis=-1, keepdims=True))

    @override
    def recession(self, targets: Array) -> tuple[Array, NDArray[np.bool_]]:
        # A likely class against each other; those that have a share keep their distance.
        likely = np.eye(targets.shape[-1])[targets.argmax(axis=-1)]
        return likely[:, None, :] - np.eye(targets.shape[-1]), targets > 0.0


@final
@dataclass(frozen=True, slots=True)
class PoissonLoss(NaturalLoss):
    """Negative log-likelihood of counts; the outputs are logarithms of the rates."""

    @override
    def check(self, where: str, targets: Array) -> None:
        if targets.min() < 0.0:
            raise DomainError(
                f"{where}: PoissonLoss expects counts of at least 0, got {targets.min():.6g}."
            )

    @override
    def terms(self, outputs: Array, targets: Array) -> Array:
        from scipy.special import gammaln

        return np.exp(outputs) - targets * outputs + gammaln(targets + 1.0)

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return np.exp(outputs) - targets

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        return diagonal_factor(np.exp(0.5 * outputs))

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        return np.exp(0.5 * outputs) * columns

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        return np.exp(0.5 * outputs) * directions

    @override
    def recession(self, targets: Array) -> tuple[Array, NDArray[np.bool_]]:
        # Down for a count of 0.
        return diagonal_factor(np.full_like(targets, -1.0)), targets > 0.0


def one_hot(labels: Array, classes: int) -> Array:
    """Class numbers (B,) as rows of probabilities (B, classes).

    Args:
        labels: (B,), whole numbers from 0.
        classes: How many classes there are.

    Raises:
        SignatureError: If the labels are not one whole number for each sample.
        DomainError: If a label is not a whole number from 0 to classes - 1.
    """
    numbers = number_array("one_hot: labels", labels)
    whole_number("one_hot: classes", classes, 1)
    if numbers.ndim != 1:
        raise SignatureError(f"one_hot: expected labels of shape (B,), got {numbers.shape}.")
    if numbers.size * classes > 2**31:
        raise SignatureError(f"one_hot: {len(numbers)} x {classes} entries do not fit in memory.")
    if not ((numbers >= 0) & (numbers < classes) & (numbers % 1 == 0)).all():
        raise DomainError(f"one_hot: expected labels from 0 to {classes - 1}, got {numbers[:8]}.")
    return np.eye(classes)[numbers.astype(int)]


def _logistic(y: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -y))


def _logistic_deviation(y: Array) -> Array:
    """``sqrt(p (1 - p)) = e^(-|y| / 2) / (1 + e^-|y|)``, kept from overflow."""
    return np.exp(-0.5 * np.abs(y)) / (1.0 + np.exp(-np.abs(y)))


def _log_softmax(y: Array) -> Array:
    shifted = y - y.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
