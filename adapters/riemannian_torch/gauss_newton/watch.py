"""What a model does with its parameters as it runs, noted down without changing the model.

Source: torch.overrides.TorchFunctionMode, https://pytorch.org/docs/stable/torch.overrides.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.product import Product
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.unfused import RECURRENT, UNFUSED
from riemannian_torch.gauss_newton.uses import (
    READERS,
    FoundRows,
    RowReader,
    Samples,
    adjoint_product,
)


@final
@dataclass(slots=True, eq=False)
class Use:
    """One operation with parameters of the model: its arguments, and its result's cotangents.

    Attributes:
        edge: Where the result stands in torch's graph, even if it is changed in place later.
        axis: Of the samples; None where it is the model's own.
        cotangents: Of the result, one for each backward pass through it.
    """

    reader: RowReader
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    edge: GradientEdge
    axis: int | None = None
    versions: tuple[int, ...] = ()
    cotangents: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.versions = _versions(self.arguments)

    def note(self, cotangent: Tensor) -> None:
        """Keep the cotangent of a backward pass that ends at the parameters.

        One that torch will differentiate again (create_graph=True) is a part of the model.
        """
        if not torch.is_grad_enabled():
            self.cotangents.append(cotangent)

    def rows(
        self, samples: Samples, cotangent: Tensor, copies: int = 1
    ) -> Iterable[tuple[Tensor, Rows]]:
        """The rows of each of the operation's arguments that may be a parameter.

        Cotangents of ``copies`` passes, stacked along the first axis, meet as many copies of the
        arguments.

        Raises:
            UnsupportedError: If an input was changed in place since.
        """
        if _versions(self.arguments) != self.versions:
            raise UnsupportedError(
                "GaussNewton: expected the inputs of layers to stay as they were until step(), but "
                f"one of {self.reader.__name__.strip('_')} was changed in place. Use the operation "
                "that returns a new tensor."
            )
        arguments = self.arguments
        if copies > 1:
            arguments = tuple(
                a.expand(copies, *a.shape).flatten(0, 1) if _is_value(a) else a for a in arguments
            )
        elif self.axis is not None:
            samples = replace(samples, axis=self.axis)
        return self.reader(samples, cotangent, *arguments, **self.named)


def no_parameters(samples: Samples, cotangent: Tensor) -> FoundRows:
    """The reader of what only hands its cotangents on."""
    return iter(())


def _versions(arguments: Sequence[Any]) -> tuple[int, ...]:
    # Weights may be written between backward and step; they are not read again.
    return tuple([a._version for a in arguments if _is_value(a)])


def _is_value(argument: Any) -> bool:
    kind = type(argument)  # of the usual ones, whose classes torch would ask
    if kind is Tensor or kind is nn.Parameter or argument is None:
        return kind is Tensor
    return isinstance(argument, Tensor) and not isinstance(argument, nn.Parameter)


# With these a model differentiates itself.
_SETTER: Any = Tensor.requires_grad
_DERIVING = frozenset({
    Tensor.requires_grad_, _SETTER.__set__, torch.autograd.grad, Tensor.backward,
})  # fmt: skip


@final
class Watch(TorchFunctionMode):
    """Notes each use of the given parameters down while it is active.

    Args:
        own: The parameters, by the id of what is used; it may grow.
        note: Is given each use.

    Attributes:
        weights_wanted: Whether backward passes are the loop's own, which give the weights'
            gradients and must leave the cotangents here.
        derivatives: Whether losses differentiate the network; None until the first step knows.
        missed: Whether a derivative went through a call that was not made to be followed.
    """

    def __init__(self, own: Mapping[int, Tensor], note: Callable[[Use], None]) -> None:
        super().__init__()
        self._own = own
        self._note = note
        self.weights_wanted = True
        self.derivatives: bool | None = None
        self.missed = False
        self._axis: int | None = None
        self._follows = True
        self._ends: list[RemovableHandle] = []

    def begin(self, inputs: Iterable[Tensor]) -> None:
        """A call of the model begins.

        Products that can be followed through derivatives cost as much again as plain ones. The
        first step takes them, and so does all after a derivative was seen; else they are taken
        where something asks for its gradient that is no parameter.
        """
        self._follows = self.derivatives is not False or any(x.requires_grad for x in inputs)

    def end(self, outputs: Iterable[Tensor]) -> None:
        """The call has ended; derivatives that are taken outside of it come by its outputs."""
        if not self._follows:
            self._ends += [output.register_hook(self._differentiated) for output in outputs]

    def let_go(self) -> None:
        """No derivative through the outputs so far is the loop's own any more."""
        for end in self._ends:
            end.remove()
        self._ends.clear()

    def _differentiated(self, cotangent: Tensor) -> None:
        self.missed = self.missed or torch.is_grad_enabled()

    @override
    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in UNFUSED:
            return self._unfused(func, args, named)
        if func in RECURRENT and not self._is_packed(args):
            return self._at(0, RECURRENT[func], self._noted_linear, *args, **named)
        reader = READERS.get(func)
        if reader is None:
            if not self._follows and func in _DERIVING:
                # What comes is followed; a derivative of what has been is not.
                self._follows, self.missed = True, bool(named.get("create_graph")) or self.missed
            return func(*args, **named)
        own = self._own.keys()
        if own.isdisjoint(map(id, args)) and own.isdisjoint(map(id, named.values())):
            return func(*args, **named)
        if self._follows and func is F.linear and not _is_transformed(args[0]):
            result: Any = self._linear(*args, **named)
        else:
            result = func(*args, **named)
        if isinstance(result, Tensor) and result.requires_grad:
            self._found(reader, result, args, named)
        return result

    def _unfused(self, func: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """The same by products that are noted down one by one."""
        inside, axis = UNFUSED[func]
        with self:
            return self._at(axis, inside, *args, **named)

    def _at(self, axis: int, inside: Any, *args: Any, **named: Any) -> Any:
        """What a function gives inside of which the samples are on an axis of its own."""
        before, self._axis = self._axis, axis
        try:
            return inside(*args, **named)
        finally:
            self._axis = before

    def _noted_linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
        return self.__torch_function__(F.linear, (), (x, weight, bias))

    @staticmethod
    def _is_packed(args: tuple[Any, ...]) -> bool:
        """Whether sequences of several lengths are packed: their samples have no axis."""
        return len(args) > 1 and isinstance(args[1], Tensor) and not args[1].is_floating_point()

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
        return Product.apply(input, weight, bias, False, self)

    def _kept(self, argument: Any) -> Any:
        if not _is_value(argument):
            return self._own.get(id(argument), argument)
        return argument.detach() if argument.requires_grad else argument

    def product(self, result: Tensor, x: Tensor, weight: Tensor, is_adjoint: bool) -> None:
        """Note a product down that a derivative has made."""
        self.derivatives = True
        reader = adjoint_product if is_adjoint else READERS[F.linear]
        self._found(reader, result, (x, weight), {})

    def _found(
        self, reader: RowReader, result: Tensor, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        arguments = tuple([self._kept(a) for a in args])
        if named:
            named = {k: self._kept(a) for k, a in named.items()}
        use = Use(reader, arguments, named, get_gradient_edge(result), self._axis)
        if self.weights_wanted:
            result.register_hook(use.note)
        self._note(use)


def _is_transformed(x: Tensor) -> bool:
    """Whether one of torch.func's transforms holds the tensor, which must not be looked into."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(x))  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
