"""A normal distribution of a model's parameters, and what it says of outputs.

The precision is ``H + delta I``, H the exact metric (Gauss-Newton, Fisher) summed over the data.
Sources: MacKay (1992), Neural Computation 4, 448-472 (evidence); Immer, Korzepa and Bauer (2021),
AISTATS (linearised predictions); Spiegelhalter and Lauritzen (1990), Networks 20, 579-605 (for
classes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from typing_extensions import override

from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_torch.laplace_posterior.likelihood import Likelihood, number_above_zero
from riemannian_torch.laplace_posterior.model_columns import output_columns

_WIDEST = 10.0  # decades of the prior precision that are searched, to both sides of 1


@final
@dataclass(frozen=True, eq=False)
class PosteriorBlock:
    """Parameters with a joint posterior: ``H = Q diag(values) Q^T`` on them, in float64.

    Attributes:
        names: Of the parameters, in the order of the n coordinates.
        mean: (n,).
        axes: Q, (n, r), orthonormal.
        values: (r,), not negative; H is 0 at right angles to Q.
    """

    names: tuple[str, ...]
    mean: Tensor
    axes: Tensor
    values: Tensor

    def logdet(self, delta: float) -> float:
        """``log |H / delta + I|``."""
        return float(torch.log1p(self.values / delta).sum())

    def covariance(self, J: Tensor, delta: float) -> Tensor:
        """``J (H + delta I)^-1 J^T`` for J (B, d, n)."""
        seen = J @ self.axes
        unseen = J - seen @ self.axes.T
        scaled = seen / (self.values + delta)
        return scaled @ seen.mT + unseen @ unseen.mT / delta

    def variance(self, delta: float) -> Tensor:
        """The diagonal of the covariance, (n,)."""
        kept = self.axes.square()
        return kept @ (1.0 / (self.values + delta)) + (1.0 - kept.sum(1)).clamp_min(0.0) / delta

    def drawn(self, z: Tensor, delta: float) -> Tensor:
        """``mean + (H + delta I)^-1/2 z`` for z (k, n)."""
        seen = z @ self.axes
        scaled = seen * ((self.values + delta) ** -0.5 - delta**-0.5)
        return self.mean + z / math.sqrt(delta) + scaled @ self.axes.T


@final
@dataclass(frozen=True, eq=False)
class LaplacePrediction:
    """Outputs as a linearised model gives them, uncertain as its parameters are.

    Attributes:
        outputs: f, (B, ...).
        covariance: Of each sample's d outputs, (B, d, d).
        noise: Standard deviation of what is observed beside f; None where it is no Gaussian one.
    """

    outputs: Tensor
    covariance: Tensor
    noise: float | None

    @property
    def variance(self) -> Tensor:
        """Of each output, in their shape."""
        return self.covariance.diagonal(dim1=1, dim2=2).reshape(self.outputs.shape)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of a new observation, or of the outputs where there is no noise."""
        return (self.variance + (self.noise or 0.0) ** 2).sqrt()


@final
@dataclass(frozen=True, eq=False)
class Posterior:
    """Laplace's approximation at the parameters that a model had, from `laplace`.

    Attributes:
        model: A copy, in evaluation mode.
        likelihood: Of the outputs.
        blocks: Groups of parameters, independent of each other.
        log_likelihood: Of the data, at the mean.
        prior_precision: delta: parameters are N(0, I / delta) before any data.
        samples_seen: How many samples the data had.
        batch_axis: Of the samples.
    """

    model: nn.Module
    likelihood: Likelihood
    blocks: tuple[PosteriorBlock, ...]
    log_likelihood: float
    prior_precision: float
    samples_seen: int
    batch_axis: int

    @property
    def mean(self) -> dict[str, Tensor]:
        """The parameters by name."""
        return self._by_name([block.mean[None] for block in self.blocks], squeeze=True)

    @property
    def variance(self) -> dict[str, Tensor]:
        """Of each parameter alone, by name, in its shape."""
        found = [block.variance(self.prior_precision)[None] for block in self.blocks]
        return self._by_name(found, squeeze=True)

    @property
    def log_evidence(self) -> float:
        """``log p(data)``: likelihood and prior at the mean, and the volume about it.

        ``log p(D | m) - delta |m|^2 / 2 - log |H / delta + I| / 2``, natural logarithm.
        """
        delta = self.prior_precision
        size = sum(float(block.mean.square().sum()) for block in self.blocks)
        volume = sum(block.logdet(delta) for block in self.blocks)
        return self.log_likelihood - 0.5 * delta * size - 0.5 * volume

    @property
    def effective_parameters(self) -> float:
        """How many directions the data have decided: ``sum_i lambda_i / (lambda_i + delta)``."""
        delta = self.prior_precision
        return sum(float((b.values / (b.values + delta)).sum()) for b in self.blocks)

    def with_prior_precision(self, delta: float) -> Posterior:
        """The same data under another prior; the mean stays where it is. O(1).

        Args:
            delta: Positive.

        Raises:
            DomainError: If it is not positive.
        """
        return replace(self, prior_precision=positive_precision(delta))

    def tuned(self) -> Posterior:
        """With the prior precision of the largest evidence; O(r) for each one that is tried."""

        def loss(decades: float) -> float:
            return -replace(self, prior_precision=10.0**decades).log_evidence

        found: Any = minimize_scalar(loss, bounds=(-_WIDEST, _WIDEST), method="bounded")
        return replace(self, prior_precision=float(10.0**found.x))

    def samples(self, count: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Parameters drawn from the posterior, by name: (count, *shape), for `functional_call`.

        Args:
            count: How many.
            generator: Of random numbers; torch's own where absent.

        Raises:
            SignatureError: For a count below 0.
        """
        if count < 0:
            raise SignatureError(f"Posterior.samples: expected a count of 0 or more, got {count}.")
        found: list[Tensor] = []
        for block in self.blocks:
            z = torch.randn(count, len(block.mean), generator=generator, dtype=torch.float64)
            found.append(block.drawn(z, self.prior_precision))
        return self._by_name(found)

    def predict(self, *arguments: Any) -> LaplacePrediction:
        """The outputs of the model linearised at the mean, with their covariance.

        Args:
            arguments: What the model takes.

        Cost: d backward passes, vectorised, and B d n numbers.
        """
        named = dict(self.model.named_parameters())
        order = [named[name] for block in self.blocks for name in block.names]
        f, J = output_columns(self.model, order, self.batch_axis, arguments)
        covariance, start = 0.0, 0
        for block in self.blocks:
            own = J[..., start : start + len(block.mean)]
            covariance = covariance + block.covariance(own, self.prior_precision)
            start += len(block.mean)
        assert isinstance(covariance, Tensor)
        return LaplacePrediction(f, covariance.to(f), self.likelihood.noise)

    def probabilities(self, *arguments: Any) -> Tensor:
        """Of the classes, with the parameters' uncertainty: ``f / sqrt(1 + pi var / 8)``.

        Args:
            arguments: What the model takes.

        Raises:
            UnsupportedError: For a loss that is not of classes.
        """
        criterion = self.likelihood.criterion
        found = self.predict(*arguments)
        scaled = found.outputs / torch.sqrt(1.0 + math.pi / 8.0 * found.variance)
        if isinstance(criterion, nn.BCEWithLogitsLoss):
            return torch.sigmoid(scaled)
        if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss):
            return torch.softmax(scaled, 1)
        raise UnsupportedError(
            f"Posterior.probabilities: expected a loss of classes, got {type(criterion).__name__}. "
            "Use predict."
        )

    def _by_name(self, values: list[Tensor], *, squeeze: bool = False) -> dict[str, Tensor]:
        """Coordinates (k, n) of each block as parameters (k, *shape)."""
        shapes: Mapping[str, Tensor] = dict(self.model.named_parameters())
        found: dict[str, Tensor] = {}
        for block, value in zip(self.blocks, values, strict=True):
            own = [shapes[name] for name in block.names]
            parts = value.split([p.numel() for p in own], dim=1)
            for name, p, part in zip(block.names, own, parts, strict=True):
                shaped = part.reshape(len(part), *p.shape).to(p)
                found[name] = shaped[0] if squeeze else shaped
        return found

    @override
    def __repr__(self) -> str:
        numbers = sum(len(b.mean) for b in self.blocks)
        kind = "jointly" if len(self.blocks) == 1 else f"in {len(self.blocks)} independent layers"
        return (
            f"Laplace posterior of {numbers:,} parameters {kind}, from {self.samples_seen:,} "
            f"samples\n  log evidence: {self.log_evidence:.6g}; prior precision: "
            f"{self.prior_precision:.4g}; directions that the data decide: "
            f"{self.effective_parameters:.1f}"
        )


def positive_precision(delta: float) -> float:
    """Delta, or DomainError."""
    return number_above_zero("a prior precision", delta)
