"""An exported graph, operation by operation, as nodes and wires of this library."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from torch import fx

from riemannian_modules.arrays import Places
from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.modules import Demux, Mux
from riemannian_modules.spaces import Port, Space
from riemannian_torch.reading.builder import Builder
from riemannian_torch.reading.call import (
    Call,
    call_of,
    depends_on_inputs,
    depends_on_parameters,
)
from riemannian_torch.reading.exported import Exported, module_path
from riemannian_torch.reading.functions import constant
from riemannian_torch.reading.rules import operation_name, read, takes_constants
from riemannian_torch.reading.torch_groups import OperationGroups
from riemannian_torch.reading.values import (
    NotLayeredError,
    Parametric,
    Signal,
    SignalPieces,
    Trained,
    Value,
)
from riemannian_torch.tensors import array


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
    """Reads exported graphs, one or the parts of one model, into one graph of ours.

    Args:
        inputs: A port for each input, of the shape of one point.
        outputs: A port for each output, likewise.

    Attributes:
        given: The inputs as signals.
    """

    def __init__(self, inputs: Space, outputs: Space) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.builder = Builder()
        self.groups = OperationGroups(self.builder)
        self.values: dict[fx.Node, Value] = {}
        self.given = [self._given(port) for port in inputs.ports]

    def _given(self, port: Port) -> Signal:
        signal = Signal("", port.name, (1, *port.shape))
        if len(port.shape) == 1:
            return signal
        self.builder.path, self.builder.operation = "", port.name
        return self.builder.place(Mux(Space((port,))), [signal], signal.shape)

    def read(self, exported: Exported, given: Sequence[Value]) -> list[Value]:
        """What an exported graph gives for inputs, in order; tuples and mappings are laid flat.

        Raises:
            NotLayeredError: For what cannot be read, with the reason.
        """
        known = {**exported.held, **dict(zip(exported.inputs, given, strict=True))}
        for node in exported.graph.nodes:
            if node.op == "output":
                return [
                    self.values[n] if isinstance(n, fx.Node) else n for n in _leaves(node.args[0])
                ]
            if node.op == "placeholder":
                name = str(node.target) if str(node.target) in known else node.name
                self.values[node] = known[name]
            elif node.op == "call_function":
                self.values[node] = self._result(node)
            else:
                raise NotLayeredError(f"the graph holds {node.op} {node.target}")
        raise NotLayeredError("the graph gives nothing")

    def finish(self, results: Sequence[Value]) -> Reading:
        """The graph that shows ``results`` at its outputs.

        Raises:
            NotLayeredError: Where it cannot be wired so.
        """
        shown = [r for r in results if isinstance(r, Signal)]
        if len(shown) < len(results):
            raise NotLayeredError("an output does not depend on the inputs")
        self.groups.finish(self.values)
        graph = self._wired(shown)
        parameters = {
            k.parameter: (k.trained.name, k.trained.indices.ravel()) for k in self.builder.kept
        }
        return Reading(graph, self.builder.operations, parameters)

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
            if takes_constants(call):
                call = self._with_signal(call)
            found = read(call) if depends_on_inputs(call) or _is_of_one(call) else None
            return found if isinstance(found, Trained | Signal | tuple) else Parametric()
        found = read(call)
        return self.groups.add(node, self.values) if found is None else found

    def _with_signal(self, call: Call) -> Call:
        """The call on constants as one on a signal that does not change."""
        values, beside = call["input"], self.given[0]
        signal = constant(self.builder, array(values).ravel(), beside, values.shape)
        return replace(call, arguments={**call.arguments, "input": signal})

    def _item(self, node: fx.Node) -> Value:
        parent: Any = node.args[0]
        which: Any = node.args[1]
        value = self.values[parent]
        if isinstance(value, SignalPieces):
            self.builder.operation = "split"
            return self.builder.selected(value.signal, value.places[which])
        if isinstance(value, tuple | list):
            return value[which]
        return Parametric() if isinstance(value, Parametric) else self.groups.add(node, self.values)

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
        b.kept[:] = [k for k in b.kept if k.parameter.partition(".")[0] in used]
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


def _is_of_one(call: Call) -> bool:
    """Whether entries of one parameter alone are moved."""
    return len(call.of_kind(Trained)) == 1 and not call.of_kind(Parametric)


def _leaves(value: Any) -> list[Any]:
    """The results in order: those of tuples, lists and mappings."""
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _leaves(part)]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [value]
