"""Layers that are no map of one point: they draw at random, or mix the points of a batch."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import (
    _BatchNorm,  # pyright: ignore[reportPrivateUsage]
    _NormBase,  # pyright: ignore[reportPrivateUsage]
)
from torch.nn.modules.dropout import _DropoutNd  # pyright: ignore[reportPrivateUsage]

from riemannian_modules.errors import UnsupportedError


def check_maps(where: str, model: nn.Module) -> None:
    """Refuse a model by its first layer which is no map of one point, with the mend.

    Raises:
        UnsupportedError: For a model with such a layer.
    """
    for name, layer in model.named_modules():
        fault = _fault(layer)
        if fault:
            reason, mend = fault
            raise UnsupportedError(
                f"{where}: expected a map of one point, but its layer {name or 'model'!r} "
                f"({type(layer).__name__}) {reason}. {mend}"
            )


def is_map_of_a_point(model: nn.Module) -> bool:
    """Whether no layer draws at random or mixes the points of a batch."""
    return not any(_fault(layer) for layer in model.modules())


def _fault(layer: nn.Module) -> tuple[str, str] | None:
    if isinstance(layer, _BatchNorm) and layer.running_mean is None:
        return (
            "takes its statistics from the batch in every mode",
            "Build it with track_running_stats=True, and call .eval() on the model.",
        )
    if not layer.training:
        return None
    if isinstance(layer, _NormBase) and layer.running_mean is not None:
        return "mixes the points of a batch in training mode", "Call .eval() on the model."
    if isinstance(layer, _DropoutNd | nn.RReLU) or (
        isinstance(layer, nn.RNNBase | nn.MultiheadAttention) and layer.dropout > 0
    ):
        return "draws at random in training mode", "Call .eval() on the model."
    return None
