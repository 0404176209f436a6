"""What happens between two steps: calls of the model and of the loss, and backward passes."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.utils.hooks import RemovableHandle

from riemannian_modules.errors import DomainError, UnsupportedError
from riemannian_torch.gauss_newton.output_loss import OutputLoss, output_loss
from riemannian_torch.gauss_newton.watch import Use, Watch, no_parameters

_MANY = 1000

# Parameters by their ids, to which those of what stands in their places are added, and a hook
# for where a backward pass has reached one.
Follow: TypeAlias = Callable[[dict[int, Tensor], Callable[[Tensor], Any]], list[RemovableHandle]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ModelCall:
    """One call of the model.

    Attributes:
        outputs: The real tensors among what it gave, without their graph.
        uses: The same as uses of no parameter, for their cotangents.
    """

    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: tuple[Tensor, ...]
    uses: tuple[Use, ...]

    def count(self, axis: int) -> int:
        """How many samples it took; 0 where nothing tells."""
        first = self.arguments[0] if self.arguments else None
        if type(first) is Tensor and first.ndim > axis:  # the usual case, and the quick one
            return first.shape[axis]
        for x in tensors_of((self.arguments, self.named, self.outputs)):
            if x.ndim > axis:
                return x.shape[axis]
        return 0


@final
@dataclass(slots=True, eq=False)
class LossCall:
    """One loss of outputs of the model.

    Attributes:
        value: Of the loss, a number with its graph.
        outputs: What the loss was given, with its graph.
        parts: The outputs without their graph, and what each entry of them adds to the loss.
        weight: What the minimised loss multiplies the value by; None until it is known.
        slope: The derivative of the value in the outputs, where it is known.
        is_minimised: Whether the value itself is what is minimised: its weight is 1.
    """

    value: Tensor
    outputs: Tensor
    parts: Callable[[], tuple[Tensor, OutputLoss]]
    weight: Tensor | None = None
    slope: Tensor | None = None
    is_minimised: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A backward pass: the losses it began at, and the cotangents of what it went through."""

    losses: Sequence[LossCall]
    cotangents: Mapping[Use, Tensor]
    calls: Sequence[ModelCall]


@final
@dataclass(slots=True, eq=False)
class _Backward:
    """A backward pass that torch has begun."""

    losses: list[LossCall]
    uses: list[Use]
    calls: list[ModelCall]
    reached_parameters: bool = False

    def read(self) -> Pass:
        found: dict[Use, Tensor] = {}
        for use in self.uses:
            if len(use.cotangents) > 1:
                raise UnsupportedError(
                    "GaussNewton: expected one backward pass through each call of the model, got "
                    f"{len(use.cotangents)}. Add the losses up and call backward() once, or call "
                    "the model again."
                )
            if use.cotangents:
                found[use] = use.cotangents[0]
        return Pass(self.losses, found, self.calls)


@final
@dataclass(slots=True, eq=False)
class Record:
    """Calls that no backward pass has come by yet."""

    uses: list[Use] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    losses: list[LossCall] = field(default_factory=list)


# A method of who listens; it may be gone.
Heard: TypeAlias = "weakref.WeakMethod[Callable[[LossCall, Record], None]]"


@final
class Recorder:
    """Follows a model and its criterion by hooks, until it is removed or forgotten."""

    def __init__(
        self,
        model: nn.Module,
        criterion: nn.Module | None,
        parameters: Sequence[nn.Parameter],
        follow: Follow,
        on_loss: Heard,
        on_backward: Heard,
    ) -> None:
        own: dict[int, Tensor] = {id(p): p for p in parameters}
        self.watch = Watch(own, _Hook(self, "_used"))
        self.is_paused, self._is_compiled = False, hasattr(model, "_orig_mod")
        self._on_loss, self._on_backward = on_loss, on_backward
        self._record, self._passes = Record(), list[_Backward]()
        self._watching: list[AbstractContextManager[Any] | None] = []
        # Processes go on adding to their handles, which are removed with the others.
        self._handles = follow(own, _Hook(self, "_reached"))
        self._handles += [
            model.register_forward_pre_hook(_Hook(self, "_enter"), with_kwargs=True),
            model.register_forward_hook(_Hook(self, "_leave"), with_kwargs=True, always_call=True),
            *(p.register_post_accumulate_grad_hook(_Hook(self, "_reached")) for p in parameters),
        ]
        if criterion is not None:
            self._handles.append(criterion.register_forward_hook(_Hook(self, "_lost")))
        self.remove = weakref.finalize(self, _remove, self._handles)

    def clear(self) -> None:
        """Forget what was noted down."""
        self._record, self._passes = Record(), []
        self.watch.missed = False
        self.watch.let_go()

    def taken(self) -> Record:
        """The calls since the last backward pass, which are forgotten here."""
        record, self._record = self._record, Record()
        return record

    def passes(self) -> list[Pass]:
        """The backward passes that ended at the parameters since the last call of `clear`."""
        return [found.read() for found in self._passes if found.reached_parameters]

    def _used(self, use: Use) -> None:
        self._record.uses.append(use)

    def _enter(
        self, _model: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        if self.is_paused or not torch.is_grad_enabled():
            self._watching.append(None)
            return
        watched: AbstractContextManager[Any] = self.watch
        if self._is_compiled:
            # A compiled model runs as it was written: what is fused cannot be watched.
            watched = ExitStack()
            watched.enter_context(torch.compiler.set_stance("force_eager"))
            watched.push(self.watch)
        self.watch.begin(tensors_of((arguments, named)))
        self.watch.__enter__()
        self._watching.append(watched)

    def _leave(
        self, _model: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], result: Any
    ) -> None:
        watched = self._watching.pop()
        if watched is not None:
            watched.__exit__(None, None, None)
            outputs = [o for o in tensors_of(result) if o.requires_grad]
            self.watch.end(outputs)
            uses = [Use(no_parameters, (), {}, get_gradient_edge(o)) for o in outputs]
            if self.watch.weights_wanted:
                for output, use in zip(outputs, uses, strict=True):
                    output.register_hook(use.note)
            self._record.uses += uses
            values = tuple(o.detach() for o in outputs)
            self._record.calls.append(ModelCall(arguments, named, values, tuple(uses)))
            if len(self._record.calls) == _MANY:
                warnings.warn(
                    f"GaussNewton: {_MANY} calls of the model wait for a backward pass, and hold "
                    "their layers' inputs. Evaluate under torch.no_grad().",
                    stacklevel=2,
                )

    def _lost(self, criterion: nn.Module, arguments: tuple[Any, ...], value: Tensor) -> None:
        # A criterion may serve other models too.
        if value.requires_grad and self._record.calls and not self.is_paused:
            if arguments[0].numel() == 0:
                raise DomainError(
                    "GaussNewton: expected at least one sample in the loss, got outputs of shape "
                    f"{tuple(arguments[0].shape)}. Leave empty batches out."
                )
            parts = lambda: output_loss(criterion, arguments)  # noqa: E731
            call = LossCall(value, arguments[0], parts)
            self._record.losses.append(call)
            look = self._on_loss()
            if look is not None:
                look(call, self._record)
            if self.watch.weights_wanted:
                value.register_hook(_Begin(self, call))

    def begin(self, call: LossCall) -> None:
        """A backward pass has come by a call of the criterion."""
        if self._record.uses:
            record = self.taken()
            self._passes.append(_Backward([], record.uses, record.calls))
        if self._passes:
            last = self._passes[-1]
            last.losses.append(call)
            look = self._on_backward()
            if look is not None:
                look(call, Record(last.uses, last.calls))

    def _reached(self, _parameter: Tensor) -> None:
        if self._passes:
            self._passes[-1].reached_parameters = True


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
    handles.clear()


def tensors_of(result: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists and mappings."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for value in result:
            yield from tensors_of(value)
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from tensors_of(value)


@final
class _Hook:
    """A method of a recorder: keeps it not alive, and does nothing in a copy of the model."""

    def __init__(self, recorder: Recorder | None, method: str) -> None:
        self._recorder = None if recorder is None else weakref.ref(recorder)
        self._method = method

    def __call__(self, *arguments: Any) -> Any:
        recorder = self._recorder and self._recorder()
        return recorder and getattr(recorder, self._method)(*arguments)

    def __reduce__(self) -> Any:
        return _Hook, (None, self._method)


@final
class _Begin:
    """The hook of one value of the criterion."""

    def __init__(self, recorder: Recorder, call: LossCall) -> None:
        self._recorder, self._call = weakref.ref(recorder), call

    def __call__(self, weight: Tensor) -> None:
        recorder = self._recorder()
        if recorder and not recorder.is_paused and not torch.is_grad_enabled():
            self._call.weight = weight
            recorder.begin(self._call)
