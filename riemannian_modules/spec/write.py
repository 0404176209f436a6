"""Modules turned into the plain data of a system file."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic.expression_data import expressions_to_data
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.graph.schedule import Address
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Port, Space
from riemannian_modules.spec.models import FORMAT
from riemannian_modules.spec.plain import plain
from riemannian_modules.spec.registry import Constructor, constructors
from riemannian_modules.spec.system import FitTask, System
from riemannian_modules.spec.write_simulation import simulation_to_data


def system_to_data(system: System) -> dict[str, Any]:
    """The plain data of a system file.

    Raises:
        UnsupportedError: For a module that has neither a registered constructor nor expressions.
    """
    rows: dict[str, Any] = {"format": FORMAT}
    rows |= {k: v for k in ("name", "description") if (v := getattr(system, k))}
    if system.citations:
        rows["citations"] = list(system.citations)
    rows["system"] = _Writer().module(system.module, "")
    if system.region.constraints:
        raise UnsupportedError(
            "A system file holds the sides of a region, but this one is cut by "
            f"{len(system.region.constraints)} constraints, which would be lost. Save the system "
            "with box(...) alone and give the constraints to `certify` in Python."
        )
    if system.region.sides:
        rows["region"] = {
            n: [side_to_data(s) for s in sides] for n, sides in system.region.sides.items()
        }
    if system.certify:
        goal = {"rate": system.certify.rate, "factor": system.certify.factor}
        rows["certify"] = {k: v for k, v in goal.items() if v is not None}
    if system.simulation:
        rows["simulation"] = simulation_to_data(system.simulation)
    if system.fit:
        rows["fit"] = _fit(system.fit)
    return rows


def _fit(task: FitTask) -> dict[str, Any]:
    """What is not as it is by default."""
    rows: dict[str, Any] = {"data": task.data, "loss": task.loss}
    if task.bounds:
        rows["bounds"] = {n: [side_to_data(s) for s in sides] for n, sides in task.bounds.items()}
    if task.absolute:
        rows["absolute"] = True
    said = {name: getattr(task, name) for name in ("sigma", "weights", "fixed", "prior")}
    return rows | {name: plain(values) for name, values in said.items() if values}


def side_to_data(value: float) -> float | str:
    """A number, or "inf" and "-inf", which JSON has no numbers for."""
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _ports(space: Space) -> dict[str, Any]:
    """A unit, a size, or a shape with a unit by name, as `as_space` reads them."""

    def described(port: Port) -> Any:
        shape, unit = list(port.shape), [port.unit] if port.unit else []
        if not shape:
            return port.unit
        return shape[0] if len(shape) == 1 and not unit else [*shape, *unit]

    return {port.name: described(port) for port in space.ports}


@final
class _Writer:
    """One file's writing; remembers where each module stands, for those that stand twice."""

    def __init__(self) -> None:
        self._places: dict[int, str] = {}

    def module(self, module: RiemannianModule, place: str) -> dict[str, Any]:
        if id(module) in self._places:
            return {"type": "Same", "place": self._places[id(module)]}
        self._places[id(module)] = place
        if isinstance(module, ModuleGraph):
            return self._graph(module, place)
        constructor = constructors().get(type(module).__name__)
        if constructor is not None and constructor.cls is type(module):
            return self._made(module, constructor, place)
        return _expressions(module)

    def _graph(self, graph: ModuleGraph, place: str) -> dict[str, Any]:
        prefix = f"{place}." if place else ""
        modules = {n: self.module(m, prefix + n) for n, m in graph.modules.items()}
        connect, inputs = connections(graph)
        outputs = {name: shown_by(graph, a) for name, a in graph.output_sources.items()}
        rows: dict[str, Any] = {"type": "Graph", "modules": modules}
        rows |= {"connect": connect, "inputs": inputs, "outputs": outputs}
        return rows | ({"row": True} if graph.is_row else {})

    def _made(
        self, module: RiemannianModule, constructor: Constructor, place: str
    ) -> dict[str, Any]:
        named = constructor.named(module)
        rows = {"type": type(module).__name__} | {
            name: self._argument(value, f"{place}.{name}" if place else name)
            for name, value in named.items()
            if value is not None
        }
        fresh = constructor.cls(**named)
        if not np.array_equal(fresh.theta, module.theta):
            space = module.signature.parameters
            rows["parameters"] = {n: plain(v) for n, v in space.unpack(module.theta).items()}
        return rows

    def _argument(self, value: Any, place: str) -> Any:
        if isinstance(value, RiemannianModule):
            return self.module(value, place)
        if isinstance(value, Space):
            return _ports(value)
        return plain(value)


def _expressions(module: RiemannianModule) -> dict[str, Any]:
    name = module.name if isinstance(module, ExpressionModule) else type(module).__name__
    if type(module).local_metric is not RiemannianModule.local_metric:
        raise UnsupportedError(
            f"{name}: a file holds the map of a custom module but not its own `local_metric`, "
            f"which would "
            "be lost. Save a module without one and set the metric where it is used."
        )
    s = module.signature
    step = {} if s.sampling_time is None else {"sampling_time": plain(s.sampling_time.argument)}
    return {
        "type": "Expressions",
        "name": name,
        "time": s.time.value,
        **step,
        **({"time_input": plain(module.time_input)} if module.time_input else {}),
        "state": _ports(s.state),
        "inputs": _ports(s.inputs),
        "outputs": _ports(s.outputs),
        "parameters": {n: plain(v) for n, v in s.parameters.unpack(module.theta).items()},
        "expressions": expressions_to_data(module.expressions),
    }


def connections(graph: ModuleGraph) -> tuple[list[list[str]], dict[str, list[str]]]:
    """The connections between the modules as wired, and the input ports that each input feeds."""
    connect: list[list[str]] = []
    inputs: dict[str, list[str]] = {name: [] for name in graph.inputs.names}
    for name, module in graph.modules.items():
        for port in module.signature.inputs.names:
            target = _first_target(name, module, port)
            if target in graph.fed:
                inputs[graph.fed[target]].append(f"{name}.{port}")
            else:
                connect.append([shown_by(graph, graph.sources[target]), f"{name}.{port}"])
    return connect, inputs


def _first_target(name: str, module: RiemannianModule, port: str) -> Address:
    """A leaf's input port that an input port of a module as wired feeds."""
    if not isinstance(module, ModuleGraph):
        return name, port
    node, inner = next(address for address, e in module.fed.items() if e == port)
    return f"{name}.{node}", inner


def shown_by(graph: ModuleGraph, source: Address) -> str:
    """The output port "module.port", of a module as wired, that shows a leaf's output port."""
    node, port = source
    name, _, inner = node.partition(".")
    module = graph.modules[name]
    if not isinstance(module, ModuleGraph):
        return f"{name}.{port}"
    shown = next(out for out, a in module.output_sources.items() if a == (inner, port))
    return f"{name}.{shown}"
