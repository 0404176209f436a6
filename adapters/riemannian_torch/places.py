"""The places of a model that hold its tensors, and what is put back into them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from torch import nn


def slots(model: nn.Module) -> dict[str, str]:
    """Each place of the model that holds a parameter or a buffer, once, and that tensor's name.

    A tensor that stands in several places has the name of the first, as in ``named_parameters()``.
    """
    first: dict[int, str] = {}
    found: dict[str, str] = {}
    for name, layer in model.named_modules():
        for own, values in chain(
            layer.named_parameters(recurse=False, remove_duplicate=False),
            layer.named_buffers(recurse=False, remove_duplicate=False),
        ):
            slot = f"{name}.{own}" if name else own
            found[slot] = first.setdefault(id(values), slot)
    return found


@contextmanager
def untouched(model: nn.Module) -> Generator[None]:
    """Leave the user's model as it was: its tensors in their places, their flags, its modes."""
    layers = [
        (layer, layer.training, [(held, dict(held)) for held in _tables(layer)])
        for layer in model.modules()
    ]
    flags = [(p, p.requires_grad) for p in model.parameters()]
    try:
        yield
    finally:
        for layer, is_training, tables in layers:
            layer.training = is_training
            for held, before in tables:
                held.clear()
                held.update(before)
        for parameter, needs_gradient in flags:
            parameter.requires_grad_(needs_gradient)


def _tables(layer: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    return layer._parameters, layer._buffers  # pyright: ignore[reportPrivateUsage]
