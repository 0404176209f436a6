"""A module or composite of this library as a `torch.nn.Module`, for training loops of torch.

Source: none; the sweep is that of a graph, in torch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.graph import ModuleGraph, chain
from riemannian_modules.graph.plan import EXTERNAL, Piece, Plan
from riemannian_modules.graph.plan import Leaf as PlanLeaf
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.ownership import owners_of
from riemannian_modules.modules.sampled import has_ticks
from riemannian_modules.spaces import Array, Space
from riemannian_torch.tensors import array
from riemannian_torch.torch_module import TorchModule
from riemannian_torch.writing.leaves import Parameters, TheirMap, WrittenLeaf, written_leaf

PortTensors: TypeAlias = Mapping[str, Tensor]
_Known: TypeAlias = list[dict[tuple[int, int], Tensor]]


def to_torch(module: RiemannianModule) -> TorchComposite:
    """Write a module or composite as torch code that autograd differentiates.

    Args:
        module: A static map, a flow or a step map; its parts have exact expressions, are structured
            layers of this library, or torch modules, of which copies are made.

    Returns:
        The module, in float64; ``.float()`` and ``.to(device)`` as usual.

    Raises:
        UnsupportedError: By the name of the part that has no exact form, as a `FlowMap`.

    Values and gradients are those of the module to rounding, at kinks too; where a slope is
    infinite (sqrt at zero) its gradient is zero. Cost: expressions are compiled once.
    """
    require("to_torch", module, RiemannianModule, "a module or a graph")
    return TorchComposite(module)


@final
class TorchComposite(nn.Module):
    """What `to_torch` makes: parameters are trained, named as in the graph.

    A static map is called with its inputs ``u``, a flow or step map with state and inputs
    ``(x, u)``, and gives ``(dx, y)``: the state's derivative, or its successor, and the outputs.
    Each is a mapping from ports to tensors (..., *shape), whose leading axes are batches; or one
    tensor, flat (..., size), where one port has several axes also (..., *shape). What comes back is
    of the kind of the first argument. Names that torch's modules have for themselves get an
    underscore.

    Args:
        module: The module that it computes.
    """

    def __init__(self, module: RiemannianModule) -> None:
        super().__init__()
        self._module = module
        graph = module if isinstance(module, ModuleGraph) else chain(module=module)
        if has_ticks(graph):
            raise UnsupportedError(
                "to_torch: expected a module without sampled parts, whose ticks torch would leave "
                "out. Write the plant and the controller one by one, each at its times."
            )
        self._plan: Plan = graph.plan
        s = module.signature
        spaces = (*s.distinct[:2], s.outputs)
        self._state, self._inputs, self._outputs = (_Ports.of(space) for space in spaces)
        self._is_static = s.time is Time.STATIC
        self._named: dict[str, tuple[nn.Module, str]] = {}
        self._places: list[dict[str, tuple[nn.Module, str]]] = []
        self._leaves = nn.ModuleList()
        held: dict[int, tuple[nn.Module, dict[str, tuple[nn.Module, str]]]] = {}
        for name, owner in graph.owners.items():
            held[id(owner)] = self._hold(name if graph is module else "", owner)
        written: dict[int, WrittenLeaf] = {}
        for leaf in self._plan.leaves:
            (owner,) = owners_of(leaf.module).values()
            model, places = held[id(owner)]
            if id(leaf.module) not in written:
                written[id(leaf.module)] = (
                    TheirMap(model, leaf.module)
                    if isinstance(leaf.module, TorchModule)
                    else written_leaf(leaf.name, leaf.module)
                )
            self._leaves.append(written[id(leaf.module)])
            self._places.append({} if isinstance(leaf.module, TorchModule) else places)

    def _hold(
        self, path: str, owner: RiemannianModule
    ) -> tuple[nn.Module, dict[str, tuple[nn.Module, str]]]:
        """Where an owner's parameters are, by name: in a submodule under its path.

        Of a torch model it is a copy.
        """
        holder: nn.Module = self
        *above, last = path.split(".") if path else [""]
        names = owner.signature.parameters.names
        for part in above if names else []:
            holder = _child(holder, part, nn.Module)
        if isinstance(owner, TorchModule):
            model = _child(holder, last or "model", lambda: copy.deepcopy(owner.model))
            places = {
                n: (model.get_submodule(n.rpartition(".")[0]), n.rpartition(".")[2]) for n in names
            }
        else:
            model = _child(holder, last, nn.Module) if last and names else holder
            places = {n: (model, _free(model, n)) for n in names}
            for n, value in owner.signature.parameters.unpack(owner.theta).items():
                model.register_parameter(places[n][1], nn.Parameter(torch.tensor(value)))
        self._named |= {f"{path}.{n}" if path else n: place for n, place in places.items()}
        return model, places

    @override
    def forward(self, first: Tensor | PortTensors, u: Tensor | PortTensors | None = None) -> Any:
        """The outputs of a static map, else the state's derivative or successor and the outputs.

        Args:
            first: The inputs of a static map, else the state.
            u: The inputs of a flow or step map; None where there are none.

        Raises:
            SignatureError: For other names or shapes.
        """
        if self._is_static:
            flat_u = _flat("the inputs", self._inputs, first)
            flat_x = flat_u[..., :0]
        else:
            flat_x = _flat("the state", self._state, first)
            flat_u = flat_x[..., :0]
            if self._inputs.size:
                flat_u = _flat("the inputs", self._inputs, {} if u is None else u)
        batch = torch.broadcast_shapes(flat_x.shape[:-1], flat_u.shape[:-1])
        x, v = flat_x.expand(*batch, -1), flat_u.expand(*batch, -1)
        ys = self._swept(x, v)
        shown = [_part(ys, v, p.leaf, p.place) for p in self._plan.shown]
        y = _as_given(self._outputs, _joined(shown, v), first)
        return y if self._is_static else (_as_given(self._state, self._rate(ys, x, v), first), y)

    def _swept(self, x: Tensor, u: Tensor) -> _Known:
        """The outputs of each leaf, by place where they are computed one port after the other."""
        known: _Known = [{} for _ in self._plan.leaves]
        for step in self._plan.steps:
            leaf = self._plan.leaves[step.leaf]
            ui = self._gathered(leaf, step.pieces, known, u)
            for place in step.places if step.places is not None else (None,):
                y = self._written(step.leaf).output(
                    x[..., leaf.state], ui, self._own(step.leaf), place
                )
                whole = slice(0, leaf.outputs)
                known[step.leaf][_ends(place or whole)] = y
        return known

    def _rate(self, ys: _Known, x: Tensor, u: Tensor) -> Tensor:
        rates = [
            self._written(i).rate(
                x[..., leaf.state], self._gathered(leaf, leaf.pieces, ys, u), self._own(i)
            )
            for i, leaf in enumerate(self._plan.leaves)
            if not leaf.is_static
        ]
        return _joined(rates, x)

    def _gathered(self, leaf: PlanLeaf, pieces: tuple[Piece, ...], ys: _Known, u: Tensor) -> Tensor:
        """A leaf's inputs; those that are not known yet, and not needed, are zero."""
        parts = {p.target.start: _part(ys, u, p.leaf, p.place) for p in pieces}
        missing = [p for p in leaf.pieces if p.target.start not in parts]
        for p in missing:
            parts[p.target.start] = u.new_zeros((*u.shape[:-1], p.target.stop - p.target.start))
        return _joined([parts[start] for start in sorted(parts)], u)

    def _written(self, i: int) -> WrittenLeaf:
        found: Any = self._leaves[i]
        return found

    def _own(self, i: int) -> Parameters:
        return {name: getattr(*at) for name, at in self._places[i].items()}

    def parameter_values(self) -> dict[str, Array]:
        """The parameters now, by their names in the graph: for its ``with_parameters``."""
        return {name: array(getattr(*at)).copy() for name, at in self._named.items()}

    @override
    def __reduce__(self) -> Any:
        flags = {name: p.requires_grad for name, p in self.named_parameters()}
        return _rebuilt, (self._module, self.state_dict(), flags, self.training)


def _rebuilt(
    module: RiemannianModule,
    state: Mapping[str, Any],
    flags: Mapping[str, bool],
    training: bool,  # noqa: FBT001 - torch's flag
) -> TorchComposite:
    twin = TorchComposite(module)
    twin.load_state_dict(state, assign=True)
    for name, parameter in twin.named_parameters():
        parameter.requires_grad_(flags[name])
    return twin.train(training)


def _ends(place: slice) -> tuple[int, int]:
    return place.start, place.stop


def _part(ys: _Known, u: Tensor, leaf: int, place: slice) -> Tensor:
    """Some outputs of a leaf, or inputs of the whole."""
    if leaf == EXTERNAL:
        return u[..., place]
    exact = ys[leaf].get(_ends(place))
    if exact is not None:
        return exact
    (found,) = [
        y[..., place.start - start : place.stop - start]
        for (start, stop), y in ys[leaf].items()
        if start <= place.start and place.stop <= stop
    ][:1]
    return found


def _joined(parts: list[Tensor], like: Tensor) -> Tensor:
    if not parts:
        return like[..., :0]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _flat(what: str, space: _Ports, given: Tensor | PortTensors) -> Tensor:
    """What was given, flat (..., size)."""
    if isinstance(given, Tensor):
        shape = space.axes
        if shape is not None and tuple(given.shape[-len(shape) :]) == shape:
            return given.flatten(-len(shape))
        if given.ndim == 0 or given.shape[-1] != space.size:
            raise SignatureError(
                f"TorchComposite: {what}: expected {space.words}, as tensors by name or flat "
                f"(..., {space.size}), got a tensor of shape {tuple(given.shape)}."
            )
        return given
    if set(given) != set(space.names):
        raise SignatureError(
            f"TorchComposite: {what}: expected a tensor for each of {', '.join(space.names)}, got "
            f"{', '.join(map(str, given)) or 'none'}."
        )
    parts: list[Tensor] = []
    for name, wanted in zip(space.names, space.shapes, strict=True):
        value, axes = given[name], len(wanted)
        if tuple(value.shape[value.ndim - axes :]) != wanted or value.ndim < axes:
            raise SignatureError(
                f"TorchComposite: {what}: {name!r} has shape {wanted} behind the axes of a batch, "
                f"got {tuple(value.shape)}."
            )
        parts.append(value.reshape(*value.shape[: value.ndim - axes], math.prod(wanted)))
    batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*batch, -1) for part in parts], dim=-1)


def _as_given(
    space: _Ports, flat: Tensor, like: Tensor | PortTensors
) -> Tensor | dict[str, Tensor]:
    """Flat numbers as a mapping where ``like`` is one, else as a tensor."""
    if isinstance(like, Tensor):
        return flat if space.axes is None else flat.unflatten(-1, space.axes)
    parts = torch.split(flat, [math.prod(shape) for shape in space.shapes], dim=-1)
    return {
        name: part.reshape(*flat.shape[:-1], *shape)
        for name, part, shape in zip(space.names, parts, space.shapes, strict=True)
    }


@final
@dataclass(frozen=True, slots=True)
class _Ports:
    """A space as plain numbers, which torch's compiler reads.

    ``axes`` is the shape of one port with several axes, which a tensor may have.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    size: int
    axes: tuple[int, ...] | None
    words: str

    @classmethod
    def of(cls, space: Space) -> _Ports:
        shapes = tuple(port.shape for port in space.ports)
        axes = shapes[0] if len(shapes) == 1 and len(shapes[0]) > 1 else None
        return cls(space.names, shapes, space.size, axes, space.describe())


def _child(holder: nn.Module, name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """The submodule of a name, made where there is none."""
    known = dict(holder.named_children())
    free = name if name in known else _free(holder, name)
    if free not in known:
        holder.add_module(free, make())
    return holder.get_submodule(free)


def _free(holder: nn.Module, name: str) -> str:
    """The name, with underscores behind it where torch's modules have an attribute of that name."""
    while hasattr(holder, name):
        name += "_"
    return name
