"""The border between NumPy float64 arrays and the model's tensors.

A float32 model computes in float32: numbers are rounded once on their way in, and nothing that
comes back is more precise than float32, though it is stored in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True)
class TensorKind:
    """The floating type and the device that a model computes with."""

    dtype: torch.dtype
    device: torch.device

    def tensor(self, values: Array) -> Tensor:
        """A copy of ``values``, rounded to the model's type, on its device."""
        # ascontiguousarray, for torch reads no negative strides.
        return torch.tensor(np.ascontiguousarray(values), dtype=self.dtype, device=self.device)

    def lent(self, values: Array) -> Tensor:
        """The same, but the array's own memory where nothing is converted: not to be written to."""
        if (
            self.dtype is not torch.float64
            or self.device.type != "cpu"
            or not values.flags.writeable
        ):
            return self.tensor(values)
        return torch.from_numpy(np.ascontiguousarray(values))


def kind_of(model: nn.Module) -> TensorKind:
    """The model's kind now, told by its first floating tensor; float64 where it has none."""
    for values in chain(model.parameters(), model.buffers()):
        if values.is_floating_point():
            return TensorKind(values.dtype, values.device)
    return TensorKind(torch.float64, torch.device("cpu"))


def array(values: Tensor) -> Array:
    """The tensor's numbers in float64; where nothing is converted, the tensor's own memory."""
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)


def check_numbers(where: str, model: nn.Module) -> None:
    """Check that the model computes in one of float64 and float32, on one device.

    Raises:
        UnsupportedError: For a model that does not.
    """
    named = [*model.named_parameters(), *model.named_buffers()]
    lazy = [name for name, values in named if torch.nn.parameter.is_lazy(values)]
    if lazy:
        raise UnsupportedError(
            f"{where}: expected parameters with shapes, got lazy ones without: {lazy[:8]}. Call "
            "the model once on an example, then wrap it."
        )
    integral = [name for name, p in model.named_parameters() if not p.is_floating_point()]
    if integral:
        raise UnsupportedError(
            f"{where}: expected real parameters, got dtypes without a derivative in "
            f"{integral[:8]}. Register them as buffers."
        )
    real = {name: v for name, v in named if v.is_floating_point() or v.is_complex()}
    dtypes = {str(v.dtype).removeprefix("torch.") for v in real.values()}
    if len(dtypes) > 1 or dtypes - {"float32", "float64"}:
        raise UnsupportedError(
            f"{where}: expected float64 or float32 throughout, got {sorted(dtypes)}. Convert the "
            "model with .double() or .float()."
        )
    devices = {str(v.device) for v in real.values()}
    if len(devices) > 1 or "meta" in devices:
        raise UnsupportedError(
            f"{where}: expected all parameters and buffers on one device, got {sorted(devices)}. "
            "Move the model with .to(device)."
        )
