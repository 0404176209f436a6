"""How a graph was read from a torch model: which way, why not another, what each layer became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from riemannian_modules.arrays import Places
from riemannian_modules.errors import SignatureError
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_torch.layers.borrowed import Borrowed
from riemannian_torch.torch_module import TorchModule


@final
@dataclass(frozen=True, slots=True, repr=False)
class Layer(Shown):
    """One node of the graph.

    Attributes:
        node: Its name.
        kind: The class of its module.
        operations: What it is in torch.
        is_proved: Whether proofs reach it; torch's own nodes have values and derivatives only.
    """

    node: str
    kind: str
    operations: str
    is_proved: bool

    @override
    def facts(self) -> Facts:
        return Facts(f"{self.node}: {self.operations} as {self.kind}")


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TorchOrigin(Shown):
    """What `from_torch` did; a graph's ``origin``.

    Attributes:
        model: The class of the model.
        way: "torch.export", "torch.fx" or "one module".
        refused: For each way that was tried before, why it was not taken.
        layers: The nodes.
        parameters: For each parameter of the graph, the model's parameter, and which of its entries
            it holds, flat, in the graph's order.
    """

    model: str
    way: str
    refused: Mapping[str, str]
    layers: tuple[Layer, ...]
    parameters: Mapping[str, tuple[str, Places]]

    @property
    def unproved(self) -> tuple[str, ...]:
        """The nodes that no proof reaches."""
        return tuple(layer.node for layer in self.layers if not layer.is_proved)

    @override
    def facts(self) -> Facts:
        own = [layer for layer in self.layers if layer.is_proved]
        others = [
            f"{layer.node} ({layer.operations})" for layer in self.layers if not layer.is_proved
        ]
        rows = [(f"not by {way}", reason) for way, reason in self.refused.items()]
        rows.append(("layers of ours", listed([f"{x.node} ({x.kind})" for x in own]) or "none"))
        rows.append(("torch's own, not proved", listed(others) or "none"))
        return Facts(
            f"{self.model} by {self.way}, {counted(len(self.layers), 'node')}", tuple(rows)
        )

    def write_parameters(self, graph: ModuleGraph, model: nn.Module) -> None:
        """Write the values that a graph has now into a model, in place, as an optimiser does.

        Args:
            graph: The graph that was read, or a twin with other values.
            model: The model, or another of the same parameters.

        Raises:
            SignatureError: If the graph's or the model's parameters are not those that were read.
        """
        values = dict(graph.parameters)
        named = dict(model.named_parameters())
        missing = [n for n in self.parameters if n not in values]
        missing += [t for t, _ in self.parameters.values() if t not in named]
        if missing:
            raise SignatureError(
                f"TorchOrigin: expected the parameters that were read, got none called "
                f"{missing[:8]}. Give the graph of this model, or a twin of it."
            )
        with torch.no_grad():
            for name, (trained, places) in self.parameters.items():
                target = named[trained]
                flat = target.detach().cpu().reshape(-1).clone()
                entries = np.asarray(values[name], dtype=np.float64).ravel()
                flat[torch.as_tensor(places)] = torch.as_tensor(entries, dtype=target.dtype)
                target.copy_(flat.reshape(target.shape))


def kind_of_layer(module: object) -> str:
    """The class that a layer became; what has its parameters from elsewhere is tied."""
    if isinstance(module, Borrowed):
        return f"{type(module.inner).__name__}, tied"
    return type(module).__name__


def is_proved(module: object) -> bool:
    """Whether proofs reach a module."""
    return not isinstance(module, TorchModule)
