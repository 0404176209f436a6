"""An exported graph, operation by operation, as nodes and wires of this library."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import fx

from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.modules import Demux, Mux
from riemannian_modules.space import Port, Space
from riemannian_torch.reading.builder import Builder, Places
from riemannian_torch.reading.call import (
    call_of,
    depends_on_inputs,
    depends_on_parameters,
)
from riemannian_torch.reading.exported import Exported, module_path
from riemannian_torch.reading.rules import operation_name, read
from riemannian_torch.reading.torch_groups import Groups
from riemannian_torch.reading.values import (
    NotLayeredError,
    Parametric,
    Pieces,
    Signal,
    Trained,
    Value,
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A model that was read.

    Attributes:
        graph: The model as a graph.
        operations: What each node is in torch, in words.
        parameters: For each parameter of the graph, the model's, and which of its entries.
    """

    graph: ModuleGraph
    operations: Mapping[str, str]
    parameters: Mapping[str, tuple[str, Places]]


@final
class Reader:
    """Reads one exported graph.

    Args:
        exported: The graph.
        inputs: A port for each input, of the shape of one point.
        outputs: A port for each output, likewise.
    """

    def __init__(self, exported: Exported, inputs: Space, outputs: Space) -> None:
        self.exported, self.inputs, self.outputs = exported, inputs, outputs
        self.builder = Builder()
        self.groups = Groups(self.builder)
        self.values: dict[fx.Node, Value] = {}

    def reading(self) -> Reading:
        """The model as a graph.

        Raises:
            NotLayeredError: Where that cannot be, with the reason.
        """
        last = self._read()
        self.groups.finish(self.values)
        graph = self._wired([self._shown(node) for node in _leaves(last.args[0])])
        parameters = {
            k.parameter: (k.trained.name, k.trained.indices.ravel()) for k in self.builder.kept
        }
        return Reading(graph, self.builder.operations, parameters)

    def _read(self) -> fx.Node:
        ports = dict(zip(self.exported.inputs, self.inputs.ports, strict=True))
        for node in self.exported.graph.nodes:
            if node.op == "output":
                return node
            if node.op == "placeholder":
                self.values[node] = self._given(node, ports)
            elif node.op == "call_function":
                self.values[node] = self._result(node)
            else:
                raise NotLayeredError(f"the graph holds {node.op} {node.target}")
        raise NotLayeredError("the graph gives nothing")

    def _given(self, node: fx.Node, ports: Mapping[str, Port]) -> Value:
        port = ports.get(str(node.target), ports.get(node.name))
        if port is not None:
            shape = (1, *port.shape)
            if len(port.shape) == 1:
                return Signal("", port.name, shape)
            self.builder.path, self.builder.operation = "", f"{port.name}"
            return self.builder.place(Mux(Space((port,))), [Signal("", port.name, shape)], shape)
        for name in (str(node.target), node.name):
            if name in self.exported.held:
                return self.exported.held[name]
        raise NotLayeredError(f"nothing is known of {node.name}")

    def _result(self, node: fx.Node) -> Value:
        self.builder.path = module_path(node)
        if node.target is operator.getitem:
            return self._item(node)
        if not hasattr(node.target, "_schema"):
            raise NotLayeredError(f"the graph calls {node.target}, which is no operation of torch")
        call = call_of(self.builder, node, self.values)
        self.builder.operation = operation_name(call)
        if not depends_on_inputs(call):
            if not depends_on_parameters(call):
                return call.run(lambda v: v)
            moved = read(call) if _is_of_one(call) else None
            return moved if isinstance(moved, Trained) else Parametric()
        found = read(call)
        return self.groups.add(node, self.values) if found is None else found

    def _item(self, node: fx.Node) -> Value:
        parent: Any = node.args[0]
        which: Any = node.args[1]
        value = self.values[parent]
        if isinstance(value, Pieces):
            self.builder.operation = "split"
            return self.builder.selected(value.signal, value.places[which])
        if isinstance(value, tuple | list):
            return value[which]
        return Parametric() if isinstance(value, Parametric) else self.groups.add(node, self.values)

    def _shown(self, node: Any) -> Signal:
        value = self.values[node] if isinstance(node, fx.Node) else None
        if not isinstance(value, Signal):
            raise NotLayeredError("an output does not depend on the inputs")
        return value

    def _wired(self, shown: Sequence[Signal]) -> ModuleGraph:
        b = self.builder
        b.path, b.operation = "", "output"
        ends: list[Signal] = []
        for port, signal in zip(self.outputs.ports, shown, strict=True):
            if signal.node and len(port.shape) == 1:
                ends.append(signal)
                continue
            b.operation = port.name
            ends.append(b.place(Demux(Space((port,))), [signal], (1, *port.shape)))
        used = self._used({s.node for s in ends})
        wiring = Wiring()
        for name, module in b.nodes.items():
            if name in used:
                wiring.add(name, module)
        fed: dict[str, list[str]] = {port.name: [] for port in self.inputs.ports}
        for (name, port), signal in b.edges.items():
            if name not in used:
                continue
            if signal.node:
                wiring.connect(self._address(signal), f"{name}.{port}")
            else:
                fed[signal.port].append(f"{name}.{port}")
        for name, targets in fed.items():
            if not targets:
                raise NotLayeredError(f"the outputs do not depend on the input {name!r}")
            wiring.input(name, *targets)
        for port, signal in zip(self.outputs.ports, ends, strict=True):
            wiring.output(port.name, self._address(signal))
        b.kept[:] = [k for k in b.kept if k.parameter.rpartition(".")[0] in used]
        return wiring.build()

    def _address(self, signal: Signal) -> str:
        port = self.groups.ports.get((signal.node, signal.port), signal.port)
        return f"{signal.node}.{port}"

    def _used(self, ends: set[str]) -> set[str]:
        """The nodes that the outputs depend on."""
        before: dict[str, set[str]] = {}
        for (name, _), signal in self.builder.edges.items():
            before.setdefault(name, set()).add(signal.node)
        seen: set[str] = set()
        stack = list(ends)
        while stack:
            name = stack.pop()
            if name and name not in seen:
                seen.add(name)
                stack.extend(before.get(name, ()))
        return seen


def _is_of_one(call: Any) -> bool:
    """Whether entries of one parameter alone are moved."""
    return len(call.of_kind(Trained)) == 1 and not call.of_kind(Parametric)


def _leaves(value: Any) -> list[Any]:
    """The results in order: those of tuples, lists and mappings."""
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _leaves(part)]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [value]
