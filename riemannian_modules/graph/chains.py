"""Chains: each module's outputs feed the next one's inputs, as `chain` and ``a >> b`` wire them."""

from __future__ import annotations

from itertools import pairwise

from riemannian_modules.errors import WiringError
from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.row import Clock, Row
from riemannian_modules.graph.wiring import Wiring, misfit
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.time_input import wired_inputs
from riemannian_modules.spaces import Space


def chain(*modules: RiemannianModule, **named: RiemannianModule) -> ModuleGraph:
    """Wire modules in a row: each one's outputs feed the next one's inputs.

    Ports are matched by name where the names agree, else in order. The first module's inputs and
    the last one's outputs are the composite's. Modules without a name get one from their class.

    Args:
        modules: From first to last.
        named: Further ones by the name that they are to have, after those without.

    Returns:
        The composite.

    Raises:
        WiringError: If neighbours do not fit.
    """
    rows = _named(modules) | named
    wiring = Wiring(**rows)
    if not all(isinstance(module, RiemannianModule) for module in rows.values()):
        return wiring.build()  # raises
    names = list(rows)
    for a, b in pairwise(names):
        for source, target in _matched(a, rows[a].signature.outputs, b, wired_inputs(rows[b])):
            wiring.connect(f"{a}.{source}", f"{b}.{target}")
    if names:
        for port in rows[names[0]].signature.inputs.names:
            wiring.input(port, f"{names[0]}.{port}")
        for port in rows[names[-1]].signature.outputs.names:
            wiring.output(port, f"{names[-1]}.{port}")
    return wiring.build().as_row()


def _named(modules: tuple[RiemannianModule, ...]) -> dict[str, RiemannianModule]:
    """Names from class names, numbered where they repeat."""
    count: dict[str, int] = {}
    rows: dict[str, RiemannianModule] = {}
    for module in modules:
        base = type(module).__name__.lower()
        count[base] = count.get(base, 0) + 1
        rows[base if count[base] == 1 else f"{base}_{count[base]}"] = module
    return rows


def _matched(a: str, out: Space, b: str, into: Space) -> list[tuple[str, str]]:
    if set(into.names) <= set(out.names):
        return [(name, name) for name in into.names]
    if len(out) == len(into):
        return list(zip(out.names, into.names, strict=True))
    raise WiringError(
        (
            f"{a} >> {b}: {a!r} gives {out.describe()} and {b!r} takes {into.describe()}; they "
            "match neither by "
            "name nor one by one. Use Wiring and connect them port by port.",
        )
    )


def _row_of(module: RiemannianModule) -> Row:
    """The modules of a chain, else the module itself as a row of one."""
    if isinstance(module, ModuleGraph) and module.is_row:
        if module.unbuilt is not None:
            return module.unbuilt
        parts = tuple(module.modules.values())
    else:
        parts = (module,)
    s = module.signature
    return Row(parts, parts[0], parts[-1], (s.time, s.sampling_time), chain)


def _joined_clock(left: Row, right: Row) -> Clock | None:
    """The time of two rows in one, None where they do not step together."""
    (first, own), (second, other) = left.clock, right.clock
    times = {first, second} - {Time.STATIC}
    if len(times) > 1 or (own and other and not own.fits(other)):
        return None
    stated = [step for step in (own, other) if step]
    return (
        next(iter(times), Time.STATIC),
        max(stated, key=lambda step: step.unit, default=None),
    )


def series(first: RiemannianModule, second: RiemannianModule) -> ModuleGraph:
    """``first >> second``, checked where they meet; a chain of chains is one chain."""
    if not isinstance(second, RiemannianModule):
        return chain(first, second)  # raises
    left, right = _row_of(first), _row_of(second)
    clock = _joined_clock(left, right)
    row = Row((left, right), left.first, right.last, clock or left.clock, chain)
    out, into = left.last.signature.outputs, wired_inputs(right.first)
    try:
        pairs = _matched("", out, "", into)
    except WiringError:
        return chain(*row.modules())  # raises, with the names that the modules have in the row
    if clock is None or any(misfit("", s, out[s], t, into[t]) for s, t in pairs):
        return chain(*row.modules())
    return ModuleGraph.of_row(row)
