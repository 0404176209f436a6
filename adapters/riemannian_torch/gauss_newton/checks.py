"""What the optimizer is given, checked once by its constructor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_torch.gauss_newton.processes_of import put_to_rest


def check_options(
    lr: float,
    momentum: float,
    damping: float,
    trust: float,
    decay: float,
    axis: int,
    overhead: float | None,
) -> None:
    """Check that the options are numbers in their ranges.

    Raises:
        SignatureError: For what is no number.
        DomainError: For numbers outside of their ranges.
    """
    most = 1.0 if overhead is None else overhead
    for name, value, is_right, wanted in [
        ("lr", lr, lambda v: v >= 0, "at least 0"),
        ("momentum", momentum, lambda v: 0 <= v < 1, "in [0, 1)"),
        ("damping", damping, lambda v: v > 0, "above 0"),
        ("trust_region", trust, lambda v: v > 0, "above 0"),
        ("weight_decay", decay, lambda v: v >= 0, "at least 0"),
        ("batch_axis", axis, lambda v: v in (0, 1), "0 or 1"),
        ("max_overhead", most, lambda v: v > 0, "above 0"),
    ]:
        if not isinstance(value, int | float):
            raise SignatureError(
                f"GaussNewton: expected {name} to be a number {wanted}, got {value!r}."
            )
        if not (is_right(value) and math.isfinite(value)):
            raise DomainError(f"GaussNewton: expected {name} {wanted}, got {value!r}.")


def trained_parameters(model: Any) -> list[nn.Parameter]:
    """The parameters that require a gradient.

    Raises:
        SignatureError: If there is none, or the model is no module of torch.
    """
    if not isinstance(model, nn.Module):
        raise SignatureError(
            f"GaussNewton: expected a torch.nn.Module as the model, got {type(model).__name__}. "
            "Parameters of your own go into a Module's attributes."
        )
    put_to_rest(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise SignatureError(
            f"GaussNewton: expected a model with parameters to train, got {type(model).__name__} "
            "with none that requires a gradient. Call requires_grad_() on its layers."
        )
    return trained


def check_parameters(model: nn.Module, parameters: Sequence[Tensor]) -> None:
    """Check that parameters are of the model, and of a usual kind.

    Raises:
        SignatureError: For parameters of another model.
        UnsupportedError: For parameters of several types or devices, sparse or complex ones.
    """
    own = set(model.parameters())
    foreign = [tuple(p.shape) for p in parameters if p not in own]
    if foreign or not parameters:
        raise SignatureError(
            "GaussNewton: expected parameters of the model that is watched, got "
            f"{f'others of shapes {foreign[:4]}' if foreign else 'none that require a gradient'}. "
            "Make a new optimizer where the model has changed."
        )
    for name, p in model.named_parameters():
        if p.requires_grad and (p.is_complex() or p.layout != torch.strided):
            raise UnsupportedError(
                f"GaussNewton: expected dense real parameters, got {name} ({p.dtype}, {p.layout})."
            )
    kinds = {(p.dtype, p.device) for p in parameters}
    if len(kinds) > 1:
        raise UnsupportedError(
            "GaussNewton: expected parameters of one type on one device, got "
            f"{sorted(f'{d} on {v}' for d, v in kinds)}. Use autocast for mixed precision."
        )
