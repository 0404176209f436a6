"""The graph that grows while a model is read: nodes by name, their wires, whose parameters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from riemannian_modules.arrays import Places
from riemannian_modules.modules import Mux
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.structured_map import StructuredMap
from riemannian_modules.spaces import Array, Port, Space
from riemannian_torch.layers.borrowed import Borrowed
from riemannian_torch.layers.fixed_affine import FixedAffine
from riemannian_torch.reading.values import NotLayeredError, Signal, Trained, numbered


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
class Loan:
    """The module that holds a parameter of the model.

    Attributes:
        module: The module.
        places: For each entry of the parameter its place among the module's, -1 where it has none.
    """

    def __init__(self, module: RiemannianModule, size: int) -> None:
        self.module, self.places = module, np.full(size, -1, dtype=np.intp)


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
    _shared: dict[Hashable, StructuredMap] = field(default_factory=dict[Hashable, StructuredMap])
    _held: dict[str, NDArray[np.bool_]] = field(default_factory=dict[str, NDArray[np.bool_]])
    _loans: dict[str, Loan] = field(default_factory=dict[str, Loan])

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
        make: Callable[[], StructuredMap],
        trained: Mapping[str, Trained],
        inputs: Sequence[Signal],
        shape: Sequence[int],
    ) -> Signal:
        """`place` a module that holds parameters; the same key means the same module again.

        Parameters that another module holds are borrowed from it.

        Raises:
            NotLayeredError: Where they come from more than one.
        """
        whole = (key, tuple((n, t.name, t.indices.tobytes()) for n, t in trained.items()))
        module = self._shared.get(whole)
        if module is not None:
            return self.place(module, inputs, shape)
        is_tied = any(self.is_held(part) for part in trained.values())
        module = self._shared[whole] = self._tied(make(), trained) if is_tied else make()
        found = self.place(module, inputs, shape)
        for name, part in {} if is_tied else trained.items():
            self.own(part, f"{found.node}.{name}")
            place = module.signature.parameters.slice_of(name)
            loan = self._loans.setdefault(part.name, Loan(module, part.parameter.numel()))
            if loan.module is module:
                loan.places[part.indices.ravel()] = np.arange(place.start, place.stop)
        return found

    def is_held(self, trained: Trained) -> bool:
        """Whether a module holds some of the entries already."""
        held = self._held.get(trained.name)
        return held is not None and bool(held[trained.indices.ravel()].any())

    def _tied(self, inner: StructuredMap, trained: Mapping[str, Trained]) -> Borrowed:
        """A module whose parameters another one holds."""
        loans = {t.name: self._loans.get(t.name) for t in trained.values()}
        lenders = {id(loan.module): loan.module for loan in loans.values() if loan is not None}
        found: list[Places] = []
        for part in trained.values():
            loan = loans[part.name]
            places = np.full(1, -1) if loan is None else loan.places[part.indices.ravel()]
            if len(lenders) != 1 or (places < 0).any():
                raise self._twice(part)
            found.append(places)
        return Borrowed(inner, next(iter(lenders.values())), np.concatenate(found))

    def own(self, trained: Trained, parameter: str) -> None:
        """Note that a module holds entries of a parameter; only one holds each.

        Raises:
            NotLayeredError: Where another one does.
        """
        if self.is_held(trained):
            raise self._twice(trained)
        size = trained.parameter.numel()
        held = self._held.setdefault(trained.name, np.zeros(size, dtype=np.bool_))
        held[trained.indices.ravel()] = True
        self.kept.append(Kept(parameter, trained))

    def _twice(self, trained: Trained) -> NotLayeredError:
        return NotLayeredError(
            f"the parameter {trained.name!r} is used by two layers in different ways"
        )

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
