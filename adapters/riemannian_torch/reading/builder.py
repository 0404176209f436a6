"""The graph that grows while a model is read: nodes by name, their wires, whose parameters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from riemannian_modules.modules import Mux
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.space import Array, Port, Space
from riemannian_torch.layers.fixed_affine import FixedAffine
from riemannian_torch.reading.values import NotLayeredError, Signal, Trained, numbered

Places = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Where a parameter of the model went.

    Attributes:
        parameter: Its name in the graph, "node.W".
        trained: The model's parameter, and which of its entries, in the graph's order.
    """

    parameter: str
    trained: Trained


@final
@dataclass(slots=True, eq=False)
class Builder:
    """Nodes and wires so far; the one thing that changes while a model is read."""

    nodes: dict[str, RiemannianModule] = field(default_factory=dict[str, RiemannianModule])
    operations: dict[str, str] = field(default_factory=dict[str, str])
    edges: dict[tuple[str, str], Signal] = field(default_factory=dict[tuple[str, str], Signal])
    kept: list[Kept] = field(default_factory=list[Kept])
    path: str = ""
    operation: str = ""
    _shared: dict[Hashable, RiemannianModule] = field(
        default_factory=dict[Hashable, RiemannianModule]
    )
    _owners: dict[str, Places] = field(default_factory=dict[str, Places])

    def name(self, more: str = "") -> str:
        """A free name for a node of the operation at hand."""
        base = self.path.replace(".", "_") or self.operation
        base = f"{base}_{more}" if more else base
        if base in self.nodes and not more and self.path:
            base = f"{base}_{self.operation}"
        found, count = base, 1
        while found in self.nodes:
            count += 1
            found = f"{base}_{count}"
        return found

    def place(
        self,
        module: RiemannianModule,
        inputs: Sequence[Signal],
        shape: Sequence[int],
        more: str = "",
    ) -> Signal:
        """Add a node that takes ``inputs`` at its ports, in order; its one output as a signal."""
        name = self.name(more)
        self.nodes[name] = module
        self.operations[name] = self.operation
        for port, signal in zip(module.inputs.names, inputs, strict=True):
            self.edges[name, port] = signal
        return Signal(name, module.outputs.names[0], tuple(shape))

    def weighted(
        self,
        key: Hashable,
        make: Any,
        trained: dict[str, Trained],
        inputs: Sequence[Signal],
        shape: Sequence[int],
    ) -> Signal:
        """`place` a module that holds parameters; the same key means the same module again.

        Raises:
            NotLayeredError: Where a parameter is held by another module already.
        """
        whole = (key, tuple((n, t.name, t.indices.tobytes()) for n, t in trained.items()))
        known = self._shared.get(whole)
        module = make() if known is None else known
        found = self.place(module, inputs, shape)
        if known is None:
            self._shared[whole] = module
            for name, part in trained.items():
                self.own(part, f"{found.node}.{name}")
        return found

    def own(self, trained: Trained, parameter: str) -> None:
        """Note that a module holds entries of a parameter; only one holds each."""
        size = trained.parameter.numel()
        owners = self._owners.setdefault(trained.name, np.zeros(size, dtype=np.int64))
        places = trained.indices.ravel()
        if owners[places].any():
            raise NotLayeredError(
                f"the parameter {trained.name!r} is used by two layers in different ways"
            )
        owners[places] = 1
        self.kept.append(Kept(parameter, trained))

    def affine(
        self, matrix: csr_array, offset: Array, signal: Signal, shape: Sequence[int], more: str = ""
    ) -> Signal:
        """``A u + c`` with constants; nothing is added where that is u."""
        m = signal.size
        is_square = matrix.shape == (m, m) and not offset.any()
        if is_square and abs(matrix - diagonal(np.ones(m))).max() == 0:
            return signal.reshaped(tuple(shape))
        return self.place(FixedAffine(matrix, offset), [signal], shape, more)

    def selected(
        self, signal: Signal, places: Tensor, constants: Array | None = None, more: str = ""
    ) -> Signal:
        """The entries of a signal at places; those below zero are constants, zero by default."""
        flat = places.detach().numpy().ravel().astype(np.intp)
        q, m = len(flat), signal.size
        if q == m and np.array_equal(flat, np.arange(m)):
            return signal.reshaped(tuple(places.shape))
        rows = np.flatnonzero((flat >= 0) & (flat < m))
        matrix = csr_array((np.ones(len(rows)), (rows, flat[rows])), shape=(q, m))
        offset = np.zeros(q) if constants is None else constants
        return self.place(FixedAffine(matrix, offset), [signal], places.shape, more)

    def joined(self, signals: Sequence[Signal]) -> Signal:
        """Several signals as one vector."""
        if len(signals) == 1:
            return signals[0]
        module = Mux(Space(tuple(Port(f"u{i}", (s.size,)) for i, s in enumerate(signals, 1))))
        size = sum(s.size for s in signals)
        return self.place(module, signals, (size,), "join")

    def spread(self, signal: Signal, shape: Sequence[int]) -> Signal:
        """A signal broadcast to a shape."""
        return self.selected(
            signal, torch.broadcast_to(numbered(signal.shape), tuple(shape)), more="spread"
        )


def diagonal(entries: Array) -> csr_array:
    """The sparse diagonal matrix."""
    n, at = entries.size, np.arange(entries.size)
    return csr_array((entries.ravel(), (at, at)), shape=(n, n))
