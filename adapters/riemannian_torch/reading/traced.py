"""Models that torch.export refuses, traced by torch.fx: each call is exported by itself, or opaque.

Source: Reed et al. (2022), torch.fx, arXiv:2112.08429.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, fx, nn
from typing_extensions import override

from riemannian_modules.spaces import Port, Space
from riemannian_torch.reading.call import flat
from riemannian_torch.reading.exported import export, silent, trained_names
from riemannian_torch.reading.reader import Reader, Reading
from riemannian_torch.reading.values import NotLayeredError, Signal, Value, whole
from riemannian_torch.torch_module import TorchModule


def read_traced(
    model: nn.Module, examples: tuple[Tensor, ...], inputs: Space, outputs: Space
) -> Reading:
    """Read a model whose calls torch.fx can follow; submodules that it cannot are opaque nodes.

    Raises:
        NotLayeredError: Where torch.fx cannot trace it, or a part cannot be a node.
    """
    if not all(e.is_floating_point() for e in examples):
        raise NotLayeredError("its inputs are integers")
    try:
        with silent():
            traced = fx.GraphModule(model, _Tracer().trace(model))
            recorded = _Recorder(traced)
            recorded.run(*examples)
    except Exception as error:
        raise NotLayeredError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    return _Parts(traced, recorded.values, Reader(inputs, outputs), trained_names(model)).reading()


@final
class _Tracer(fx.Tracer):
    """Follows submodules, but those that cannot be followed are one call."""

    @override
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or not _is_traceable(m)


def _is_traceable(module: nn.Module) -> bool:
    try:
        _Tracer().trace(module)
    except Exception:  # noqa: BLE001 - whatever the module's code raises on proxies
        return False
    return True


@final
class _Recorder(fx.Interpreter):
    """Runs a traced model and keeps what every call gives."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    @override
    def run_node(self, n: fx.Node) -> Any:
        with torch.no_grad():
            self.values[n] = super().run_node(n)
        return self.values[n]


@final
class _Parts:
    """The calls of a traced model, each read as a model of its own."""

    def __init__(
        self,
        traced: fx.GraphModule,
        examples: Mapping[fx.Node, Any],
        reader: Reader,
        names: Mapping[int, str],
    ) -> None:
        self.traced, self.examples, self.reader, self.names = traced, examples, reader, names
        self.values: dict[fx.Node, Any] = {}

    def reading(self) -> Reading:
        given = iter(self.reader.given)
        for node in self.traced.graph.nodes:
            if node.op == "output":
                return self.reader.finish(list(flat(self._known(node.args[0]))))
            self.values[node] = next(given) if node.op == "placeholder" else self._result(node)
        raise NotLayeredError("the model gives nothing")

    def _known(self, argument: Any) -> Any:
        """What an argument stands for, in lists as the argument is."""
        if isinstance(argument, dict):
            return [self._known(part) for part in argument.values()]
        if isinstance(argument, tuple | list):
            return [self._known(part) for part in argument]
        return self.values[argument] if isinstance(argument, fx.Node) else argument

    def _result(self, node: fx.Node) -> Value:
        if node.op == "get_attr":
            return self._attribute(self.examples[node])
        first: Any = node.args[0] if node.args else None
        if node.target is operator.getitem and isinstance(self.values.get(first), list):
            return self.values[first][node.args[1]]
        signals = [n for n in node.all_input_nodes if isinstance(self.values[n], Signal)]
        if not signals:
            return self.examples[node] if self._is_constant(node) else _no_part(node)
        part = self._part(node, signals)
        shapes = [tuple(self.examples[n].shape) for n in signals]
        given = [self.values[n].reshaped(s) for n, s in zip(signals, shapes, strict=True)]
        try:
            exported = export(part, tuple(self.examples[n] for n in signals), self.names)
            found = self.reader.read(exported, given)
        except NotLayeredError:
            found = self._opaque(node, part, given)
        return found[0] if isinstance(self.examples[node], Tensor) else found

    def _attribute(self, held: Any) -> Value:
        if isinstance(held, Tensor) and id(held) in self.names:
            return whole(self.names[id(held)], held)
        return held.detach() if isinstance(held, Tensor) else held

    def _is_constant(self, node: fx.Node) -> bool:
        is_number = not isinstance(self.examples[node], Tensor)
        return is_number or all(isinstance(self.values[n], Tensor) for n in node.all_input_nodes)

    def _part(self, node: fx.Node, signals: Sequence[fx.Node]) -> fx.GraphModule:
        """A model of one call, which takes the signals alone."""
        graph = fx.Graph()
        copies: dict[fx.Node, Any] = {
            n: graph.placeholder(f"u{i}") for i, n in enumerate(signals, 1)
        }

        def put(n: fx.Node) -> Any:
            if n not in copies:
                is_held = n.op == "get_attr"
                copies[n] = graph.get_attr(str(n.target)) if is_held else self.examples[n]
            return copies[n]

        args, kwargs = fx.map_arg(node.args, put), fx.map_arg(node.kwargs, put)
        graph.output(graph.create_node(node.op, node.target, args, kwargs))
        part = fx.GraphModule(self.traced, graph)
        part.train(False)  # noqa: FBT003 - torch's argument
        return part

    def _opaque(self, node: fx.Node, part: fx.GraphModule, given: Sequence[Signal]) -> list[Value]:
        results: list[Any] = list(flat(self.examples[node]))
        if not all(isinstance(r, Tensor) and r.is_floating_point() for r in results):
            raise NotLayeredError(f"{node.target} gives what is no tensor of real numbers")
        flattened = _Flattened(part, [s.shape for s in given])
        inputs = Space(tuple(Port(f"u{i}", (s.size,)) for i, s in enumerate(given, 1)))
        names = ["y"] if len(results) == 1 else [f"y{i}" for i in range(1, len(results) + 1)]
        outputs = Space(tuple(Port(n, (r.numel(),)) for n, r in zip(names, results, strict=True)))
        module = TorchModule.trusting_torch(flattened, inputs, outputs)
        builder = self.reader.builder
        builder.path, builder.operation = str(node.target), str(node.target)
        signal = builder.place(module, given, (1,))
        for name, parameter in flattened.named_parameters():
            trained = whole(self.names[id(parameter)], parameter)
            builder.own(trained, f"{signal.node}.{name}")
        return [Signal(signal.node, n, tuple(r.shape)) for n, r in zip(names, results, strict=True)]


def _no_part(node: fx.Node) -> Value:
    raise NotLayeredError(f"{node.target} depends on parameters alone")


@final
class _Flattened(nn.Module):
    """A part whose inputs and outputs are vectors."""

    def __init__(self, part: nn.Module, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.part, self.shapes = part, shapes

    @override
    def forward(self, *vectors: Tensor) -> tuple[Tensor, ...] | Tensor:
        given = [v.reshape(s) for v, s in zip(vectors, self.shapes, strict=True)]
        found = tuple(r.reshape(1, -1) for r in flat(self.part(*given)))
        return found[0] if len(found) == 1 else found
