"""Any `torch.nn.Module` as a Riemannian module: a static map that shares its model's parameters.

Source: Horace He and Richard Zou, torch.func (functorch), https://pytorch.org/docs/stable/func.html.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import fx, nn
from typing_extensions import override

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.modules.capability import EnclosedMap, ExactForm
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import RiemannianModule, Time, checked_parameters
from riemannian_modules.spaces import Array, Port, Signals, Space
from riemannian_torch.batch import Rules, find_rules
from riemannian_torch.derivative_check import check_derivative
from riemannian_torch.live_parameter import LiveParameter
from riemannian_torch.places import slots
from riemannian_torch.point_map import PointMap, named_results, output_space, pure
from riemannian_torch.points import Points
from riemannian_torch.tensors import check_numbers, kind_of
from riemannian_torch.torch_differential import TorchDifferential
from riemannian_torch.training_layers import check_maps


@final
class TorchModule(RiemannianModule, EnclosedMap, ExactForm):
    """A torch model as a map ``y = model(u; theta)`` in the same graphs as every other module.

    The model stays yours: train it in torch, and `theta` shows it at once. Each point of a batch is
    given to the model as a batch of one, so that points cannot mix. Its parameters are those of
    ``named_parameters()`` that require a gradient; frozen ones are constants, as buffers are.
    A float32 model computes in float32, though its numbers come and go in float64.
    All of its parameters are one layer of a metric, whose factor is dense, and nothing is proved
    about it: `from_torch` reads the same model layer by layer.

    Args:
        model: The model; float64 or float32 throughout, on one device.
        inputs: One port for each argument of the model's forward, in order; a port's shape is that
            of one point, without the batch axis: ``space(image=(3, 32, 32))``.
        outputs: One port for each tensor that the model returns, with names and units of your own.
            Where absent: ``y`` for a tensor, ``y1``, ``y2``, ... for a tuple, a mapping's keys.

    Attributes:
        model: The live model.
        rules: How it is mapped over points and differentiated.

    Raises:
        UnsupportedError: Where the model is no differentiable map of real arrays: Dropout or
            BatchNorm in training mode, integer inputs, mixed dtypes, outputs without a batch axis;
            or where its values change in ways that torch's derivative does not know: ``detach``,
            ``no_grad``, ``round``, ``argmax`` or a cast to integers inside. Random lines find that,
            at the cost of some hundred evaluations; `trusting_torch` does not look.
        SignatureError: Where ``outputs`` does not fit what the model returns, or names clash.
    """

    time = Time.STATIC

    def __init__(self, model: nn.Module, inputs: Space, outputs: Space | None = None) -> None:
        self._wrap(model, inputs, outputs)
        check_derivative(self._map, self.rules.over, self._flat_parameters(), self.outputs.size)

    @classmethod
    def trusting_torch(cls, model: nn.Module, inputs: Space, outputs: Space | None = None) -> Self:
        """A model whose derivative is what torch says, though its values may change otherwise.

        For straight-through estimators and stopped gradients that are meant. Arguments and errors
        as of the constructor.
        """
        module = cls.__new__(cls, model, inputs, outputs)
        module._wrap(model, inputs, outputs)
        return module

    def _wrap(self, model: nn.Module, inputs: Space, outputs: Space | None) -> None:
        self.model, self.inputs = model, inputs
        where = self._where
        if not inputs.size:
            raise SignatureError(
                f"{where}: expected at least one input, got none. Describe the arguments of the "
                "model's forward, such as inputs=space(u=3)."
            )
        check_numbers(where, model)
        check_maps(where, model)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.parameters = {name: LiveParameter(model, name) for name in trained}
        space = Space(tuple(Port(name, tuple(p.shape)) for name, p in trained.items()))
        self._map = PointMap(model, inputs, space, where)
        self.outputs, self.rules = self._probe(outputs)
        self._sizes = (inputs.size, self.outputs.size, self.signature.parameters.size)

    @property
    def _where(self) -> str:
        return f"TorchModule({type(self.model).__name__})"

    def _probe(self, outputs: Space | None) -> tuple[Space, Rules]:
        """What the model returns at zero, and how it can be differentiated."""
        kind = kind_of(self.model)
        function, constants = self._map.function()
        u = kind.tensor(np.zeros(self.inputs.size))
        with pure(self._map, constants):
            theta = kind.tensor(self._flat_parameters())
            with torch.no_grad():
                found = output_space(
                    named_results(
                        self._where, self._map.results(theta, u, constants, slots(self.model))
                    )
                )
        with pure(self._map, constants):
            rules = find_rules(function, theta, u, found.size)
        if outputs is None:
            return found, rules
        if [port.size for port in outputs.ports] != [port.size for port in found.ports]:
            raise SignatureError(
                f"{self._where}: expected outputs that fit what the model returns "
                f"({found.describe()}), got {outputs.describe()}. Give one port for each "
                "tensor, of its size."
            )
        return outputs, rules

    def _flat_parameters(self) -> Array:
        return np.concatenate(
            [np.zeros(0), *(np.asarray(p).ravel() for p in self.parameters.values())]
        )

    @property
    @override
    def theta(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The live model's parameters now, flat, shape (p,).

        Raises:
            DomainError: If the model holds NaN or infinite values.
        """
        return self.signature.parameters.pack(self.parameters, f"{self._where}: parameters")

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        y = self.output(x, u, theta)
        return np.zeros((*y.shape[:-1], 0)), y

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        return self._points(x, u, theta).values(self.outputs.size)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> TorchDifferential:
        return TorchDifferential(self._points(x, u, theta), self._sizes)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        """All partial derivatives. Cost: q reverse passes, and m forward ones where m < q."""
        at = self.differential(x, u, theta)
        m, q, p = at.sizes
        batch = at.points.batch
        FT = at.pull_parameters(np.zeros((0, q)), np.eye(q))  # (..., p, q)
        if m < q:
            by_inputs = at.push_outputs(np.zeros((0, m)), np.eye(m))
        else:
            by_inputs = np.swapaxes(at.pull_outputs(np.eye(q))[1], -1, -2)
        none = np.zeros
        return Jacobian(
            none((*batch, 0, 0)), none((*batch, 0, m)), none((*batch, q, 0)), by_inputs,
            none((*batch, 0, p)), np.swapaxes(FT, -1, -2),
        )  # fmt: skip

    def _points(self, x: Array, u: Array, theta: Array) -> Points:
        # The live model may have been put into training mode since it was wrapped.
        check_maps(self._where, self.model)
        function, constants = self._map.function()
        u = np.broadcast_to(u, np.broadcast_shapes(x.shape[:-1], u.shape[:-1]) + u.shape[-1:])
        return Points(function, constants, kind_of(self.model), self.rules, self._map, theta, u)

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        """A twin on a deep copy of the model that holds ``theta``; the live model stays as it is.

        A float32 model holds ``theta`` rounded to float32, and the twin's `theta` says so.
        """
        try:
            model = copy.deepcopy(self.model)
        except RuntimeError as error:
            raise UnsupportedError(
                f"{self._where}: expected a model that can be copied, but torch says: "
                f"{str(error).rstrip('.')}. Keep computed tensors out of the model's attributes; "
                "torch.nn.utils.parametrizations replaces the old weight_norm and spectral_norm."
            ) from error
        return self.trusting_torch(model, self.inputs, self.outputs)._written(theta)

    def _written(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        self.write_parameters(theta)
        return self

    def write_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Write values, flat or by name, into the live model in place, as a torch optimiser does.

        Raises:
            SignatureError: For wrong names or shapes.
            DomainError: For numbers not finite in the model's type; then nothing is written.
        """
        space = self.signature.parameters
        flat = checked_parameters(self, theta)
        if flat.ndim != 1:
            raise SignatureError(
                f"{self._where}: expected one set of {space.size} parameters, got shape "
                f"{flat.shape}. Write one point of the batch."
            )
        values = kind_of(self.model).tensor(flat)
        if not bool(torch.isfinite(values).all()):
            raise DomainError(
                f"{self._where}: expected parameters that are finite in {values.dtype}, got up to "
                f"{np.abs(flat).max():.3g}. Convert the model with .double()."
            )
        with torch.no_grad():
            for port, place in zip(space.ports, space.slices, strict=True):
                parameter = self.model.get_parameter(port.name)
                parameter.copy_(values[place].reshape(parameter.shape))

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        raise UnsupportedError(f"{self._where}: nothing is proved about {self._layer} {_MEND}")

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        raise UnsupportedError(
            f"{self._where}: there are no exact expressions of {self._layer} {_MEND}"
        )

    @property
    def _layer(self) -> str:
        """The first layer that does something, or all operations of a traced one, in words."""
        if isinstance(self.model, fx.GraphModule):
            called = [n.target for n in self.model.graph.nodes if n.op == "call_function"]
            names = [str(getattr(t, "__name__", t)).split(".")[0] for t in called]
            return f"torch's {', '.join(n for n in dict.fromkeys(names) if n != 'reshape')}."
        for name, layer in self.model.named_modules():
            if not list(layer.children()):
                return f"its layer {name or 'model'!r} (torch {type(layer).__name__})."
        return "torch layers."


_MEND = (
    "Torch layers compute without rigorous rounding; from_torch reads affine and activation layers "
    "as modules of this library, which are traced, saved and certified."
)
