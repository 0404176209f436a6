"""Single numbers: floats where a tensor's value is at hand, tensors where a device has it.

On the CPU an operation of torch takes fifty times as long as one of Python; elsewhere reading a
value waits for the device. The formulas of `damped_step` are written once for both.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor

Scalar: TypeAlias = float | Tensor


def number(x: Tensor) -> Scalar:
    """The value of a tensor without axes, which stays on its device."""
    return x.item() if x.device.type == "cpu" else x


def at_least(x: Scalar, least: float) -> Scalar:
    """The larger of two; NaN stays NaN."""
    if isinstance(x, Tensor):
        return x.clamp_min(least)
    return least if x < least else x


def at_most(x: Scalar, most: float) -> Scalar:
    """The smaller of two; NaN stays NaN."""
    if isinstance(x, Tensor):
        return x.clamp_max(most)
    return most if x > most else x


def where_positive(x: Scalar, yes: Scalar, no: Scalar) -> Scalar:
    """``yes`` where x is above 0, else ``no``."""
    if isinstance(x, Tensor):
        return torch.where(x > 0, yes, no)
    return yes if x > 0 else no


def exp(x: Scalar) -> Scalar:
    """E to the x."""
    return x.exp() if isinstance(x, Tensor) else math.exp(x)


def tanh(x: Scalar) -> Scalar:
    """The hyperbolic tangent."""
    return x.tanh() if isinstance(x, Tensor) else math.tanh(x)


def root(x: Scalar) -> Scalar:
    """The square root of what is not negative."""
    return x.sqrt() if isinstance(x, Tensor) else math.sqrt(x)
