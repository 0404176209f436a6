"""One operation of an exported graph with what its arguments stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, fx

from riemannian_torch.reading.builder import Builder
from riemannian_torch.reading.values import Parametric, Signal, SignalPieces, Trained, Value


@final
@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An operation at hand.

    Attributes:
        builder: The graph so far.
        target: What torch runs.
        arguments: Its arguments by name, those that were left out with their defaults.
        shape: Of the result, () where it gives several.
    """

    builder: Builder
    target: Callable[..., Any]
    arguments: Mapping[str, Any]
    shape: tuple[int, ...]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """All arguments of a kind, those in lists too."""
        return [v for v in flat(list(self.arguments.values())) if isinstance(v, kind)]

    def run(self, put: Callable[[Any], Any]) -> Any:
        """What torch gives, with each argument replaced by ``put``."""
        schema: Any = self.target._schema  # type: ignore[attr-defined]
        positional = [
            mapped(self.arguments[a.name], put) for a in schema.arguments if not a.kwarg_only
        ]
        named = {
            a.name: mapped(self.arguments[a.name], put) for a in schema.arguments if a.kwarg_only
        }
        return self.target(*positional, **named)


def call_of(builder: Builder, node: fx.Node, values: Mapping[fx.Node, Value]) -> Call:
    """The operation of a node, all of whose arguments are known."""
    target: Any = node.target
    found: dict[str, Any] = {}
    for i, argument in enumerate(target._schema.arguments):
        if i < len(node.args) and not argument.kwarg_only:
            given: Any = node.args[i]
        elif argument.name in node.kwargs:
            given = node.kwargs[argument.name]
        else:
            given = argument.default_value
        found[argument.name] = mapped(given, lambda v: values[v] if isinstance(v, fx.Node) else v)
    value = node.meta.get("val")
    shape = tuple(int(n) for n in value.shape) if isinstance(value, Tensor) else ()
    return Call(builder, target, found, shape)


def mapped(value: Any, put: Callable[[Any], Any]) -> Any:
    """Lists and tuples entry by entry, all else by ``put``."""
    if isinstance(value, list | tuple):
        return [mapped(v, put) for v in value]
    return put(value)


def flat(value: Any) -> Iterator[Any]:
    """All entries of nested lists."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from flat(entry)
    else:
        yield value


def depends_on_inputs(call: Call) -> bool:
    """Whether some argument is a signal."""
    return bool(call.of_kind(Signal) or call.of_kind(SignalPieces))


def depends_on_parameters(call: Call) -> bool:
    """Whether some argument is of parameters that are trained."""
    return bool(call.of_kind(Trained) or call.of_kind(Parametric))
