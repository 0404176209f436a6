"""Which wires run back where a diagram is read from its inputs on.

Source: Tarjan (1972), SIAM J. Computing 1, 146-160: depth first, a graph without the edges to what
is still open has no cycle.
"""

from __future__ import annotations

from collections.abc import Sequence


def feedback(names: Sequence[str], wires: Sequence[tuple[str, str]]) -> set[int]:
    """Which wires (from, to) close a loop when the nodes are followed depth first, in order."""
    leaving: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for i, (source, target) in enumerate(wires):
        leaving[source].append((i, target))
    back, open_ones, done = set[int](), set[str](), set[str]()
    for name in names:
        path = [(name, iter(leaving[name]))] if name not in done else []
        open_ones.update(node for node, _ in path)
        while path:
            node, rest = path[-1]
            i, target = next(rest, (-1, ""))
            if i < 0:
                path.pop()
                open_ones.remove(node)
                done.add(node)
            elif target in open_ones:
                back.add(i)
            elif target not in done:
                open_ones.add(target)
                path.append((target, iter(leaving[target])))
    return back
