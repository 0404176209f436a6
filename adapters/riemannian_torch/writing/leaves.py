"""One module of a graph as torch code: matrices stay matrices, the rest is written term by term."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, final

import numpy as np
import sympy as sp
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from riemannian_modules.arithmetic.symbolic_array import SymbolicArray
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.modules import Affine, Gain, MatrixGain, Saturation, Sum
from riemannian_modules.modules.activation import Activation
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.rewiring import Rewiring
from riemannian_torch.layers.borrowed import Borrowed
from riemannian_torch.layers.entrywise import EntrywiseAffine, EntrywiseProduct
from riemannian_torch.layers.fixed_affine import FixedAffine
from riemannian_torch.layers.shared_affine import SharedAffine
from riemannian_torch.point_map import named_tensors
from riemannian_torch.torch_module import TorchModule
from riemannian_torch.writing.torch_code import maximum, minimum, torch_function

Parameters: TypeAlias = Mapping[str, Tensor]


class WrittenLeaf(nn.Module, abc.ABC):
    """A module's map in torch, on flat vectors; constants are buffers, which move with it."""

    @abc.abstractmethod
    def output(self, x: Tensor, u: Tensor, p: Parameters, place: slice | None) -> Tensor:
        """The outputs (..., q), or those at a place; of inputs that these do not need any will do.

        Args:
            x: States (..., n).
            u: Inputs (..., m).
            p: Parameters by name.
            place: Which outputs; None for all.
        """

    @abc.abstractmethod
    def rate(self, x: Tensor, u: Tensor, p: Parameters) -> Tensor:
        """The state's derivative or successor (..., n)."""


class Map(WrittenLeaf):
    """A map without state."""

    @abc.abstractmethod
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        """The outputs (..., q) for inputs (..., m)."""

    @override
    def output(self, x: Tensor, u: Tensor, p: Parameters, place: slice | None) -> Tensor:
        y = self.map(u, p)
        return y if place is None else y[..., place]

    @override
    def rate(self, x: Tensor, u: Tensor, p: Parameters) -> Tensor:
        return u[..., :0]


@final
class _Plain(Map):
    """A map without constants."""

    def __init__(self, function: Callable[[Tensor, Parameters], Tensor]) -> None:
        super().__init__()
        self.function = function

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        return self.function(u, p)


def _affine(u: Tensor, p: Parameters) -> Tensor:
    return functional.linear(u, p["W"], p["b"])


def _matrix_gain(u: Tensor, p: Parameters) -> Tensor:
    return functional.linear(u, p["K"])


def _gain(u: Tensor, p: Parameters) -> Tensor:
    return p["k"].reshape(-1) * u


def _same(u: Tensor, p: Parameters) -> Tensor:  # noqa: ARG001 - as the others
    return u


def _product(u: Tensor, p: Parameters) -> Tensor:  # noqa: ARG001 - as the others
    left, right = u.chunk(2, dim=-1)
    return left * right


@final
class _Sum(Map):
    def __init__(self, module: Sum) -> None:
        super().__init__()
        self.signs = tuple(module.signs.values())

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        parts = u.chunk(len(self.signs), dim=-1)
        signed = [
            part if sign == "+" else -part for sign, part in zip(self.signs, parts, strict=True)
        ]
        total = signed[0]
        for part in signed[1:]:
            total = total + part
        return total


@final
class _EntrywiseAffine(Map):
    def __init__(self, module: EntrywiseAffine) -> None:
        super().__init__()
        self.register_buffer("places", torch.as_tensor(module.places))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        places: Any = self.places
        y = p["k"][places] * u if "k" in p else u
        return y + p["b"][places] if "b" in p else y


@final
class _FixedAffine(Map):
    """A dense product, or where the matrix picks entries, their places."""

    def __init__(self, module: FixedAffine) -> None:
        super().__init__()
        A = module.matrix
        self.picks = bool((np.diff(A.indptr) <= 1).all())
        self.register_buffer("offset", torch.as_tensor(module.offset))
        if self.picks:
            filled = np.diff(A.indptr) == 1
            q = module.outputs.size
            places, factors = np.zeros(q, dtype=np.int64), np.zeros(q)
            places[filled], factors[filled] = A.indices, A.data
            self.register_buffer("places", torch.as_tensor(places))
            self.register_buffer("factors", torch.as_tensor(factors))
        else:
            self.register_buffer("matrix", torch.as_tensor(A.toarray()))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        held: Any = self
        if self.picks:
            return held.factors.to(u.dtype) * u[..., held.places] + held.offset.to(u.dtype)
        return functional.linear(u, held.matrix.to(u.dtype), held.offset.to(u.dtype))


@final
class _SharedAffine(Map):
    def __init__(self, module: SharedAffine) -> None:
        super().__init__()
        patches = module.patches
        order = np.empty(patches.written.size, dtype=np.int64)
        order[patches.written.ravel()] = np.arange(patches.written.size)
        self.shape = (*patches.read.shape[::2], patches.written.shape[-1])
        self.register_buffer("read", torch.as_tensor(patches.read.astype(np.int64)))
        self.register_buffer("order", torch.as_tensor(order))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        held: Any = self
        taken = functional.pad(u, (0, 1))[..., held.read]  # (..., G, S, K)
        groups, size, outputs = self.shape
        y = taken @ p["W"].reshape(groups, outputs, size).transpose(-1, -2)
        y = y + p["b"].reshape(groups, 1, outputs) if "b" in p else y
        return y.flatten(-3)[..., held.order]


@final
class _Activation(Map):
    """A function of each entry, written once for a scalar."""

    def __init__(self, module: Activation) -> None:
        super().__init__()
        u = sp.Symbol("u", real=True)
        entry = SymbolicArray(np.array([u], dtype=object), Tracer(type(module).__name__))
        exact = module.function.exact(entry).entries
        self.function = torch_function(type(module).__name__, [exact[0]], ((), (u,), ()))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        found: Any = self.function((), (u,), ())[0]
        return found


@final
class _Saturation(Map):
    def __init__(self, module: Saturation) -> None:
        super().__init__()
        shape = module.inputs.ports[0].shape
        for name, side in (("lower", module.lower), ("upper", module.upper)):
            self.register_buffer(name, torch.as_tensor(np.broadcast_to(side, shape).ravel().copy()))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        held: Any = self
        low, high = held.lower.to(u.dtype), held.upper.to(u.dtype)
        found: Any = minimum(maximum(u, low), high)
        return found


@final
class _Terms(WrittenLeaf):
    """All other modules, term by term: the rate, all outputs, and each output port alone."""

    def __init__(self, name: str, module: RiemannianModule) -> None:
        super().__init__()
        e, outputs = module.expressions, module.signature.outputs
        self.names = module.signature.parameters.names
        self.rates = torch_function(name, e.dx, e.arguments)
        self.all_outputs = torch_function(name, e.y, e.arguments)
        self.ports = {
            (place.start, place.stop): torch_function(name, e.y[place], e.arguments)
            for place in outputs.slices
        }

    @override
    def output(self, x: Tensor, u: Tensor, p: Parameters, place: slice | None) -> Tensor:
        function = self.all_outputs if place is None else self.ports[place.start, place.stop]
        return self._values(function, x, u, p)

    @override
    def rate(self, x: Tensor, u: Tensor, p: Parameters) -> Tensor:
        return self._values(self.rates, x, u, p)

    def _values(self, function: Any, x: Tensor, u: Tensor, p: Parameters) -> Tensor:
        flat = [part for name in self.names for part in p[name].reshape(-1).unbind(0)]
        found = function(x.unbind(-1), u.unbind(-1), flat)
        batch = torch.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        if not found:
            return u.new_zeros((*batch, 0))
        entries = [torch.as_tensor(v, dtype=u.dtype, device=u.device) for v in found]
        return torch.stack([torch.broadcast_to(v, batch) for v in entries], dim=-1)


@final
class _Borrowed(Map):
    """A map with entries of another module's parameters."""

    def __init__(self, module: Borrowed) -> None:
        super().__init__()
        inner: Any = written_leaf("", module.inner)
        self.inner, self.ports = inner, module.inner.signature.parameters.ports
        self.register_buffer("places", torch.as_tensor(module.places))

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        places: Any = self.places
        flat = torch.cat([value.reshape(-1) for value in p.values()])[places]
        parts = torch.split(flat, [port.size for port in self.ports])
        own = {q.name: v.reshape(q.shape) for q, v in zip(self.ports, parts, strict=True)}
        return self.inner.map(u, own)


@final
class TheirMap(Map):
    """A torch model, each point a batch of one; it is held elsewhere."""

    def __init__(self, model: nn.Module, module: TorchModule) -> None:
        super().__init__()
        self._held, self.inputs, self.over = (model,), module.inputs.ports, module.rules.over

    @override
    def map(self, u: Tensor, p: Parameters) -> Tensor:
        flat = self.over(self._of_one, (True,), (u.reshape(-1, u.shape[-1]),))
        return flat.reshape(*u.shape[:-1], -1)

    def _of_one(self, point: Tensor) -> Tensor:
        parts = torch.split(point, [q.size for q in self.inputs])
        given = [v.reshape(1, *q.shape) for v, q in zip(parts, self.inputs, strict=True)]
        found = named_tensors(self._held[0](*given)).values()
        return torch.cat([y.reshape(-1) for y in found])


_PLAIN: dict[type[RiemannianModule], Callable[[Tensor, Parameters], Tensor]] = {
    Affine: _affine, MatrixGain: _matrix_gain, Gain: _gain, EntrywiseProduct: _product,
}  # fmt: skip
_WRITERS: dict[type[RiemannianModule], Callable[[Any], WrittenLeaf]] = {
    Sum: _Sum, Saturation: _Saturation, EntrywiseAffine: _EntrywiseAffine,
    FixedAffine: _FixedAffine, SharedAffine: _SharedAffine, Borrowed: _Borrowed,
}  # fmt: skip


def written_leaf(name: str, module: RiemannianModule) -> WrittenLeaf:
    """The module in torch.

    Raises:
        UnsupportedError: For a module that has no exact form, by its name.
    """
    kind = type(module)
    if kind in _PLAIN:
        return _Plain(_PLAIN[kind])
    if kind in _WRITERS:
        return _WRITERS[kind](module)
    if isinstance(module, Rewiring):
        return _Plain(_same)
    if isinstance(module, Activation):
        return _Activation(module)
    try:
        return _Terms(name, module)
    except (UnsupportedError, TraceError) as error:
        raise UnsupportedError(
            f"to_torch: {name!r} ({kind.__name__}) cannot be written in torch. {error}"
        ) from error
