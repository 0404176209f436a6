"""Operations that stay torch's: neighbours of one submodule become one node."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, fx, nn

from riemannian_modules.spaces import Port, Space
from riemannian_torch.reading.builder import Builder
from riemannian_torch.reading.exported import module_path
from riemannian_torch.reading.values import (
    NotLayeredError,
    Parametric,
    Signal,
    Trained,
    Value,
    numbered,
    whole,
)
from riemannian_torch.torch_module import TorchModule


@final
@dataclass(slots=True, eq=False)
class OperationGroup:
    """Operations that one node will hold, in order."""

    name: str
    path: str
    members: list[fx.Node] = field(default_factory=list[fx.Node])


@final
@dataclass(slots=True, eq=False)
class OperationGroups:
    """All groups so far, and which operation is in which."""

    builder: Builder
    of: dict[fx.Node, OperationGroup] = field(default_factory=dict[fx.Node, OperationGroup])
    ports: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _made: dict[Hashable, TorchModule] = field(default_factory=dict[Hashable, TorchModule])

    def add(self, node: fx.Node, values: Mapping[fx.Node, Value]) -> Value:
        """Put an operation into a neighbour's group where no path leaves and comes back."""
        group = self._neighbour(node, values)
        if group is None:
            group = OperationGroup(self.builder.name(), module_path(node))
            # The name is taken; the module comes when all members are known.
            self.builder.nodes[group.name] = _Waiting()  # type: ignore[assignment]
        group.members.append(node)
        self.of[node] = group
        for source in self._sources(node, values):
            if source.node != group.name:
                self.builder.edges[group.name, f"{source.node}.{source.port}"] = source
        value = node.meta.get("val")
        shape = tuple(int(n) for n in value.shape) if isinstance(value, Tensor) else ()
        return Signal(group.name, node.name, shape)

    def _sources(self, node: fx.Node, values: Mapping[fx.Node, Value]) -> list[Signal]:
        found = [values[n] for n in node.all_input_nodes]
        if any(not isinstance(v, Signal | Trained | Parametric | Tensor) for v in found):
            raise NotLayeredError(f"{node.target} takes the parts of a split as a list")
        return [v for v in found if isinstance(v, Signal)]

    def _neighbour(self, node: fx.Node, values: Mapping[fx.Node, Value]) -> OperationGroup | None:
        sources = self._sources(node, values)
        path = module_path(node)
        for before in node.all_input_nodes:
            group = self.of.get(before)
            if group is None:
                continue
            if not isinstance(before.meta.get("val"), Tensor):
                return group  # the parts of a result with several belong to it
            others = {s.node for s in sources if s.node != group.name}
            if _is_near(group.path, path) and not self._reaches(group.name, others):
                return group
        return None

    def _reaches(self, start: str, ends: set[str]) -> bool:
        """Whether one of the nodes ``ends`` depends on ``start``."""
        seen: set[str] = set()
        stack = list(ends)
        while stack:
            name = stack.pop()
            if name == start:
                return True
            if name not in seen:
                seen.add(name)
                stack.extend(s.node for (n, _), s in self.builder.edges.items() if n == name)
        return False

    def finish(self, values: Mapping[fx.Node, Value]) -> None:
        """Make the nodes of all groups."""
        for group in dict.fromkeys(self.of.values()):
            for key in [key for key in self.builder.edges if key[0] == group.name]:
                del self.builder.edges[key]
            _Making(self, group, values).run()

    def shared(self, key: Hashable, module: TorchModule) -> TorchModule:
        """The same module for groups that do the same with the same parameters."""
        return self._made.setdefault(key, module)


def _is_near(a: str, b: str) -> bool:
    if not a or not b:
        return a == b
    return f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")


class _Waiting:
    """Stands for a node whose members are not all known."""


class _Making:
    """One group on its way to a node: its operations copied into a graph of their own."""

    def __init__(
        self, groups: OperationGroups, group: OperationGroup, values: Mapping[fx.Node, Value]
    ) -> None:
        self.groups, self.group, self.values = groups, group, values
        self.graph, self.root = fx.Graph(), nn.Module()
        self.copies: dict[fx.Node, fx.Node] = {}
        self.inputs: dict[Signal, fx.Node] = {}
        self.trained: dict[str, Trained] = {}
        self.identity: list[Hashable] = []

    def run(self) -> None:
        members = set(self.group.members)
        outside = [
            node
            for node in self.group.members
            if isinstance(node.meta.get("val"), Tensor)
            and any(user not in members for user in node.users)
        ]
        for node in outside:
            if not node.meta["val"].is_floating_point():
                raise NotLayeredError(f"{_short(node)} gives other layers what are no real numbers")
        # Placeholders come first, so that what comes from outside is asked for before the rest.
        for node in self.group.members:
            for source in node.all_input_nodes:
                value = self.values[source]
                if source not in members and isinstance(value, Signal):
                    self._input(value)
        for node in self.group.members:
            self._copied(node)
        results = [
            self.graph.call_function(torch.reshape, (self.copies[node], (1, -1)))
            for node in outside
        ]
        self.graph.output(tuple(results) if len(results) != 1 else results[0])
        self._placed(outside)

    def _input(self, signal: Signal) -> fx.Node:
        if signal not in self.inputs:
            self.inputs[signal] = self.graph.placeholder(f"u{len(self.inputs) + 1}")
        return self.inputs[signal]

    def _copied(self, node: fx.Node) -> fx.Node:
        if node not in self.copies:
            self.copies[node] = self._made(node)
        return self.copies[node]

    def _made(self, node: fx.Node) -> fx.Node:
        value = self.values[node]
        if isinstance(value, Trained):
            return self._parameter(value)
        if isinstance(value, Tensor):
            name = f"constant{len(self.identity)}"
            self.root.register_buffer(name, value)
            self.identity.append((str(value.dtype), value.numpy(force=True).tobytes()))
            return self.graph.get_attr(name)
        if isinstance(value, Signal) and node not in self.group.members:
            # The same entries may be known under several shapes.
            return self.graph.call_function(torch.reshape, (self._input(value), value.shape))
        args: Any = fx.map_arg(node.args, self._copied)
        kwargs: Any = fx.map_arg(node.kwargs, self._copied)
        return self.graph.create_node("call_function", node.target, args, kwargs)

    def _parameter(self, value: Trained) -> fx.Node:
        name = value.name.removeprefix(f"{self.group.path}.").replace(".", "_")
        self.root.register_parameter(name, value.parameter)  # type: ignore[arg-type]
        self.trained[name] = whole(value.name, value.parameter)
        self.identity.append((name, value.name, value.indices.tobytes()))
        here = self.graph.get_attr(name)
        if torch.equal(value.places, numbered(tuple(value.parameter.shape))):
            return here
        places = f"places{len(self.identity)}"
        self.root.register_buffer(places, value.places.long().to(value.parameter.device))
        return self.graph.call_function(torch.take, (here, self.graph.get_attr(places)))

    def _placed(self, outside: list[fx.Node]) -> None:
        name, builder = self.group.name, self.groups.builder
        inputs = Space(tuple(Port(p.name, (s.size,)) for s, p in self.inputs.items()))
        ports = [f"y{i}" for i in range(1, len(outside) + 1)] if len(outside) != 1 else ["y"]
        shapes = [tuple(node.meta["val"].shape) for node in outside]
        outputs = Space(
            tuple(Port(p, (Signal("", "", s).size,)) for p, s in zip(ports, shapes, strict=True))
        )
        code = self.graph.python_code("self").src
        key = (code, tuple(self.identity), inputs, outputs)
        model = fx.GraphModule(self.root, self.graph, _class_name(self.group))
        model.train(False)  # noqa: FBT003 - torch's argument
        fresh = TorchModule.trusting_torch(model, inputs, outputs)
        module = self.groups.shared(key, fresh)
        builder.nodes[name] = module
        builder.operations[name] = ", ".join(
            dict.fromkeys(_short(node) for node in self.group.members if _short(node))
        )
        for signal, placeholder in self.inputs.items():
            builder.edges[name, placeholder.name] = signal
        for node, port in zip(outside, ports, strict=True):
            self.groups.ports[name, node.name] = port
        if module is fresh:
            for parameter, trained in self.trained.items():
                builder.own(trained, f"{name}.{parameter}")


def _short(node: fx.Node) -> str:
    target: Any = node.target
    return str(target._schema.name).split("::")[-1] if hasattr(target, "_schema") else ""


def _class_name(group: OperationGroup) -> str:
    """What messages call the node's model."""
    return "".join(c if c.isalnum() else "_" for c in group.name) or "Model"
