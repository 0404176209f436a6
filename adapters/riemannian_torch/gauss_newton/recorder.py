"""What happens between two steps: calls of the model and of the loss, and backward passes."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.watch import Use, Watch


@final
@dataclass(frozen=True, slots=True, eq=False)
class ModelCall:
    """One call of the model, so that some of its samples can be looked at again."""

    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: Any


@final
@dataclass(slots=True, eq=False)
class LossCall:
    """One call of the criterion; ``weight`` is what the minimised loss multiplies its value by."""

    arguments: tuple[Any, ...]
    value: Tensor
    weight: Tensor | None = None


@final
@dataclass(slots=True, eq=False)
class Pass:
    """A backward pass: the losses it began at, and the uses of parameters it went through."""

    losses: list[LossCall]
    uses: Sequence[Use]
    calls: Sequence[ModelCall]
    reached_parameters: bool = False


@final
class Recorder:
    """Follows a model and its criterion by hooks, until it is removed or forgotten."""

    def __init__(
        self, model: nn.Module, criterion: nn.Module | None, parameters: Sequence[nn.Parameter]
    ) -> None:
        self.watch = Watch(parameters, _Hook(self, "_used"))
        self.uses: list[Use] = []
        self.calls: list[ModelCall] = []
        self.losses: list[LossCall] = []
        self.passes: list[Pass] = []
        self.is_paused = False
        self._watching: list[bool] = []
        self._handles: list[RemovableHandle] = [
            model.register_forward_pre_hook(_Hook(self, "_enter")),
            model.register_forward_hook(_Hook(self, "_leave"), with_kwargs=True, always_call=True),
            *(p.register_post_accumulate_grad_hook(_Hook(self, "_reached")) for p in parameters),
        ]
        if criterion is not None:
            self._handles.append(criterion.register_forward_hook(_Hook(self, "_lost")))
        weakref.finalize(self, _remove, self._handles)

    def remove(self) -> None:
        """Take the hooks away."""
        _remove(self._handles)

    def clear(self) -> None:
        """Forget what was noted down."""
        self.uses, self.calls, self.losses, self.passes = [], [], [], []

    def finished(self) -> list[Pass]:
        """The backward passes that ended at the parameters since the last call of `clear`."""
        return [p for p in self.passes if p.reached_parameters]

    def _used(self, use: Use) -> None:
        self.uses.append(use)

    def _enter(self, model: nn.Module, arguments: tuple[Any, ...]) -> None:
        watching = torch.is_grad_enabled() and not self.is_paused
        self._watching.append(watching)
        if watching:
            self.watch.__enter__()

    def _leave(
        self, model: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], outputs: Any
    ) -> None:
        if self._watching.pop():
            self.watch.__exit__(None, None, None)
            self.calls.append(ModelCall(arguments, named, outputs))

    def _lost(self, criterion: nn.Module, arguments: tuple[Any, ...], value: Tensor) -> None:
        if value.requires_grad and not self.is_paused:
            call = LossCall(arguments, value)
            self.losses.append(call)
            value.register_hook(_Begin(self, call))

    def begin(self, call: LossCall, weight: Tensor) -> None:
        """A backward pass has come by a call of the criterion."""
        call.weight = weight
        if self.uses:
            self.passes.append(Pass([call], self.uses, self.calls))
            self.uses, self.calls = [], []
        elif self.passes:
            self.passes[-1].losses.append(call)

    def _reached(self, parameter: Tensor) -> None:
        if self.passes:
            self.passes[-1].reached_parameters = True


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
    handles.clear()


@final
class _Hook:
    """A method of a recorder that keeps it not alive, and is nothing in a copy of the model."""

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
        if recorder is not None and not torch.is_grad_enabled():
            recorder.begin(self._call, weight)


def only_cotangent(use: Use) -> Tensor | None:
    """The cotangent of a use in the one backward pass through it; None where none came by."""
    if len(use.cotangents) > 1:
        raise UnsupportedError(
            "GaussNewton: expected one backward pass through each call of the model, got "
            f"{len(use.cotangents)}. Add the losses up and call backward() once, or call the model "
            "again."
        )
    return use.cotangents[0] if use.cotangents else None
