"""Wiring: naming modules and connecting their ports; building it finds every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import chain, count
from typing import Self, final

from typing_extensions import override

from riemannian_modules.door import brief, text
from riemannian_modules.errors import WiringError
from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.schedule import Address, schedule
from riemannian_modules.modules.equations import Equations
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.sampling_time import SamplingTime, common_sampling_time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Port, Space
from riemannian_modules.units import conversion


@final
class Wiring(Shown):
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
        self._conversions: list[tuple[str, str]] = []
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

    def convert(self, source: str, target: str) -> Self:
        """Connect two ports whose units differ in size alone, as min and s, by a map that converts.

        The map is a module of its own, named after the target: ``plant.force`` is fed by
        ``plant_force_converted``.
        """
        self._conversions.append((text("convert", source), text("convert", target)))
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
        Time ports that nothing feeds are fed by one input "t", the time of the composite.

        Raises:
            WiringError: With every fault: unknown names, unconnected ports, sizes, units, two
                sources on one port, algebraic loops (as a named path), mixed time, and modules that
                take their steps at different times.
        """
        modules, edges = self._with_conversions()
        return _Build(modules, list(self._faults)).run(edges, self._inputs, self._outputs)

    def _with_conversions(self) -> tuple[dict[str, RiemannianModule], list[tuple[str, str]]]:
        """The modules and connections with those that convert among them."""
        modules, edges = dict(self._modules), list(self._edges)
        for source, target in self._conversions:
            out, into = (
                _port(self._modules, name, side)
                for name, side in ((source, "outputs"), (target, "inputs"))
            )
            ratio = conversion(out.unit, into.unit) if out and into else None
            if out is None or into is None or ratio is None or ratio == 1.0:
                edges.append((source, target))  # where its faults are told, or there are none
                continue
            name = f"{target.replace('.', '_')}_converted"
            modules[name] = Equations(
                {"y": f"{ratio!r}*u"}, inputs=Space((Port("u", out.shape, out.unit),)),
                outputs=Space((Port("y", out.shape, into.unit),)),
            )  # fmt: skip
            edges += [(source, f"{name}.u"), (f"{name}.y", target)]
        return modules, edges

    @override
    def facts(self) -> Facts:
        return Facts(
            f"Wiring of {counted(len(self._modules), 'module')}; build() makes the composite",
            (("", listed([*self._modules])),),
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
        targets: dict[str, list[Address]] = {p.name: [] for p in s.inputs.ports}
        for (node, port), e in module.fed.items():
            targets[e].append((f"{name}.{node}", port))
        self.in_ports |= {f"{name}.{p.name}": (targets[p.name], p) for p in s.inputs.ports}

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
        input_space = self._with_time(input_space)
        for name in self.in_ports:
            if name not in self.fed_by:
                self.faults.append(
                    f"Input port {name!r} is not connected. Connect an output to it, or make it an "
                    "input "
                    f'of the composite: .input("{name.split(".", 1)[1]}", "{name}").'
                )
        clock = self._clock()
        known = [self._knows_feedthrough(name, module) for name, module in self.leaves.items()]
        tasks, loop = schedule(self.leaves, self.sources) if all(known) else ([], None)
        if loop:
            self.faults.append(self._loop(loop))
        if self.faults:
            raise WiringError(tuple(self.faults))
        ports = {
            name: self.leaves[a[0]].signature.outputs[a[1]] for name, a in output_sources.items()
        }
        output_space = Space(tuple(Port(n, p.shape, p.unit) for n, p in ports.items()))
        return ModuleGraph(
            dict(self.leaves), self.sources, self.fed, output_sources, (input_space, output_space),
            clock, tasks, dict(self.modules),
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
        self._note(misfit(where, source, out, target, into))
        if self._claim(target, repr(source)):
            self.sources |= dict.fromkeys(targets, address)

    def _note(self, fault: str | None) -> None:
        if fault:
            self.faults.append(fault)

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
            given = Port(name, first.shape, first.unit)
            self._note(misfit(where, f"input {name}", given, target, into))
            if self._claim(target, f"input {name!r}"):
                self.fed |= dict.fromkeys(self.in_ports[target][0], name)
        return Port(name, first.shape, first.unit)

    def _with_time(self, inputs: Space) -> Space:
        """The composite's inputs, with the time where time ports of modules are not connected."""
        waiting = [
            f"{name}.{port}"
            for name, module in self.modules.items()
            for port in time_ports(module)
            if f"{name}.{port}" not in self.fed_by
        ]
        if not waiting:
            return inputs
        name = next(
            n for n in chain(("t", "time"), map("time_{}".format, count())) if n not in inputs
        )
        port = self._input(name, tuple(waiting))
        return Space((*inputs.ports, port)) if port else inputs

    def _output(self, name: str, source: str) -> Address | None:
        if self._find(source, self.out_ports, "output", f"Output {name!r}"):
            return self.out_ports[source][0]
        return None

    def _knows_feedthrough(self, name: str, module: RiemannianModule) -> bool:
        """What a class declares is checked here, for the order of computation rests on it."""
        s, declared = module.signature, module.feedthrough
        try:
            wrong = [(i, o) for i, o in declared if i not in s.inputs or o not in s.outputs]
        except (TypeError, ValueError):
            wrong = [declared]
        if wrong:
            self.faults.append(
                f"{name!r}: feedthrough: expected a set of pairs (input port, output port), with "
                f"inputs {s.inputs.describe()} and outputs {s.outputs.describe()}; got "
                f"{brief(wrong[0])}."
            )
        return not wrong

    def _loop(self, loop: list[Address]) -> str:
        """An algebraic loop in words; for nodes whose equations cannot be read, how to say more."""
        path = " -> ".join(f"{node}.{port}" for node, port in [*loop, loop[0]])
        by_trial = RiemannianModule.feedthrough
        tried = [
            f"{node!r} ({type(self.leaves[node]).__name__})"
            for node in dict.fromkeys(node for node, _ in loop)
            if type(self.leaves[node]).feedthrough is by_trial
            and self.leaves[node].signature.time is not Time.STATIC
        ]
        more = (
            f" What depends on what was found by trial in {', '.join(tried)}; where that is wrong, "
            "declare it in the class, as feedthrough = frozenset({('input', 'output')}), or "
            "frozenset() where outputs are functions of the state alone."
        )
        return (
            f"Algebraic loop: {path}. Put a state into it: an Integrator or a Lag in continuous "
            f"time, a UnitDelay in discrete time.{more if tried else ''}"
        )

    def _clock(self) -> tuple[Time, SamplingTime | None]:
        times = {m.signature.time: name for name, m in reversed(self.leaves.items())}
        if Time.CONTINUOUS in times and Time.DISCRETE in times:
            self.faults.append(
                f"{times[Time.CONTINUOUS]!r} runs in continuous time and {times[Time.DISCRETE]!r} "
                "in "
                "discrete time. Turn one into the other's time (a FlowMap makes a map of a flow)."
            )
        stated = {
            name: step
            for name, m in self.leaves.items()
            if (step := m.signature.sampling_time) is not None
        }
        step, faults = common_sampling_time(stated)
        self.faults += faults
        for time in (Time.CONTINUOUS, Time.DISCRETE):
            if time in times:
                return time, step
        return Time.STATIC, None


def _port(modules: Mapping[str, RiemannianModule], name: str, side: str) -> Port | None:
    """The port "module.port" of some modules; None where there is none."""
    node, _, port = name.partition(".")
    spaces: Space = getattr(modules[node].signature, side) if node in modules else Space()
    return spaces[port] if port in spaces.names else None


def misfit(where: str, source: str, out: Port, target: str, into: Port) -> str | None:
    """What is wrong with a connection of two ports, and how to mend it; None if they fit."""
    if out.size != into.size:
        return (
            f"{where}: {target!r} expects size {into.size}, but {source!r} gives {out.size}. Put "
            f"an Affine map {out.size} -> {into.size} between them."
        )
    ratio = conversion(out.unit, into.unit)
    if ratio == 1.0:
        return None
    mend = (
        "Put a Gain between them that converts, or name the same unit"
        if ratio is None
        else f"Write .convert(...) in place of .connect(...), which multiplies by {ratio:.6g}, or "
        "name the same unit"
    )
    return (
        f"{where}: {target!r} expects unit [{into.unit}], but {source!r} gives [{out.unit}]. "
        f"{mend}."
    )
