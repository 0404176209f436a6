"""Places for the nodes of a directed graph: in layers from left to right, with few crossings.

Source: Sugiyama, Tagawa and Toda (1981), IEEE Trans. SMC 11, 109-125: layers by longest path, rows
by the mean row of the predecessors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Places = Mapping[str, tuple[float, float]]


def layered(
    names: Sequence[str], wires: Iterable[tuple[str, str]], last: Sequence[str] = ()
) -> dict[str, tuple[float, float]]:
    """A place (column, row) for each node, no two alike; rows are centred on 0.

    Args:
        names: The nodes; wires that agree with their order run forwards.
        wires: Pairs (from, to); those that would close a loop do not order the layers.
        last: Nodes that stand together in a column of their own at the right.
    """
    import networkx as nx

    flow = nx.DiGraph()
    flow.add_nodes_from(names)
    order = {name: i for i, name in enumerate(names)}
    for a, b in sorted(wires, key=lambda e: order[e[0]] >= order[e[1]]):
        if a != b and not (flow.has_node(b) and nx.has_path(flow, b, a)):
            flow.add_edge(a, b)
    columns = [list(names) for names in nx.topological_generations(flow)]
    ordered = [[n for n in names if n not in last] for names in columns]
    columns = [names for names in ordered if names] + ([list(last)] if last else [])
    places: dict[str, tuple[float, float]] = {}
    for column, members in enumerate(columns):
        heights = {n: [places[p][1] for p in flow.predecessors(n) if p in places] for n in members}
        stacked = sorted(members, key=lambda n: -sum(heights[n]) / max(len(heights[n]), 1))
        shift = (len(members) - 1) / 2
        for row, name in enumerate(stacked):
            places[name] = (float(column), shift - row)
    return places


def rows_of(places: Places) -> int:
    """The height of the highest column."""
    columns = [column for column, _ in places.values()]
    return max((columns.count(column) for column in set(columns)), default=0)
