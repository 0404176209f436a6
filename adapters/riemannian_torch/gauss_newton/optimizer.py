"""Gauss-Newton steps for torch models at the price of a first-order method.

Each sample gives the metric the one column along which its loss pulls, with the curvature of the
loss: ``U_b = B_b^T r_b sqrt(c / 2 l_b)``, B_b = df_b/dtheta, r_b = dl_b/df_b. The gradient is
``U s``, ``s_b = sqrt(2 l_b / c)``, so that B numbers decide the damped step for all n parameters.
Source: Pehle and Slotine, arXiv:2603.03610 (THEORY section 4; Woodbury's identity).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_torch.gauss_newton.damped_step import StepState, follow, measure, solve
from riemannian_torch.gauss_newton.output_loss import OutputLoss, check_criterion, output_loss
from riemannian_torch.gauss_newton.recorder import LossCall, ModelCall, Recorder, only_cotangent
from riemannian_torch.gauss_newton.rows import Rows, added, stacked
from riemannian_torch.gauss_newton.uses import Samples
from riemannian_torch.gauss_newton.watch import Use

_LOOKED_AT = 32  # samples whose outputs are computed again for c
_LEAST_LOSS = 1e-7  # of a sample, relative to the mean


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Samples that went through the model together.

    Attributes:
        excess: What each adds to the loss above its least, (B,).
        rows: Of each parameter, unscaled: the derivative of that part.
        again: The call of the model and of the loss to look at again for c, where that is known.
    """

    excess: Tensor
    rows: dict[Tensor, Rows]
    again: tuple[ModelCall, Tensor, OutputLoss] | None


@final
class GaussNewton(torch.optim.Optimizer):
    """Gauss-Newton along each sample's own residual, damped and joint over all layers.

    In a training loop of five lines nothing else changes::

        criterion = nn.CrossEntropyLoss()
        optimizer = GaussNewton(model, criterion)
        for inputs, targets in loader:
            optimizer.zero_grad()
            criterion(model(inputs), targets).backward()
            optimizer.step()

    ``optimizer.step(closure)``, where the closure computes the loss and returns it, is faster: it
    goes backward to the layers' outputs only, and computes no gradient of any weight.

    Args:
        model: Trained in place; its samples must not mix (attention over a sequence is fine).
        criterion: torch's loss module that the loop calls, with reduction "mean" or "sum". None
            where the closure returns ``(outputs, losses)``: losses (B,) add up to what is
            minimised, each of them 0 at best.
        params: Parameters or groups, as other optimizers take them; all that require a gradient
            where absent.
        lr: The largest multiple of the direction, for schedules.
        momentum: How much of the last direction is kept before the rest is solved for, in [0, 1).
        damping: mu at the start; it is adapted by what each step did on the next batch.
        trust_region: Largest squared length of a step in the metric.
        weight_decay: Decoupled: weights shrink by ``length * weight_decay`` a step.
        batch_axis: The axis of the samples in the layers' inputs, 0 or 1.

    Cost a step: that of forward and backward to the layers' outputs, one more product per layer
    and 2 B^2 sum(p + q) + B^3 / 3 operations; one buffer of the parameters' size.

    Raises:
        UnsupportedError: For a criterion whose parts are not known.
        SignatureError: For numbers outside of their ranges.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: nn.Module | None = None,
        params: Iterable[Any] | None = None,
        *,
        lr: float = 0.5,
        momentum: float = 0.9,
        damping: float = 0.1,
        trust_region: float = 0.3,
        weight_decay: float = 0.0,
        batch_axis: int = 0,
    ) -> None:
        _check_numbers(lr, momentum, damping, trust_region, weight_decay)
        if criterion is not None:
            check_criterion(criterion)
        self.model, self.criterion, self.batch_axis = model, criterion, batch_axis
        self.momentum, self.damping, self.trust_region = momentum, damping, trust_region
        trained = [p for p in model.parameters() if p.requires_grad] if params is None else params
        super().__init__(trained, {"lr": lr, "weight_decay": weight_decay})
        self._parameters = [p for group in self.param_groups for p in group["params"]]
        check_parameters(model, self._parameters)
        self._recorder = Recorder(model, criterion, self._parameters)
        self._steps = 0

    @override
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore
        """One step.

        Args:
            closure: Computes the loss and returns it, with the gradient neither cleared nor
                computed; or returns ``(outputs, losses)`` where there is no criterion.

        Returns:
            What the closure has returned.
        """
        returned = None
        if closure is None:
            groups = self._groups_of_passes()
        else:
            returned, groups = self._groups_of_closure(closure)
        with torch.no_grad():
            self._step(groups)
        self._recorder.clear()
        return returned

    @override
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients, and what the passes that gave them have left here."""
        self._recorder.clear()
        super().zero_grad(set_to_none)

    # ------------------------------------------------------------------------------------- rows

    def _groups_of_closure(self, closure: Callable[[], Any]) -> tuple[Any, list[Group]]:
        recorder = self._recorder
        recorder.clear()
        recorder.watch.weights_wanted = False
        try:
            with torch.enable_grad():
                returned = closure()
            losses = recorder.losses
            uses, calls = recorder.uses, recorder.calls
            loss = losses[0].value if len(losses) == 1 else returned
            weights = torch.autograd.grad(loss, [c.value for c in losses], retain_graph=True)
            groups: list[Group] = []
            for i, (call, weight) in enumerate(zip(losses, weights, strict=True)):
                call.weight = weight
                found = torch.autograd.grad(
                    call.value, [u.edge for u in uses], weight,
                    retain_graph=i + 1 < len(losses), allow_unused=True,
                )  # fmt: skip
                pairs = [(u, d) for u, d in zip(uses, found, strict=True) if d is not None]
                groups += self._groups([call], pairs, calls)
        finally:
            recorder.watch.weights_wanted = True
        return returned, groups

    def _groups_of_passes(self) -> list[Group]:
        groups: list[Group] = []
        for found in self._recorder.finished():
            pairs = [(u, d) for u in found.uses if (d := only_cotangent(u)) is not None]
            groups += self._groups(found.losses, pairs, found.calls)
        return groups

    def _groups(
        self,
        losses: Sequence[LossCall],
        uses: Sequence[tuple[Use, Tensor]],
        calls: Sequence[ModelCall],
    ) -> list[Group]:
        assert self.criterion is not None
        dtype = metric_dtype(self._parameters)
        groups: list[Group] = []
        (call,) = losses
        f, parts = output_loss(self.criterion, call.arguments)
        assert call.weight is not None
        with torch.no_grad():
            excess = parts.excess(f) * call.weight
            B = _first_tensor(calls[-1].outputs).shape[self.batch_axis]
            excess = excess.reshape(B, -1).sum(1).to(dtype)
            samples = Samples(B, self.batch_axis, dtype)
            rows: dict[Tensor, list[Rows]] = {}
            own = set(self._parameters)
            for use, d in uses:
                for parameter, found in use.rows(samples, d.detach()):
                    if parameter in own:
                        rows.setdefault(parameter, []).append(found)
        groups.append(Group(excess, {p: added(r) for p, r in rows.items()}, (calls[-1], f, parts)))
        return groups

    # ------------------------------------------------------------------------------------- step

    def _step(self, groups: Sequence[Group]) -> None:
        state = self._joint()
        counts = [len(g.excess) for g in groups]
        excess = torch.cat([g.excess for g in groups])
        excess = excess.clamp_min(_LEAST_LOSS * excess.mean()).clamp_min(1e-30)
        scale = torch.sqrt(state.c / (2.0 * excess))  # U_b = scale_b * row_b
        s = 1.0 / scale
        rows = {
            p: stacked([g.rows.get(p) for g in groups], counts)
            for p in self._parameters
            if any(p in g.rows for g in groups)
        }
        K, t = torch.zeros(len(s), len(s), dtype=s.dtype, device=s.device), torch.zeros_like(s)
        for p, r in rows.items():
            K += r.gram()
            if self.state[p]:
                t += r.along(self.state[p]["direction"])
        K *= scale[:, None] * scale
        t *= scale
        follow(state, s, t)
        lr = self.param_groups[0]["lr"]
        step = solve(state, K, s, t, self.momentum, lr, self.trust_region)
        if step is None:
            warnings.warn("GaussNewton: skipped", stacklevel=3)
            return
        v, length = step.v * scale, step.after.length
        for group in self.param_groups:
            walked = length * (group["lr"] / lr)
            for p in group["params"]:
                if p in rows:
                    self._move(p, rows[p].combined(v), walked, group["weight_decay"])
        self.state["joint"] = step.after
        if self._steps % 2 == 0 or self._steps < 5:
            self._look_again(groups[0], step.after, step.moved)
        self._steps += 1

    def _move(self, p: Tensor, along: Tensor, walked: Tensor, weight_decay: float) -> None:
        own = self.state[p]
        if not own:
            own["direction"] = along
        else:
            own["direction"].mul_(self.momentum).add_(along)
        if weight_decay:
            p.mul_(1.0 - walked * weight_decay)
        p.addcmul_(own["direction"].to(p.dtype), walked.to(p.dtype), value=-1.0)

    def _joint(self) -> StepState:
        if "joint" not in self.state:
            like = torch.zeros(
                (), dtype=metric_dtype(self._parameters), device=self._parameters[0].device
            )
            self.state["joint"] = StepState.fresh(self.damping, like)
        return self.state["joint"]

    def _look_again(self, group: Group, state: StepState, moved: Tensor) -> None:
        """Measure c on a few samples of the batch, after the step."""
        if group.again is None:
            return
        call, f, parts = group.again
        m = min(_LOOKED_AT, len(group.excess))
        self._recorder.is_paused = True
        try:
            after = self.model(*(a[:m] for a in call.arguments), **call.named)
        finally:
            self._recorder.is_paused = False
        df = after - call.outputs[:m]
        felt = parts.first(m).curvature(f[:m], df).sum()
        seen = ((state.length * moved[:m]) ** 2).sum() / state.c
        measure(state, felt, seen)


def _first_tensor(outputs: Any) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else next(iter(outputs))


def metric_dtype(parameters: Sequence[Tensor]) -> torch.dtype:
    """float64 where the parameters are, else float32."""
    return torch.float64 if parameters[0].dtype == torch.float64 else torch.float32


def check_parameters(model: nn.Module, parameters: Sequence[Tensor]) -> None:
    ...


def _check_numbers(lr, momentum, damping, trust_region, weight_decay) -> None:
    ...
