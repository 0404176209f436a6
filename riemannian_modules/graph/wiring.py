"""Wiring: naming modules and connecting their ports; building it finds every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import pairwise
from typing import Self, final

from riemannian_modules.door import brief, text
from riemannian_modules.errors import WiringError
from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.schedule import Address, schedule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.space import Port, Space


@final
class Wiring:
    """A list of modules and connections that `build` checks and turns into a composite.

    The one mutable object of the library: each method notes something down and returns the wiring.

    Args:
        modules: The first modules by name; `add` adds more.

    Example:
        ``Wiring(plant=p, pid=c).input("r", "pid.reference").connect("pid.u", "plant.force")
        .connect("plant.q", "pid.measurement").output("q", "plant.q").build()``
    """

    def __init__(self, **modules: RiemannianModule) -> None:
        self._modules: dict[str, RiemannianModule] = {}
        self._edges: list[tuple[str, str]] = []
        self._inputs: list[tuple[str, tuple[str, ...]]] = []
        self._outputs: list[tuple[str, str]] = []
        self._faults: list[str] = []
        for name, module in modules.items():
            self.add(name, module)

    def add(self, name: str, module: RiemannianModule) -> Self:
        """Add a module; the same object under two names shares its parameters."""
        if not isinstance(name, str) or not isinstance(module, RiemannianModule):
            self._faults.append(
                f"Expected a module under a name, got {brief(module)} under {name!r}. Make an "
                "instance: Tanh(), not Tanh."
            )
        elif name in self._modules:
            self._faults.append(f"Two modules are named {name!r}; rename one.")
        elif not name or "." in name:
            self._faults.append(f"A module is named {name!r}; use a name without a dot.")
        else:
            self._modules[name] = module
        return self

    def connect(self, source: str, target: str) -> Self:
        """Feed the input port ``target`` ("module.port") from the output port ``source``."""
        self._edges.append((text("connect", source), text("connect", target)))
        return self

    def input(self, name: str, *targets: str) -> Self:
        """Make an input of the composite that feeds the given input ports."""
        self._inputs.append((text("input", name), tuple(text("input", t) for t in targets)))
        return self

    def output(self, name: str, source: str) -> Self:
        """Make an output of the composite from an output port."""
        self._outputs.append((text("output", name), text("output", source)))
        return self

    def build(self) -> ModuleGraph:
        """Check the wiring and build the composite, in time linear in modules and connections.

        Where no outputs are named, every output port is an output under its address "module.port".

        Raises:
            WiringError: With every fault: unknown names, unconnected ports, sizes, units, two
                sources on one port, algebraic loops (as a named path), mixed time.
        """
        return _Build(self._modules, list(self._faults)).run(
            self._edges, self._inputs, self._outputs
        )


class _Build:
    """One building: composites among the modules are opened, so that only leaves are wired."""

    def __init__(self, modules: dict[str, RiemannianModule], faults: list[str]) -> None:
        self.faults = faults
        self.modules = modules
        self.leaves: dict[str, RiemannianModule] = {}
        self.sources: dict[Address, Address] = {}
        self.fed: dict[Address, str] = {}  # external input of each leaf port that has one
        self.fed_by: dict[str, str] = {}  # for each top-level target, what feeds it, in words
        self.out_ports: dict[str, tuple[Address, Port]] = {}
        self.in_ports: dict[str, tuple[list[Address], Port]] = {}
        for name, module in modules.items():
            self._open(name, module)

    def _open(self, name: str, module: RiemannianModule) -> None:
        s = module.signature
        if not isinstance(module, ModuleGraph):
            self.leaves[name] = module
            self.out_ports |= {f"{name}.{p.name}": ((name, p.name), p) for p in s.outputs.ports}
            self.in_ports |= {f"{name}.{p.name}": ([(name, p.name)], p) for p in s.inputs.ports}
            return
        self.leaves |= {f"{name}.{leaf}": part for leaf, part in module.nodes.items()}
        self.sources |= {
            (f"{name}.{node}", port): (f"{name}.{source}", out)
            for (node, port), (source, out) in module.sources.items()
        }
        for p in s.outputs.ports:
            node, port = module.output_sources[p.name]
            self.out_ports[f"{name}.{p.name}"] = ((f"{name}.{node}", port), p)
        for p in s.inputs.ports:
            targets = [
                (f"{name}.{node}", port) for (node, port), e in module.fed.items() if e == p.name
            ]
            self.in_ports[f"{name}.{p.name}"] = (targets, p)

    def run(
        self,
        edges: list[tuple[str, str]],
        inputs: list[tuple[str, tuple[str, ...]]],
        outputs: list[tuple[str, str]],
    ) -> ModuleGraph:
        if not self.leaves:
            self.faults.append("The graph has no modules; add at least one.")
        for kind, names in (
            ("inputs", [n for n, _ in inputs]),
            ("outputs", [n for n, _ in outputs]),
        ):
            twice = (
                sorted({n for n in names if names.count(n) > 1})
                if len(names) != len(set(names))
                else []
            )
            if twice:
                self.faults.append(
                    f"The composite's {kind} {twice} are named more than once; name each once."
                )
        if self.faults:
            raise WiringError(tuple(self.faults))
        for source, target in edges:
            self._connect(source, target)
        input_space = Space(
            tuple(p for name, targets in inputs if (p := self._input(name, targets)))
        )
        output_sources = {name: a for name, source in outputs if (a := self._output(name, source))}
        if not outputs:
            output_sources = {name: address for name, (address, _) in self.out_ports.items()}
        for name in self.in_ports:
            if name not in self.fed_by:
                self.faults.append(
                    f"Input port {name!r} is not connected. Connect an output to it, or make it an "
                    "input "
                    f'of the composite: .input("{name.split(".", 1)[1]}", "{name}").'
                )
        time = self._time()
        tasks, loop = schedule(self.leaves, self.sources)
        if loop:
            self.faults.append(
                f"Algebraic loop: {' -> '.join([*loop, loop[0]])}. Put a state into it: an "
                "Integrator or a "
                "Lag in continuous time, a UnitDelay in discrete time."
            )
        if self.faults:
            raise WiringError(tuple(self.faults))
        ports = {
            name: self.leaves[a[0]].signature.outputs[a[1]] for name, a in output_sources.items()
        }
        output_space = Space(tuple(Port(n, p.shape, p.unit) for n, p in ports.items()))
        return ModuleGraph(
            dict(self.leaves), self.sources, self.fed, output_sources, (input_space, output_space),
            time, tasks, dict(self.modules),
        )  # fmt: skip

    def _find(
        self, name: str, known: Mapping[str, tuple[object, Port]], kind: str, other: str
    ) -> bool:
        if name in known:
            return True
        node = name.split(".", 1)[0]
        if node not in self.modules:
            near = f"known modules are: {', '.join(list(self.modules)[:12]) or 'none'}"
        else:
            ports = [k for k in known if k.startswith(f"{node}.")]
            near = f"{kind} ports of {node!r} are: {', '.join(ports) or 'none'}"
        guess = difflib.get_close_matches(name, list(known)[:2000], 1)
        hint = f" Did you mean {guess[0]!r}?" if guess else ""
        self.faults.append(f"{other}: there is no {kind} port {name!r}; {near}.{hint}")
        return False

    def _claim(self, target: str, by: str) -> bool:
        if target in self.fed_by:
            self.faults.append(
                f"Input port {target!r} has two sources, {self.fed_by[target]} and {by}. Remove "
                "one, or "
                "add them with a Sum module."
            )
            return False
        self.fed_by[target] = by
        return True

    def _connect(self, source: str, target: str) -> None:
        where = f"Connection {source!r} -> {target!r}"
        found = [
            self._find(source, self.out_ports, "output", where),
            self._find(target, self.in_ports, "input", where),
        ]
        if not all(found):
            if found[1]:
                self.fed_by.setdefault(
                    target, repr(source)
                )  # do not report it as unconnected as well
            return
        (address, out), (targets, into) = self.out_ports[source], self.in_ports[target]
        self._fits(where, source, out, target, into)
        if self._claim(target, repr(source)):
            self.sources |= dict.fromkeys(targets, address)

    def _fits(self, where: str, source: str, out: Port, target: str, into: Port) -> None:
        if out.size != into.size:
            self.faults.append(
                f"{where}: {target!r} expects size {into.size}, but {source!r} gives {out.size}. "
                "Put an "
                f"Affine map {out.size} -> {into.size} between them."
            )
        elif out.unit and into.unit and out.unit != into.unit:
            self.faults.append(
                f"{where}: {target!r} expects unit [{into.unit}], but {source!r} gives "
                f"[{out.unit}]. Put a "
                "Gain between them that converts, or name the same unit."
            )

    def _input(self, name: str, targets: tuple[str, ...]) -> Port | None:
        where = f"Input {name!r}"
        if not targets:
            self.faults.append(f"{where} feeds nothing; name the input ports that it feeds.")
            return None
        known = [self._find(t, self.in_ports, "input", where) for t in targets]
        if not all(known):
            return None
        first = self.in_ports[targets[0]][1]
        for target in targets:
            into = self.in_ports[target][1]
            self._fits(where, f"input {name}", Port(name, first.shape, first.unit), target, into)
            if self._claim(target, f"input {name!r}"):
                self.fed |= dict.fromkeys(self.in_ports[target][0], name)
        return Port(name, first.shape, first.unit)

    def _output(self, name: str, source: str) -> Address | None:
        if self._find(source, self.out_ports, "output", f"Output {name!r}"):
            return self.out_ports[source][0]
        return None

    def _time(self) -> Time:
        times = {m.signature.time: name for name, m in reversed(self.leaves.items())}
        if Time.CONTINUOUS in times and Time.DISCRETE in times:
            self.faults.append(
                f"{times[Time.CONTINUOUS]!r} runs in continuous time and {times[Time.DISCRETE]!r} "
                "in "
                "discrete time. Turn one into the other's time (a FlowMap makes a map of a flow)."
            )
        for time in (Time.CONTINUOUS, Time.DISCRETE):
            if time in times:
                return time
        return Time.STATIC


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
        for source, target in _matched(a, rows[a].signature.outputs, b, rows[b].signature.inputs):
            wiring.connect(source, target)
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
        return [(f"{a}.{name}", f"{b}.{name}") for name in into.names]
    if len(out) == len(into):
        return [(f"{a}.{o}", f"{b}.{i}") for o, i in zip(out.names, into.names, strict=True)]
    raise WiringError(
        (
            f"{a} >> {b}: {a!r} gives {out.describe()} and {b!r} takes {into.describe()}; they "
            "match neither by "
            "name nor one by one. Use Wiring and connect them port by port.",
        )
    )


def _row(module: RiemannianModule) -> tuple[RiemannianModule, ...]:
    """The modules of a row that `chain` made, else the module itself."""
    if isinstance(module, ModuleGraph) and module.is_row:
        return tuple(module.modules.values())
    return (module,)


# `a >> b` is a chain, and a chain of chains is one chain.
RiemannianModule.series_is(lambda first, second: chain(*_row(first), *_row(second)))
