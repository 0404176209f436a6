"""A model as torch exports it: one graph of operations, its parameters and buffers by name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, final

import torch
from torch import Tensor, fx, nn

from riemannian_modules.spaces import Port, Space
from riemannian_torch.places import untouched
from riemannian_torch.reading.values import NotLayeredError, Value, whole


@final
@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """An exported graph.

    Attributes:
        graph: Its operations; nothing in it depends on the values of the inputs.
        held: What each of its names stands for that is no input: parameters that are trained, and
            the numbers of buffers and of frozen parameters.
        inputs: The names of its inputs in the order of the model's arguments.
    """

    graph: fx.Graph
    held: Mapping[str, Value]
    inputs: tuple[str, ...]

    def with_indices(self, inputs: Space, examples: Sequence[Tensor]) -> Space:
        """The inputs, those that are indices of embeddings with an axis for one-hot vectors.

        Raises:
            NotLayeredError: For integers that are used otherwise.
        """
        ports = list(inputs.ports)
        nodes = {str(node.target): node for node in self.graph.nodes if node.op == "placeholder"}
        nodes |= {node.name: node for node in self.graph.nodes if node.op == "placeholder"}
        for i, (name, example) in enumerate(zip(self.inputs, examples, strict=True)):
            if not example.is_floating_point():
                rows = {_table_rows(user, nodes[name]) for user in nodes[name].users}
                if len(rows) != 1 or None in rows:
                    raise NotLayeredError(f"the integers {name!r} are no indices of one embedding")
                ports[i] = Port(ports[i].name, (*ports[i].shape, int(str(rows.pop()))))
        return Space(tuple(ports))


def _table_rows(user: fx.Node, indices: fx.Node) -> int | None:
    """How many rows the table has that an operation looks indices up in."""
    target: Any = user.target
    is_lookup = (
        getattr(target, "_schema", None) is not None and target._schema.name == "aten::embedding"
    )
    table = user.args[0]
    if not is_lookup or user.args[1] is not indices or not isinstance(table, fx.Node):
        return None
    return int(table.meta["val"].shape[0])


def export(model: nn.Module, arguments: tuple[Tensor, ...], names: Mapping[int, str]) -> Exported:
    """Export a model, or a part of one, for inputs of these shapes.

    Args:
        model: The model.
        arguments: Examples.
        names: Of each parameter that is trained, by the ``id`` of its tensor.

    Raises:
        NotLayeredError: With torch's reason, where it cannot.
    """
    try:
        with silent(), untouched(model):
            program = torch.export.export(model, arguments)
            if any(_writes(node) for node in program.graph.nodes):
                program = program.run_decompositions({})  # the same operations, none in place
    except Exception as error:
        raise NotLayeredError(_first_line(error)) from error
    signature = program.graph_signature
    tensors: dict[str, Any] = {**program.state_dict, **program.constants}
    live = dict(model.named_parameters(remove_duplicate=False))
    held: dict[str, Value] = {}
    for table in (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):
        for name, stored in table.items():
            parameter = live.get(stored)
            if parameter is not None and id(parameter) in names:
                held[name] = whole(names[id(parameter)], parameter)
            else:
                held[name] = tensors[stored].detach()
    if signature.buffers_to_mutate or signature.user_inputs_to_mutate:
        raise NotLayeredError("the model changes its buffers or inputs as it runs")
    given = tuple(str(name) for name in signature.user_inputs)
    return Exported(program.graph, held, given)


@contextmanager
def silent() -> Generator[None]:
    """Torch says nothing: what it cannot export is told by us."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def trained_names(model: nn.Module) -> dict[int, str]:
    """The name of each parameter that requires a gradient, by the ``id`` of its tensor."""
    return {id(p): name for name, p in model.named_parameters() if p.requires_grad}


def _writes(node: fx.Node) -> bool:
    """Whether an operation writes into what it is given."""
    schema: Any = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or ['no reason given'])[0]}"[:200]


def module_path(node: fx.Node) -> str:
    """The submodule that an operation belongs to, "" for the model itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""
