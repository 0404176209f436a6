"""What a name of a model's graph stands for while the model is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riemannian_modules.spaces import Array
from riemannian_torch.tensors import array


class NotLayeredError(Exception):
    """Why a model cannot be read layer by layer; the next way is tried."""


@final
@dataclass(frozen=True, slots=True)
class Signal:
    """Numbers that depend on the model's inputs: an output port of a node, or an input.

    Attributes:
        node: The node, or "" for an input of the model.
        port: The port of the node, or the input.
        shape: Its shape in torch, the batch of one included.
    """

    node: str
    port: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=np.int64))

    def reshaped(self, shape: tuple[int, ...]) -> Signal:
        """The same entries under another shape."""
        return Signal(self.node, self.port, shape)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Entries of a parameter that is trained.

    Attributes:
        name: The parameter's name in the model.
        parameter: The parameter.
        places: Which of its entries, flat, as doubles, of the shape that they have here.
    """

    name: str
    parameter: Tensor
    places: Tensor

    @property
    def indices(self) -> NDArray[np.intp]:
        """The places as integers."""
        return self.places.numpy().astype(np.intp)

    @property
    def values(self) -> Array:
        """The entries, in float64."""
        return array(self.parameter).ravel()[self.indices]


@final
@dataclass(frozen=True, slots=True)
class Parametric:
    """Depends on parameters alone, in a way that is torch's."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class SignalPieces:
    """Several arrays of entries of one signal, as a split gives: each by its places."""

    signal: Signal
    places: tuple[Tensor, ...]


Value: TypeAlias = Signal | Trained | Parametric | SignalPieces | Tensor | Any


def whole(name: str, parameter: Tensor) -> Trained:
    """All of a parameter."""
    return Trained(name, parameter, numbered(tuple(parameter.shape)))


def numbered(shape: tuple[int, ...]) -> Tensor:
    """The places 0, 1, ... in an array of a shape, as doubles, which are exact up to 2^53."""
    return torch.arange(int(np.prod(shape, dtype=np.int64)), dtype=torch.float64).reshape(shape)
