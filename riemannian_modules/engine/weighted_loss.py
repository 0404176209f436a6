"""A loss of measurements that are not known equally well, some of them not known at all.

Source: Aitken (1936), Proc. Roy. Soc. Edinburgh 55, 42-48 (least squares with weights).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.loss import Loss, ResidualLoss
from riemannian_modules.engine.losses import NaturalLoss, SquaredLoss
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.engine.datasets import Dataset


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeighedLoss(Loss):
    """A loss that counts each entry of its own samples in its own way.

    Attributes:
        inner: The loss where all count alike.
        weights: Of each entry, (B, q); 0 where nothing was measured.
    """

    inner: Loss
    weights: Array

    @override
    def of(self, data: Dataset) -> Self:
        return replace(self, weights=data.weighing)

    @override
    def check(self, where: str, targets: Array) -> None:
        self.inner.check(where, targets)

    @override
    def mean(self, outputs: Array) -> Array:
        return self.inner.mean(outputs)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WhitenedLoss(WeighedLoss):
    """A loss of residuals over their standard deviations, summed over what was measured.

    Attributes:
        inner: Of the whitened residuals.
        weights: ``1 / sigma^2`` of each entry, (B, q); 0 where nothing was measured.
        is_absolute: Whether sigma is known, so that least squares do not estimate its size.
    """

    inner: ResidualLoss
    is_absolute: bool

    @override
    def estimating(self) -> Loss:
        inner = self.inner.estimating()
        assert isinstance(inner, ResidualLoss)
        return replace(self, inner=inner)

    def _blocks(self, outputs: Array, targets: Array) -> Iterator[tuple[Any, Array, Array]]:
        """All entries at once, or each output's measured ones: their places and both whitened."""
        sigma_inverse = np.sqrt(self.weights)
        y, t = sigma_inverse * outputs, sigma_inverse * targets
        if self.weights.all():
            yield np.ix_(np.arange(y.shape[0]), np.arange(y.shape[1])), y, t
            return
        for j in range(y.shape[-1]):
            places = np.ix_(np.flatnonzero(self.weights[:, j]), np.array([j]))
            if places[0].size:
                yield places, y[places], t[places]

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        return sum(self.inner.value(y, t) for _, y, t in self._blocks(outputs, targets))

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        g = np.zeros(np.broadcast_shapes(outputs.shape, self.weights.shape))
        for places, y, t in self._blocks(outputs, targets):
            g[places] = self.inner.gradient(y, t)
        return np.sqrt(self.weights) * g

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        shape = np.broadcast_shapes(outputs.shape, self.weights.shape)
        S = np.zeros((*shape, shape[-1]))
        for (rows, columns), y, t in self._blocks(outputs, targets):
            S[rows[..., None], columns[..., None], columns[:, None]] = self.inner.factor(y, t)
        return np.sqrt(self.weights)[..., None] * S

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        v = np.zeros(self.weights.shape)
        for places, y, t in self._blocks(outputs, targets):
            v[places] = self.inner.colour(y, t, columns[places])
        return np.sqrt(self.weights) * v

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        w, whitened = np.zeros(self.weights.shape), np.sqrt(self.weights) * directions
        for places, y, t in self._blocks(outputs, targets):
            w[places] = self.inner.colour_adjoint(y, t, whitened[places])
        return w

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        if self.is_absolute and isinstance(self.inner, SquaredLoss):
            return 1.0
        measured, root = self.weights > 0.0, np.sqrt(self.weights)
        y, t = ((root * a)[measured][:, None] for a in (outputs, targets))
        return self.inner.dispersion(y, t, parameters)

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        total = sum(len(y) * self.inner.spread(y, t) for _, y, t in self._blocks(outputs, targets))
        return total / len(targets)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightedLikelihood(WeighedLoss, NaturalLoss):
    """A negative log-likelihood whose terms count ``weights`` times.

    Attributes:
        inner: The likelihood.
        weights: (B, q), at least 0; 0 where nothing was measured.
    """

    inner: NaturalLoss

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        terms = self.inner.terms(outputs, targets)
        return float(np.sum(self.weights[:, : terms.shape[-1]] * terms))

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        return self.weights * self.inner.gradient(outputs, targets)

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        return np.sqrt(self.weights)[..., None] * self.inner.factor(outputs, targets)

    @override
    def colour(self, outputs: Array, targets: Array, columns: Array) -> Array:
        return np.sqrt(self.weights) * self.inner.colour(outputs, targets, columns)

    @override
    def colour_adjoint(self, outputs: Array, targets: Array, directions: Array) -> Array:
        whitened = np.sqrt(self.weights) * directions
        return self.inner.colour_adjoint(outputs, targets, whitened)

    @override
    def recession(self, targets: Array) -> tuple[Array, NDArray[np.bool_]]:
        forms, is_bound = self.inner.recession(targets)
        counts = np.any(self.weights[:, None, :] * forms != 0.0, axis=-1)
        return forms * counts[..., None], is_bound & counts
