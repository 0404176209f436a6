"""The composite module: leaf modules, their wiring, and what they are together.

Composites among the nodes are opened when a graph is built, so a graph of any depth is one flat
list of leaf modules, whose states, parameters and derivatives are found under names such as
"loop.plant.q".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.graph.forward_mode import sweep_tangents
from riemannian_modules.graph.plan import Plan, make_plan
from riemannian_modules.graph.row import Clock, Row
from riemannian_modules.graph.schedule import Address, Task
from riemannian_modules.graph.sweep import (
    GraphDifferential,
    Values,
    leaf_differentials,
    show,
    sweep_once,
    sweep_outputs,
    sweep_values,
)
from riemannian_modules.metrics import BlockDiagonalMetric, Metric
from riemannian_modules.modules.capability import EnclosedMap, ExactForm, StagedMap, TangentMap
from riemannian_modules.modules.differential import Differential, Jacobian, dense_jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import (
    LocalMetric,
    RiemannianModule,
    Time,
    checked_parameters,
    euclidean_metric,
)
from riemannian_modules.modules.ownership import Composite, owners_of, with_owners
from riemannian_modules.modules.readings import readings_of, require_repeatable
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.shown import Facts, counted, listed
from riemannian_modules.spaces import Array, Signals, Space, batch_shape

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval
    from riemannian_modules.modules.readings import Readings


@final
class _Built:
    """An attribute that the wiring gives; to read it before it is there builds the graph."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, graph: ModuleGraph | None, owner: type[Any]) -> Any:
        if graph is None:
            return self
        graph.build()
        return vars(graph)[self._name]


def _built() -> Any:
    """The attribute, in the type that it is declared with."""
    return _Built()


@final
class ModuleGraph(RiemannianModule, Composite, EnclosedMap, ExactForm, StagedMap, TangentMap):
    """A composite of modules; build it with `Wiring`, `chain` or ``a >> b``, not directly.

    Its state and its parameters are those of its leaves in order, named "leaf.name"; a module that
    stands in two places has two states and one set of parameters, named after its first place.

    Attributes:
        nodes: Leaf modules by name.
        sources: For each connected input port (leaf, port), the output port (leaf, port) that feeds
            it.
        fed: For each leaf input port that the composite's inputs feed, the name of that input.
        output_sources: For each output of the composite, the output port (leaf, port) that it
            shows.
        tasks: The order of computation.
        modules: The modules as they were wired, composites unopened.
        unbuilt: The row that it is made of, while nothing of it has been asked for.
        origin: What it was read from, where an adapter made it of a model of another library.
    """

    nodes: Mapping[str, RiemannianModule] = _built()
    sources: Mapping[Address, Address] = _built()
    fed: Mapping[Address, str] = _built()
    output_sources: Mapping[str, Address] = _built()
    tasks: list[Task] = _built()
    modules: Mapping[str, RiemannianModule] = _built()
    time: Time = _built()
    sampling_time = _built()
    state: Space = _built()
    inputs: Space = _built()
    outputs: Space = _built()
    parameters: Mapping[str, ArrayLike] = _built()
    unbuilt: Row | None = None
    origin: Any = None

    def __init__(
        self,
        nodes: Mapping[str, RiemannianModule],
        sources: Mapping[Address, Address],
        fed: Mapping[Address, str],
        output_sources: Mapping[str, Address],
        spaces: tuple[Space, Space],
        clock: Clock,
        tasks: list[Task],
        modules: Mapping[str, RiemannianModule],
    ) -> None:
        self.nodes, self.sources, self.fed, self.modules = nodes, sources, fed, modules
        self.output_sources, self.tasks = output_sources, tasks
        self.time, self.sampling_time = clock
        self.inputs, self.outputs = spaces
        self.is_row = False
        self.state = Space(
            tuple(p for name, m in nodes.items() for p in m.signature.state.renamed(name).ports)
        )
        self.parameters = {
            f"{name}.{key}": value
            for name, m in self.owners.items()
            for key, value in m.parameters.items()
        }

    @classmethod
    def of_row(cls, row: Row) -> ModuleGraph:
        """The chain of a row, built when something of it is first read."""
        graph = cls.__new__(cls)
        graph.unbuilt, graph.is_row = row, True
        return graph

    def build(self) -> None:
        """Wire the row that it was made of, where that was not done yet."""
        if self.unbuilt is not None:
            wired = self.unbuilt.wire(*self.unbuilt.modules())
            vars(self).update(vars(wired) | {"unbuilt": None})

    @override
    def __getstate__(self) -> Any:
        self.build()  # rows of rows are too deep to be copied one in the other
        return super().__getstate__()

    def as_row(self) -> Self:
        """The same graph, remembered as a chain: ``>>`` lengthens it instead of nesting it."""
        row = copy.copy(self)
        row.is_row = True
        return row

    @property
    @override
    def owners(self) -> Mapping[str, RiemannianModule]:
        """Each distinct owner of parameters under the name of its first place."""
        return self._owners

    @cached_property
    def _owners(self) -> dict[str, RiemannianModule]:
        first: dict[int, str] = {}
        found: dict[str, RiemannianModule] = {}
        for place, leaf in self.nodes.items():
            for inner, owner in owners_of(leaf).items():
                name = f"{place}.{inner}" if inner else place
                if first.setdefault(id(owner), name) == name:
                    found[name] = owner
        return found

    @property
    def theta(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The owners' values now, flat: gathered at each call, for an owner's may be live."""
        return np.concatenate([np.zeros(0), *(m.theta for m in self.owners.values())])

    @property
    @override
    def time_input(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The inputs that feed time ports of the leaves."""
        fed = self.fed.items()
        return tuple(
            dict.fromkeys(name for (leaf, port), name in fed if _is_time(self.nodes[leaf], port))
        )

    @cached_property
    def plan(self) -> Plan:
        """The order of the sweep, with names resolved to positions."""
        return make_plan(
            self.nodes,
            self.sources,
            self.fed,
            self.output_sources,
            self.signature.inputs,
            self.tasks,
        )

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        values = sweep_values(self.plan, x, u, theta)
        return values.dx, values.y

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        return show(self.plan, sweep_outputs(self.plan, x, u, theta), batch_shape(x, u, theta))

    def values(self, x: Array, u: Array, theta: Array) -> Values:
        """The values of every leaf at a batch of points."""
        return sweep_values(self.plan, x, u, theta)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> GraphDifferential:
        return self.differential_at(sweep_values(self.plan, x, u, theta), x, theta)

    @override
    def output_then_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Callable[[], Differential]]:
        # As in `push_forward`; of a state the derivatives need inputs that a sweep meets later.
        plan = self.plan
        if not plan.is_whole or self.state.size:
            return self.output(x, u, theta), lambda: self.differential(x, u, theta)
        ys, rest = sweep_once(plan, x, u, theta)
        sizes = (0, self.inputs.size, self.signature.parameters.size)
        y = show(plan, ys, batch_shape(x, u, theta))
        return y, lambda: GraphDifferential(plan, tuple([later() for later in rest]), sizes)

    def differential_at(self, values: Values, x: Array, theta: Array) -> GraphDifferential:
        """The differential at values that a sweep has computed already."""
        s = self.signature
        sizes = (s.state.size, s.inputs.size, s.parameters.size)
        return GraphDifferential(self.plan, leaf_differentials(self.plan, values, x, theta), sizes)

    @override
    def push_forward(
        self, x: Array, u: Array, theta: Array, t_x: Array, t_u: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        # A module split into several steps has values that are not known yet; two sweeps do it.
        if not self.plan.is_whole:
            return self.forward(x, u, theta), self.differential(x, u, theta).push(t_x, t_u)
        return sweep_tangents(self.plan, x, u, theta, t_x, t_u)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        s = self.signature
        sizes = (s.state.size, s.inputs.size, s.outputs.size, s.parameters.size)
        return dense_jacobian(self.differential(x, u, theta), sizes, batch_shape(x, u, theta))

    @override
    def local_metric(self) -> LocalMetric:
        # A leaf's metric on its own outputs acts inside, at the leaf, when metrics are propagated;
        # the composite adds none of its own at its outputs.
        owners = [m.local_metric().parameters for m in self.owners.values()]
        states = [m.local_metric().state for m in self.nodes.values()]
        return LocalMetric(_blocks(owners), _blocks(states), np.zeros((self.outputs.size, 0)))

    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        """The leaves' equations, one after the other: the composite in exact terms."""
        from riemannian_modules.graph.trace import trace_leaves

        return trace_leaves(self.plan, x.vector, u.vector, p.vector)

    @override
    def _read(self) -> tuple[Readings, ...]:
        return tuple(r for m in self.owners.values() for r in readings_of(m))

    @override
    def _require_repeatable(self) -> None:
        for module in self.owners.values():
            require_repeatable(module)

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        from riemannian_modules.graph.enclose import enclose_graph

        return enclose_graph(self.plan, x, u, theta)

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Followed through the wiring, port by port."""
        reached: dict[Address, set[str]] = {}
        for task in self.tasks:
            module = self.nodes[task.node]
            for out in task.ports if task.ports is not None else module.signature.outputs.names:
                found: set[str] = set()
                for i, o in module.feedthrough:
                    if o == out:
                        address = (task.node, i)
                        found |= (
                            {self.fed[address]}
                            if address in self.fed
                            else reached[self.sources[address]]
                        )
                reached[task.node, out] = found
        return frozenset((i, name) for name, a in self.output_sources.items() for i in reached[a])

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        flat = checked_parameters(self, theta)
        owners = list(self.owners.values())
        ends = accumulate((m.signature.parameters.size for m in owners), initial=0)
        places = [slice(*pair) for pair in pairwise(ends)]
        return self.with_owners({
            id(m): m.with_parameters(flat[place]) for m, place in zip(owners, places, strict=True)
        })  # fmt: skip

    @override
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        twins = {id(m): with_owners(m, changed) for m in self.nodes.values()}
        return self.with_nodes({name: twins[id(m)] for name, m in self.nodes.items()})

    def with_nodes(self, nodes: Mapping[str, RiemannianModule]) -> Self:
        """The same wiring with other leaf modules of the same signatures."""
        clock = (self.time, self.signature.sampling_time)
        twin = type(self)(
            nodes, self.sources, self.fed, self.output_sources, (self.inputs, self.outputs),
            clock, self.tasks, _replaced(self.modules, "", nodes),
        )  # fmt: skip
        twin.origin = self.origin
        return twin.as_row() if self.is_row else twin

    @override
    def facts(self) -> Facts:
        inside = [f"{name} ({type(module).__name__})" for name, module in self.modules.items()]
        title = f"ModuleGraph of {counted(len(inside), 'module')}, {self.time.value}"
        states, parameters = (space.size for space in (self.state, self.signature.parameters))
        ends = (("inputs", self.inputs), ("outputs", self.outputs))
        read = () if self.origin is None else (("read from", self.origin.facts().title),)
        return Facts(title, (
            *read, ("", listed(inside)), *((name, listed(s.names)) for name, s in ends if s.ports),
            ("", f"{counted(states, 'state')}, {counted(parameters, 'parameter')}"),
        ))  # fmt: skip


def _is_time(leaf: RiemannianModule, port: str) -> bool:
    return leaf.time_input is not None and port in time_ports(leaf)


def _blocks(metrics: list[Metric]) -> Metric:
    blocks = tuple(metric for metric in metrics if metric.dim)
    return BlockDiagonalMetric(blocks) if blocks else euclidean_metric(0)


def _replaced(
    modules: Mapping[str, RiemannianModule], prefix: str, nodes: Mapping[str, RiemannianModule]
) -> dict[str, RiemannianModule]:
    """The modules as wired, with the leaves taken from ``nodes``."""
    rows: dict[str, RiemannianModule] = {}
    for name, module in modules.items():
        inner = f"{prefix}{name}."
        rows[name] = (
            module.with_nodes({leaf: nodes[inner + leaf] for leaf in module.nodes})
            if isinstance(module, ModuleGraph)
            else nodes[prefix + name]
        )
    return rows
