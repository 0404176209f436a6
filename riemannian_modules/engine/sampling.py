"""Sampled modules in a run: when each ticks, in which order, and what runs between the ticks.

Ticks are counted in whole numbers and placed by exact fractions, so that rates of 0.1 and 0.3 meet
in every third tick for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from riemannian_modules.errors import DomainError, UnsupportedError
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.sampled import Sampled, has_ticks
from riemannian_modules.spaces import Array

MOST_TICKS = 1_000_000
Tick = Callable[[Array, Array], Array]  # from a state and inputs to the state after


def _held(part: Sampled) -> ExpressionModule:
    """What a sampled module is between its ticks, in exact terms."""
    import sympy as sp

    from riemannian_modules.arithmetic.expression import Expressions, symbols_of

    s = part.signature
    x, u, p = (symbols_of(space) for space in s.distinct)
    y = x[s.state.size - s.outputs.size :]
    e = Expressions(x, u, p, (sp.S.Zero,) * s.state.size, y, ())
    spaces = s.state, s.inputs, s.outputs
    return ExpressionModule(
        "Held", Time.CONTINUOUS, spaces, part.parameters, e, time_input=part.time_input
    )


def sampled_parts(module: RiemannianModule) -> dict[str, Sampled]:
    """The sampled modules among the leaves of a composite, by name; "" for a module itself."""
    leaves = module.nodes if isinstance(module, ModuleGraph) else {"": module}
    return {name: leaf for name, leaf in leaves.items() if isinstance(leaf, Sampled)}


def between_ticks(module: RiemannianModule) -> RiemannianModule:
    """The module with its sampled parts standing still: what is integrated."""
    parts = sampled_parts(module)
    if not parts:
        return module
    twins = {id(part): _held(part) for part in parts.values()}
    if not isinstance(module, ModuleGraph):
        return twins[id(module)]
    return module.with_nodes({n: twins.get(id(leaf), leaf) for n, leaf in module.nodes.items()})


def ticks(
    module: RiemannianModule, theta: Array, start: float, end: float
) -> dict[float, list[Tick]]:
    """What the sampled parts do at which times of a run, in the order in which they do it.

    Of those that tick together, one that another one's inputs depend on comes first.

    Raises:
        DomainError: If a part ticks more than a million times.
    """
    parts = sampled_parts(module)
    first, found = Fraction(start), dict[float, list[Tick]]()
    for name in _ordered(module, parts):
        length = Fraction(str(parts[name].step.length))
        count = int((Fraction(end) - first) / length)
        if count > MOST_TICKS:
            raise DomainError(
                f"{type(module).__name__}: {name or 'it'} ticks {count} times in a run from "
                f"{start:g} to {end:g}, more than {MOST_TICKS}. Simulate a shorter time."
            )
        tick = _tick(module, name, parts[name], theta)
        for k in range(count + 2):
            t = float(first + k * length)
            if t <= end:
                found.setdefault(t, []).append(tick)
    return found


def _tick(module: RiemannianModule, name: str, part: Sampled, theta: Array) -> Tick:
    if not isinstance(module, ModuleGraph):
        return lambda x, u: part.ticked(x, u, theta)
    i = [leaf.name for leaf in module.plan.leaves].index(name)
    leaf = module.plan.leaves[i]

    def tick(x: Array, u: Array) -> Array:
        after = x.copy()
        inputs = module.values(x, u, theta).leaf_inputs[i]
        after[leaf.state] = part.ticked(x[leaf.state], inputs, theta[leaf.theta])
        return after

    return tick


def _ordered(module: RiemannianModule, parts: Mapping[str, Sampled]) -> list[str]:
    """The parts, each after those that its inputs depend on; as they stand where that is a loop."""
    if not isinstance(module, ModuleGraph):
        return list(parts)
    needed = {name: _sources(module, name, parts) for name in parts}
    try:
        return list(TopologicalSorter(needed).static_order())
    except CycleError:
        return list(parts)


def _sources(graph: ModuleGraph, name: str, parts: Mapping[str, Sampled]) -> set[str]:
    """The sampled parts whose outputs reach the inputs of one of them at once."""
    waiting = [(name, port) for port in graph.nodes[name].signature.inputs.names]
    seen, found = set(waiting), set[str]()
    while waiting:
        address = waiting.pop()
        if address not in graph.sources:
            continue
        node, out = graph.sources[address]
        if node in parts:
            found.add(node)
            continue
        through = {(node, i) for i, o in graph.nodes[node].feedthrough if o == out} - seen
        seen |= through
        waiting += through
    return found - {name}


def refuse_ticks(where: str, module: RiemannianModule) -> None:
    """Refuse a module with sampled parts, whose ticks would be left out.

    Raises:
        UnsupportedError: For such a module.
    """
    if has_ticks(module):
        names = ", ".join(sampled_parts(module))
        raise UnsupportedError(
            f"{where}: {type(module).__name__} has sampled parts ({names or 'it is one'}), which "
            "act at their ticks alone. Discretise the plant at the sampling time (a FlowMap, or "
            "DiscreteStateSpace) and take the composite in discrete time."
        )
