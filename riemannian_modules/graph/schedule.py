"""The order in which a graph's outputs are computed: direct feedthrough is a DAG, port by port.

A node whose outputs form one stage is computed at once. Only where that would close a loop that
port by port is none, a node is split into one task for each output port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from riemannian_modules.modules.module import RiemannianModule

Address = tuple[str, str]  # node and port


@final
@dataclass(frozen=True, slots=True)
class Task:
    """Compute some output ports of one node; ``ports`` is None for all of them."""

    node: str
    ports: tuple[str, ...] | None


def schedule(
    nodes: Mapping[str, RiemannianModule], sources: Mapping[Address, Address]
) -> tuple[list[Task], list[Address] | None]:
    """Order the tasks of a graph in O(nodes + edges).

    Args:
        nodes: The leaf modules by name.
        sources: For each input port that another node feeds, the output port that feeds it.

    Returns:
        The tasks in order and None, or an empty list and an algebraic loop as a path of ports
        (node, port), an input and an output of each node in turn.
    """
    through = {name: _feedthrough(module) for name, module in nodes.items()}
    if _is_chain(tuple(nodes), through, sources):
        return [Task(name, None) for name in nodes if nodes[name].signature.outputs.names], None
    import networkx as nx  # it takes longer to load than a small chain to be certified

    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.add_nodes_from(nodes)
    for (node, port), (source, _) in sources.items():
        if through[node].get(port):
            whole.add_edge(source, node)
    tangled = {
        n
        for part in nx.strongly_connected_components(whole)
        if len(part) > 1 or any(whole.has_edge(n, n) for n in part)
        for n in part
    }
    fine: nx.DiGraph[Task] = nx.DiGraph()
    tasks_of = {
        name: {port: Task(name, (port,)) for port in module.signature.outputs.names}
        if name in tangled
        else dict.fromkeys(module.signature.outputs.names, Task(name, None))
        for name, module in nodes.items()
    }
    for name in nodes:
        fine.add_nodes_from(tasks_of[name].values())
    for (node, port), (source, out) in sources.items():
        for target in through[node].get(port, ()):
            fine.add_edge(tasks_of[source][out], tasks_of[node][target], port=port)
    try:
        return list(nx.topological_sort(fine)), None
    except nx.NetworkXUnfeasible:
        # All tasks of a loop are of tangled nodes, so each computes one port.
        loop = nx.find_cycle(fine)
        path: list[Address] = []
        for source, task in loop:
            path.append((task.node, fine.edges[source, task]["port"]))
            path += [(task.node, port) for port in task.ports or ()]
        return [], path


def _is_chain(
    names: tuple[str, ...],
    through: Mapping[str, Mapping[str, list[str]]],
    sources: Mapping[Address, Address],
) -> bool:
    """Whether each node feeds through to the next one and none feeds back: one order alone."""
    place = {name: i for i, name in enumerate(names)}
    edges = {
        (place[source], place[node])
        for (node, port), (source, _) in sources.items()
        if through[node].get(port)
    }
    return all(i < k for i, k in edges) and all((i, i + 1) in edges for i in range(len(names) - 1))


def _feedthrough(module: RiemannianModule) -> dict[str, list[str]]:
    """For each input port, the output ports that depend on it at once."""
    ports: dict[str, list[str]] = {}
    for i, o in sorted(module.feedthrough):
        ports.setdefault(i, []).append(o)
    return ports
