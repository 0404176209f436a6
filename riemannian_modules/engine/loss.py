"""What a fit minimises: a loss of outputs against targets, with the metric that belongs to it.

Sources: Amari (1998), Neural Computation 10, 251-276; Martens (2020), JMLR 21(146), for Fisher
metrics as generalised Gauss-Newton metrics.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.engine.datasets import Dataset


class Loss(abc.ABC, Shown):
    """A sum over B samples; outputs and targets have shape (B, q), in the outputs' units.

    `fit` calls `check` once: a loss raises DomainError for targets that it does not speak of.
    """

    def check(self, where: str, targets: Array) -> None:
        """Raise DomainError unless the targets are of the kind that the loss speaks of."""
        del where, targets  # any number will do, unless a loss says otherwise

    def value(self, outputs: Array, targets: Array) -> float:
        """The sum over all samples; may be infinite or NaN where the outputs are."""
        return float(np.sum(self.terms(outputs, targets)))

    @abc.abstractmethod
    def gradient(self, outputs: Array, targets: Array) -> Array:
        """The derivative of the value in each output, (B, q)."""

    @abc.abstractmethod
    def factor(self, outputs: Array, targets: Array) -> Array:
        """S with the metric ``S S^T`` of each sample's outputs, (B, q, r)."""

    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        """``S w`` for columns w (B, r): (B, q). Losses of many outputs never form S."""
        return np.einsum("bqr,br->bq", self.factor(outputs, targets), columns)

    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        """``S^T v`` for directions v of the outputs (B, q): (B, r)."""
        return np.einsum("bqr,bq->br", self.factor(outputs, targets), directions)

    @abc.abstractmethod
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        """What the inverse metric is multiplied with to be the covariance of the estimate.

        It is 1 for likelihoods, and the estimated variance of the noise for the squared loss.
        ``parameters`` counts those that the data determine, of which priors leave a part.
        """

    @abc.abstractmethod
    def spread(self, outputs: Array, targets: Array) -> float:
        """The mean square, over samples, of what a step is compared with to judge its size."""

    def mean(self, outputs: Array) -> Array:
        """What targets are expected to be on average, (B, q): the outputs themselves."""
        return outputs

    def terms(self, outputs: Array, targets: Array) -> Array:
        """What each entry adds to the value, (B, q), or each sample, (B, 1).

        Raises:
            UnsupportedError: If the value is no such sum, so that its entries cannot be weighed.
        """
        del outputs, targets
        raise UnsupportedError(
            f"{type(self).__name__} is no sum of terms that can be weighed; leave `weights`, "
            "`sigma` and `missing` out."
        )

    def of(self, data: Dataset) -> Loss:
        """The same loss on other samples, for losses that weigh each sample in its own way."""
        del data
        return self

    def estimating(self) -> Loss:
        """The loss whose metric, times `dispersion`, gives the covariance; mostly the loss."""
        return self


class ResidualLoss(Loss):
    """A loss of the residuals ``y - t`` alone, each of which can be divided by its error."""

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        return 2.0 * self.value(outputs, targets) / len(targets)


def diagonal_factor(weights: Array) -> Array:
    """(B, q) as diagonal matrices (B, q, q)."""
    return weights[..., None] * np.eye(weights.shape[-1])
