"""The wires of a composite as a picture shows them.

Source: none; the composite's own border is an end named "".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Shown
from riemannian_modules.spec.write import connections, shown_by


@final
@dataclass(frozen=True, slots=True, repr=False)
class Link(Shown):
    """A wire between two nodes of a picture, or between a node and the composite's border.

    Attributes:
        source: The node that gives; "" for the composite's border.
        out: Its output port; "" where there is none.
        target: The node that takes; "" for the border.
        into: Its input port; "" where there is none.
    """

    source: str
    out: str
    target: str
    into: str

    @property
    def label(self) -> str:
        """The ports' names, once where they agree."""
        ports = [p for p in (self.out, self.into) if p]
        return " → ".join(dict.fromkeys(ports))


def type_name(module: RiemannianModule) -> str:
    """What a module is called in a picture.

    Args:
        module: Any module.
    """
    if isinstance(module, ModuleGraph):
        return "composite"
    return module.name if isinstance(module, ExpressionModule) else type(module).__name__


def links_of(graph: ModuleGraph) -> list[Link]:
    """The wires between the modules as wired; the composite's own border is named "".

    Args:
        graph: The composite.
    """
    connect, inputs = connections(graph)
    links = [Link(*a.split(".", 1), *b.split(".", 1)) for a, b in connect]
    links += [Link("", name, *target.split(".", 1)) for name, ts in inputs.items() for target in ts]
    for name, address in graph.output_sources.items():
        node, port = shown_by(graph, address).split(".", 1)
        links.append(Link(node, port, "", name))
    return links
