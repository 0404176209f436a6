"""Exact delays in a module: where they stand, what is left without them, and what they are at rest.

Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapter 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.graph.schedule import Address, schedule
from riemannian_modules.modules.delay import DELAYED, Delay, has_delays
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.signature import Signature
from riemannian_modules.spaces import EMPTY, Port, Space

Symbols = tuple[Any, ...]


def delays_of(module: RiemannianModule) -> dict[str, Delay]:
    """The exact delays among the leaves of a composite, by name; "" for a module itself."""
    leaves = module.nodes if isinstance(module, ModuleGraph) else {"": module}
    return {name: leaf for name, leaf in leaves.items() if isinstance(leaf, Delay)}


def refuse_delays(where: str, module: RiemannianModule) -> None:
    """Refuse a module with exact delays, whose past would be left out.

    Raises:
        UnsupportedError: For such a module.
    """
    if has_delays(module):
        names = ", ".join(delays_of(module))
        raise UnsupportedError(
            f"{where}: {type(module).__name__} has exact delays ({names or 'it is one'}), whose "
            "past is no state of finitely many numbers. Put a PadeDelay of the same delay in the "
            "place of each; `simulate` tells how near it comes."
        )


def at_rest(module: RiemannianModule) -> RiemannianModule:
    """The module with lags for delays: it rests where the module does, with the same balances.

    A lag of the delay's time holds as much of a constant input as the delay does, so that what the
    module conserves together with what is on its way is conserved.
    """
    parts = delays_of(module)
    if not parts:
        return module
    twins = {id(part): _lag(part) for part in parts.values()}
    if not isinstance(module, ModuleGraph):
        return twins[id(module)]
    return module.with_nodes({n: twins.get(id(leaf), leaf) for n, leaf in module.nodes.items()})


def _lag(part: Delay) -> ExpressionModule:
    s = part.signature
    return _exact("Delay at rest", s, part.parameters, _approach)


def _approach(x: Symbols, u: Symbols, p: Symbols) -> tuple[Symbols, Symbols]:
    return tuple((new - old) / p[0] for new, old in zip(u, x, strict=True)), x


def _wire(part: Delay, *, parameters: Space = EMPTY) -> ExpressionModule:
    """``y = u`` with a delay's ports."""
    s = part.signature
    own = Signature(Time.STATIC, EMPTY, s.inputs, s.outputs, parameters)
    values = part.parameters if parameters.ports else {}
    return _exact("Wire", own, values, lambda x, u, _: (x, u))


def _still() -> ExpressionModule:
    """One state that stands still: a flow for the solver where the delays are all there is."""
    still = Space((Port("still"),))
    s = Signature(Time.CONTINUOUS, still, EMPTY, still, EMPTY)
    return _exact("Still", s, {}, lambda x, *_: (tuple(0 * symbol for symbol in x), x))


def _exact(
    name: str,
    s: Signature,
    values: Mapping[str, ArrayLike],
    map_of: Callable[[Symbols, Symbols, Symbols], tuple[Symbols, Symbols]],
) -> ExpressionModule:
    from riemannian_modules.arithmetic.expression import Expressions, symbols_of

    x, u, p = (symbols_of(space) for space in s.distinct)
    e = Expressions(x, u, p, *map_of(x, u, p), ())
    return ExpressionModule(name, s.time, (s.state, s.inputs, s.outputs), values, e)


def wired(module: RiemannianModule) -> ModuleGraph:
    """A composite as it is, or of one module."""
    if isinstance(module, ModuleGraph):
        return module
    wiring = Wiring(delay=module)
    for name in module.inputs.names:
        wiring.input(name, f"delay.{name}")
    return wiring.build()


def without_delays(graph: ModuleGraph, delays: Mapping[str, Delay]) -> ModuleGraph:
    """The rest: what each delay gives is an input of it, and what it takes an output."""
    nodes, sources, fed = {**graph.nodes}, {**graph.sources}, {**graph.fed}
    ports, taken, outputs = [*graph.inputs.ports], list[Port](), dict[str, Address]()
    givers = {
        id(part): _wire(part, parameters=part.signature.parameters) for part in delays.values()
    }
    for name, part in delays.items():
        (into,), (out,) = part.inputs.ports, part.outputs.ports
        taker, given = f"{name} takes", f"{name}.{DELAYED}"
        nodes[name], nodes[taker] = givers[id(part)], _wire(part)
        if (name, into.name) in fed:
            fed[taker, into.name] = fed.pop((name, into.name))
        else:
            sources[taker, into.name] = sources.pop((name, into.name))
        fed[name, into.name] = given
        ports.append(Port(given, out.shape, out.unit))
        taken.append(Port(name, into.shape, into.unit))
        outputs[name] = taker, out.name
    if not any(leaf.signature.state.size for leaf in nodes.values()):
        nodes["nothing"] = _still()
    tasks, _ = schedule(nodes, sources)
    spaces = Space(tuple(ports)), Space(tuple(taken))
    clock = Time.CONTINUOUS, None
    return ModuleGraph(nodes, sources, fed, outputs, spaces, clock, tasks, dict(nodes))
