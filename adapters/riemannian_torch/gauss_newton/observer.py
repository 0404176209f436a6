"""The samples' rows of a step, from a training loop's own backward passes or from a closure."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median_low
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_torch.gauss_newton.given_loss import Given
from riemannian_torch.gauss_newton.groups import Group, counts_of, groups_of
from riemannian_torch.gauss_newton.metric_choice import ExactMetric, StepMetric
from riemannian_torch.gauss_newton.mixing import mixed_group, samples_meet
from riemannian_torch.gauss_newton.output_columns import column_groups, mixed_column_groups
from riemannian_torch.gauss_newton.processes_of import processes_of
from riemannian_torch.gauss_newton.recorder import LossCall, Pass, Record, Recorder
from riemannian_torch.gauss_newton.remaining import remaining_rows
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.scaled_losses import LossScale

_TOLERANCE = 1e-2  # of the rows' sum beside torch's gradient: bfloat16 has three digits


@final
class ModelObserver:
    """Watches a model and its loss.

    The rows of all samples add up to the gradient. The first step compares that with torch's own
    for each parameter; those that differ are used in ways that no reader of `uses` knows.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: nn.Module | None,
        parameters: Sequence[nn.Parameter],
        axis: int,
        metric: StepMetric,
    ) -> None:
        self.model, self.axis, self.metric = model, axis, metric
        self.step = 0  # the number of the next, for what is drawn
        self.parameters = list[Tensor](parameters)
        self.dtype = torch.promote_types(parameters[0].dtype, torch.float32)
        self.processes = processes_of(model, parameters)
        self.recorder = Recorder(
            model, criterion, parameters, self.processes.follow,
            weakref.WeakMethod(self._look_at), weakref.WeakMethod(self._begun),
        )  # fmt: skip
        self._own = set[Tensor](parameters)
        self._remaining = set[Tensor]()
        self._is_new, self._meet = True, False
        self._early: dict[LossCall, list[Group]] = {}
        self._scale = LossScale()

    def of_closure(self, closure: Callable[[], Any]) -> tuple[Any, list[Group]]:
        """What the closure returned, and the groups of its samples."""
        watch, self._scale = self.recorder.watch, LossScale()
        watch.weights_wanted = self._is_new
        try:
            returned = self._called(closure)
            if watch.missed:  # once: from now on its derivatives are followed
                watch.derivatives = True
                returned = self._called(closure)
            watch.let_go()  # the derivatives that follow are taken here
            record = self.recorder.taken()
            loss = _minimised(returned, record)
            _weigh(loss, record.losses)
            gradients: Mapping[Tensor, Tensor] | None = None
            if self._is_new:
                gradients = self.processes.gradients(loss, self.parameters)
                watch.weights_wanted = False
            groups: list[Group] = []
            for i, call in enumerate(record.losses):
                groups += self._of_loss(call, record, keep=i + 1 < len(record.losses))
        finally:
            watch.weights_wanted = True
        return returned, self._completed(groups, gradients)

    def _called(self, closure: Callable[[], Any]) -> Any:
        self.clear()
        with torch.enable_grad(), self.processes.alone():
            return closure()

    def clear(self) -> None:
        """Forget what was noted down."""
        self.recorder.clear()
        self._early.clear()

    def of_passes(self, scale: LossScale) -> list[Group]:
        """The groups of the backward passes since the last step, of losses that were scaled.

        None where a pass cannot be read.

        Raises:
            UnsupportedError: If there was none.
        """
        if self.recorder.watch.missed:
            warnings.warn(
                "GaussNewton: no step was taken, for the loss has begun to differentiate the "
                "network. From the next one on its derivatives are followed.",
                stacklevel=4,
            )
            self.recorder.watch.derivatives = True
            return []
        passes = self.recorder.passes()
        if not passes:
            raise UnsupportedError(
                "GaussNewton: expected a backward pass through the criterion and the model since "
                "the last step, got none. Call the criterion that the optimizer was given, "
                "criterion(model(inputs), targets).backward(), or give step a closure."
            )
        groups: list[Group] = []
        for found in passes:
            early = [g for call in found.losses for g in self._early.pop(call, ())]
            with torch.no_grad():
                groups += early or groups_of(found, self._own, self.axis, self.dtype)
        self._scale, gradients = scale, None
        if self._is_new:
            gradients = {p: p.grad for p in self.parameters if p.grad is not None}
        return self._completed(groups, gradients)

    def _of_loss(self, call: LossCall, record: Record, *, keep: bool) -> list[Group]:
        if self._takes_many_passes:
            return self._of_many_passes(call, record, keep=keep)
        begin, slope = call.value, call.weight
        if call.slope is not None:  # the way from the outputs on is needed once more
            begin, slope = call.outputs, call.slope.detach()
        found = torch.autograd.grad(
            begin, [u.edge for u in record.uses], slope, retain_graph=keep, allow_unused=True
        )
        cotangents = {u: d for u, d in zip(record.uses, found, strict=True) if d is not None}
        seen = Pass([call], cotangents, record.calls)
        with torch.no_grad():
            return list(groups_of(seen, self._own, self.axis, self.dtype))

    @property
    def _takes_many_passes(self) -> bool:
        return self._meet or isinstance(self.metric, ExactMetric)

    def _of_many_passes(self, call: LossCall, record: Record, *, keep: bool) -> list[Group]:
        """What takes backward passes of its own, while torch's graph is there."""
        if not isinstance(self.metric, ExactMetric):
            return [mixed_group(call, record.uses, self._own, self.dtype, keep=keep)]
        metric, step = self.metric, self.step
        if self._meet or self._has_batch_norms():
            found = mixed_column_groups(call, record, self._own, self.dtype, metric, step)
        else:
            found = column_groups(call, record, self._own, self.axis, self.dtype, metric, step)
        return list(found)

    def _begun(self, call: LossCall, record: Record) -> None:
        """A backward pass of the loop's has come by a loss: its graph will be gone afterwards."""
        if not self._takes_many_passes:
            return
        recorder, watch = self.recorder, self.recorder.watch
        recorder.is_paused, watch.weights_wanted = True, False  # these come by the loss again
        try:
            self._early[call] = self._of_many_passes(call, record, keep=True)
        finally:
            recorder.is_paused, watch.weights_wanted = False, True
        for use in record.uses:
            use.cotangents.clear()  # of these passes, which are none of the loop's

    def _has_batch_norms(self) -> bool:
        return any(isinstance(m, _BatchNorm) and m.training for m in self.model.modules())

    def _look_at(self, call: LossCall, record: Record) -> None:
        """Find out whether samples meet, while torch's graph is there; norms of batches may."""
        if not self._is_new or self._meet:
            return
        if self._has_batch_norms():
            return
        sizes = [c.count(self.axis) for c in record.calls]
        counts = counts_of(call.outputs.shape, sizes, self.axis)
        if len(counts) != 1 or samples_meet(call, record.uses, counts[0], self.axis):
            self._meet = True
            warnings.warn(
                "GaussNewton: the samples of this model meet (as in a graph network), so each "
                "entry of the loss takes a backward pass of its own.",
                stacklevel=6,
            )

    # ------------------------------------------------------------ what the readers do not know

    def _completed(
        self, groups: list[Group], gradients: Mapping[Tensor, Tensor] | None
    ) -> list[Group]:
        """The groups of all processes, with the rows of the remaining parameters too."""
        self.processes.at_rest()
        joined = self._with_remaining(groups)
        if not self._is_new or gradients is None:
            return joined
        self._remaining = self._differing(joined, gradients)
        if self._remaining:
            shown = ", ".join(n for n, _ in self._named_remaining(self.model)[:6])
            if self._meet:
                raise UnsupportedError(
                    f"GaussNewton: expected {shown} to be used by torch's own layers, as the "
                    "samples of this model meet. Freeze them, or write their use with "
                    "torch.nn.functional.linear."
                )
            joined = self._with_remaining(groups)
            if self._differing(joined, gradients):
                raise UnsupportedError(
                    f"GaussNewton: expected a loss that the criterion alone gives, got another "
                    f"gradient for {shown}. Leave penalties to weight_decay=, do not detach or "
                    "checkpoint layers, and keep the samples along batch_axis."
                )
            warnings.warn(
                f"GaussNewton: {shown} are used in ways that are not known; their rows take one "
                "derivative of the whole model a sample.",
                stacklevel=5,
            )
        self._is_new = False
        self.recorder.watch.derivatives = bool(self.recorder.watch.derivatives)
        return joined

    def _with_remaining(self, groups: Sequence[Group]) -> list[Group]:
        if self._remaining:
            groups = [replace(g, rows={**g.rows, **self._rest(g)}) for g in groups]
        with torch.no_grad():
            return [self.processes.joined(self._scale.taken_off(g)) for g in groups]

    def _rest(self, group: Group) -> Mapping[Tensor, Rows]:
        """The rows of the remaining parameters."""
        model = self.processes.called_by_sample(self.model)
        wanted = dict(self._named_remaining(model))
        self.recorder.is_paused = True
        try:
            return remaining_rows(model, wanted, group.calls, self.axis, self.dtype)
        finally:
            self.recorder.is_paused = False

    def _named_remaining(self, model: nn.Module) -> list[tuple[str, Tensor]]:
        return [(n, p) for n, p in model.named_parameters() if p in self._remaining]

    def _differing(
        self, groups: Sequence[Group], gradients: Mapping[Tensor, Tensor]
    ) -> set[Tensor]:
        """Parameters whose rows do not add up to the gradient, a common factor apart.

        The factor is there where a loop has clipped its gradients.
        """
        with torch.no_grad():
            inner, sums = self.processes.inner, dict[Tensor, Tensor]()
            for g in groups:
                for p, rows in g.rows.items():
                    own = self.processes.part(rows, p).combined(g.shares)
                    sums[p] = sums[p] + own if p in sums else own
            gradients = {p: g.to(self.dtype) for p, g in gradients.items()}
            factors = [
                float(inner(gradients[p], own) / squares)
                for p, own in sums.items()
                if p in gradients and bool(squares := inner(own, own))
            ]
            factor = median_low(factors) if factors else 1.0
            norms = {p: math.sqrt(inner(g, g)) for p, g in gradients.items()}
            floor = 1e-6 * sum(norms.values())
            errors = {
                p: g - factor * sums.get(p, torch.zeros_like(g)) for p, g in gradients.items()
            }
            return {
                p
                for p, e in errors.items()
                if math.sqrt(inner(e, e)) > _TOLERANCE * norms[p] + floor
            }


def _minimised(returned: Any, record: Record) -> Tensor:
    """The number that a closure minimises; a loss of its own joins the record."""
    if isinstance(returned, tuple) and len(returned) in (2, 3) and not record.losses:
        outputs, losses, *rest = returned
        factor = rest[0].detach() if rest and isinstance(rest[0], Tensor) else None
        if (
            not all(isinstance(t, Tensor) and t.requires_grad for t in (outputs, losses))
            or losses.ndim != 1
            or outputs.ndim == 0
            or len(outputs) != len(losses)
            or (rest and not _is_factor(factor, outputs))
        ):
            raise SignatureError(
                "GaussNewton: expected a closure that returns outputs (B, ...) and the losses (B,) "
                "of the samples, and perhaps a factor S (B, d, r) of the metric on their d "
                f"outputs; got {', '.join(map(_kind, returned))}."
            )
        value = losses.sum()
        (slope,) = torch.autograd.grad(value, outputs, create_graph=True, allow_unused=True)
        if slope is None:
            raise SignatureError(
                "GaussNewton: expected a closure whose losses are made of the outputs that it "
                "returns, got others. Call the model once."
            )
        parts = Given(losses.detach(), outputs, slope, factor)
        call = LossCall(value, outputs, lambda: (outputs.detach(), parts), slope=slope)
        record.losses.append(call)
        return value
    loss = returned[-1] if isinstance(returned, tuple) and returned else returned
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not record.losses:
        raise SignatureError(
            "GaussNewton: expected a closure that calls the optimizer's criterion and returns the "
            "loss, or one that returns (outputs, losses of the samples); got "
            f"{_kind(loss)} and {len(record.losses)} calls of the criterion."
        )
    return loss


def _is_factor(factor: Tensor | None, outputs: Tensor) -> bool:
    wanted = (len(outputs), outputs[0].numel())
    return factor is not None and factor.ndim == 3 and tuple(factor.shape[:2]) == wanted


def _kind(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _weigh(loss: Tensor, calls: Sequence[LossCall]) -> None:
    """Tell each call by what the minimised loss multiplies its value."""
    if len(calls) == 1 and calls[0].value is loss:
        calls[0].weight, calls[0].is_minimised = torch.ones_like(loss), True
        return
    values = [c.value for c in calls]
    weights = torch.autograd.grad(loss, values, retain_graph=True, allow_unused=True)
    for call, weight in zip(calls, weights, strict=True):
        call.weight = torch.zeros_like(call.value) if weight is None else weight
