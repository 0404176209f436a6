"""What a step did to a few samples' outputs, beside what their rows predicted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor, nn

from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.output_loss import OutputLoss
from riemannian_torch.gauss_newton.processes import Processes
from riemannian_torch.gauss_newton.recorder import ModelCall, tensors_of
from riemannian_torch.training_layers import is_map_of_a_point

_SAMPLES = 32


@final
@dataclass(frozen=True, slots=True, eq=False)
class SecondLook:
    """How outputs are computed again: of the first ``count`` samples, or of all.

    Attributes:
        count: May be 0 where a call of the model needs other processes.
        in_evaluation: Whether the model is put into evaluation mode for it: for layers that draw
            at random or mix the batch.
        twice: Whether the outputs before the step are computed again too.
    """

    count: int
    is_cut: bool
    in_evaluation: bool
    twice: bool
    axis: int

    def before(self, model: nn.Module, group: Group) -> Tensor:
        """The outputs before the step."""
        if self.twice:
            return self.again(model, group)
        return self._first(_call(group).outputs[0])

    def again(self, model: nn.Module, group: Group) -> Tensor:
        """The outputs with the parameters that the model has now."""
        call = _call(group)
        arguments, named = call.arguments, call.named
        if self.is_cut:
            cut = self._cut(call)
            arguments, named = tuple(map(cut, arguments)), {k: cut(a) for k, a in named.items()}
        with _evaluating(model, wanted=self.in_evaluation), torch.no_grad():
            results = [r for r in tensors_of(model(*arguments, **named)) if r.is_floating_point()]
        return self._first(results[0])

    def _cut(self, call: ModelCall) -> Callable[[Any], Any]:
        whole = call.count(self.axis)
        some = self if self.count else replace(self, count=1)  # no model takes an empty batch

        def cut(a: Any) -> Any:
            has_samples = isinstance(a, Tensor) and a.ndim > self.axis
            return some._first(a) if has_samples and a.shape[self.axis] == whole else a

        return cut

    def _first(self, a: Tensor) -> Tensor:
        return a.narrow(self.axis, 0, min(self.count, a.shape[self.axis]))


def second_look(model: nn.Module, group: Group, axis: int) -> SecondLook | None:
    """How to look at the group again; None where its outputs cannot be had a second time.

    Cost: up to four evaluations of the model, once.
    """
    if len(group.calls) != 1 or len(group.losses) != 1 or axis != 0:
        return None
    call, (f, *_) = _call(group), group.losses[0]
    if f.numel() != call.outputs[0].numel() or f.numel() == len(group.here):
        return None  # outputs of one number each have nothing that their one column misses
    if not torch.equal(call.outputs[0].reshape(f.shape).to(f.dtype), f):
        return None  # the loss was given something else than what the model gave
    stochastic = not is_map_of_a_point(model)
    twice = stochastic or call.outputs[0].dtype in (torch.float16, torch.bfloat16)
    whole = SecondLook(_SAMPLES, is_cut=False, in_evaluation=stochastic, twice=twice, axis=axis)
    cut = replace(whole, is_cut=True)
    wanted = whole.before(model, group)
    for look in (cut, whole):
        try:
            found = look.again(model, group)
        except (RuntimeError, ValueError, IndexError):
            continue  # a model that knows its batch's size
        if found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-2, atol=1e-4):
            return look
    return None


def looks_at(
    groups: Sequence[Group], look: SecondLook | None, processes: Processes
) -> list[tuple[Group, SecondLook]]:
    """Looks at the first samples of all groups, where they are here."""
    if look is None:
        return []
    left, looks = look.count, list[tuple[Group, SecondLook]]()
    for group in groups:
        here = min(left - group.here.start, len(group.here))
        if here > 0 or processes.call_together:
            own = look if here == look.count else replace(look, count=max(here, 0))
            looks.append((group, own))
        left -= group.count
    return looks


def output_change(group: Group, before: Tensor, after: Tensor) -> Tensor:
    """``sum df^T G df`` of the samples that were looked at, in the units of the loss."""
    f, parts, weight = group.losses[0]
    entries = len(before) * (len(f) // len(group.here))
    df = (after - before).reshape(entries, *f.shape[1:]).to(f.dtype)
    first: OutputLoss = parts.first(entries)
    return weight * first.curvature(f[:entries], df).sum()


def _call(group: Group) -> ModelCall:
    return group.calls[0][0]


@contextmanager
def _evaluating(model: nn.Module, *, wanted: bool) -> Generator[None]:
    """The model in evaluation mode, and afterwards as it was."""
    training = [m for m in model.modules() if m.training] if wanted else []
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
