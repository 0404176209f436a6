"""Losses as negative log-likelihoods: by what factor, and with which constants.

Source: Bishop (2006), Pattern Recognition and Machine Learning, sections 4.2 and 4.5.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Self, final

import torch
from torch import Tensor, nn

from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError

_LIKELIHOODS = (
    nn.CrossEntropyLoss, nn.NLLLoss, nn.BCEWithLogitsLoss, nn.MSELoss, nn.PoissonNLLLoss,
    nn.GaussianNLLLoss,
)  # fmt: skip


def number_above_zero(name: str, value: Any) -> float:
    """A positive finite number.

    Raises:
        DomainError: If it is none.
    """
    try:
        given = float(value) if not isinstance(value, str) else math.nan
    except (TypeError, ValueError):
        given = math.nan
    if not (given > 0 and math.isfinite(given)):
        raise DomainError(f"laplace: expected {name} above 0, got {value!r}.")
    return given


@final
@dataclass(frozen=True, eq=False)
class Likelihood:
    """``-log p(y | f) = share * criterion(f, y)`` but for a constant, summed over all outputs.

    Attributes:
        criterion: A copy that sums.
        share: What it is multiplied by.
        noise: Standard deviation of an output, where the criterion leaves it open.
        temperature: What the log-likelihood is divided by.
    """

    criterion: nn.Module
    share: float
    noise: float | None
    temperature: float

    @classmethod
    def of(cls, criterion: nn.Module, noise: float | None, temperature: float) -> Self:
        """The likelihood that a loss module of torch stands for.

        Raises:
            UnsupportedError: For a loss that is no likelihood.
            SignatureError: Where the noise is given for a loss that has none.
            DomainError: For a noise or a temperature that is not positive.
        """
        name = type(criterion).__name__
        if type(criterion) not in _LIKELIHOODS:
            raise UnsupportedError(
                f"laplace: expected a loss that is a log-likelihood, one of "
                f"{', '.join(k.__name__ for k in _LIKELIHOODS)}, got {name}."
            )
        weighted = [k for k in ("weight", "pos_weight") if getattr(criterion, k, None) is not None]
        weighted += ["label_smoothing"] * bool(getattr(criterion, "label_smoothing", 0.0))
        if weighted:
            raise UnsupportedError(
                f"laplace: expected {name} without {', '.join(weighted)}, which make no likelihood "
                "of it. Give the plain loss; the model may have been trained with another."
            )
        is_open = isinstance(criterion, nn.MSELoss)
        if noise is not None and not is_open:
            raise SignatureError(
                f"laplace: expected noise= with MSELoss alone, for {name} has its own; got {noise}."
            )
        sigma = 1.0 if noise is None else noise
        for option, value in (("noise", sigma), ("temperature", temperature)):
            number_above_zero(option, value)
        summing: Any = copy.deepcopy(criterion)
        summing.reduction, summing.full = "sum", False
        share = 0.5 / sigma**2 if is_open else 1.0
        return cls(summing, share / temperature, sigma if is_open else None, temperature)

    def require(self, f: Tensor, y: Tensor) -> None:
        """Refuse outputs and targets of which no likelihood is to be had.

        Raises:
            SignatureError: Where torch would stretch one over the other.
            DomainError: For NaN or infinity in them.
        """
        is_alike = isinstance(self.criterion, nn.MSELoss | nn.PoissonNLLLoss | nn.GaussianNLLLoss)
        if is_alike and f.shape != y.shape:
            raise SignatureError(
                f"laplace: expected targets of the outputs' shape {tuple(f.shape)}, got "
                f"{tuple(y.shape)}. Reshape the targets."
            )
        for name, values in (("outputs", f), ("targets", y)):
            if values.is_floating_point() and not values.isfinite().all():
                raise DomainError(
                    f"laplace: expected finite {name}, got NaN or infinity in a batch. Look for "
                    "missing values in the data, or for a model that has diverged."
                )

    def constant(self, f: Tensor, y: Tensor) -> float:
        """What ``share * criterion`` leaves out of ``-log p`` (divided by the temperature)."""
        half_log_two_pi = 0.5 * math.log(2.0 * math.pi)
        left_out = 0.0
        if self.noise is not None:
            left_out = f.numel() * (half_log_two_pi + math.log(self.noise))
        elif isinstance(self.criterion, nn.GaussianNLLLoss):
            left_out = f.numel() * half_log_two_pi
        elif isinstance(self.criterion, nn.PoissonNLLLoss):
            left_out = float(torch.lgamma(y.double() + 1.0).sum())
        return left_out / self.temperature
