"""What the optimizer is given, checked once by its constructor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError


def check_options(
    lr: float,
    momentum: float,
    damping: float,
    trust: float,
    decay: float,
    axis: int,
    overhead: float | None,
) -> None:
    """DomainError for numbers outside of their ranges."""
    most = 1.0 if overhead is None else overhead
    for name, value, is_right, wanted in [
        ("lr", lr, lr >= 0, "at least 0"),
        ("momentum", momentum, 0 <= momentum < 1, "in [0, 1)"),
        ("damping", damping, damping > 0, "above 0"),
        ("trust_region", trust, trust > 0, "above 0"),
        ("weight_decay", decay, decay >= 0, "at least 0"),
        ("batch_axis", axis, axis in (0, 1), "0 or 1"),
        ("max_overhead", most, most > 0, "above 0"),
    ]:
        if not (is_right and math.isfinite(value)):
            raise DomainError(f"GaussNewton: expected {name} {wanted}, got {value!r}.")


def check_parameters(model: nn.Module, parameters: Sequence[Tensor]) -> None:
    """SignatureError for parameters of another model, UnsupportedError for unusual ones."""
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
