"""Gauss-Newton steps for torch models at the price of a first-order method.

Each sample gives the metric the one column along which its loss pulls, with the curvature of the
loss: ``U_b = B_b^T r_b sqrt(c / 2 l_b)``, B_b = df_b/dtheta, r_b = dl_b/df_b. The gradient is
``U s``, ``s_b = sqrt(2 l_b / c)``, so that B numbers decide the damped step for all n parameters.
Source: Pehle and Slotine, arXiv:2603.03610 (THEORY section 4; Woodbury's identity).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_torch.gauss_newton.base_metric import in_base
from riemannian_torch.gauss_newton.checks import check_options, check_parameters, trained_parameters
from riemannian_torch.gauss_newton.clipping import clipping
from riemannian_torch.gauss_newton.damped_step import StepState, measure, walked
from riemannian_torch.gauss_newton.direction import Direction, direction
from riemannian_torch.gauss_newton.groups import Group, coefficients, joined, outputs_of
from riemannian_torch.gauss_newton.joined_rows import stacked
from riemannian_torch.gauss_newton.metric_choice import ExactMetric, ResidualMetric, StepMetric
from riemannian_torch.gauss_newton.number import Scalar, number
from riemannian_torch.gauss_newton.observer import ModelObserver
from riemannian_torch.gauss_newton.output_loss import check_criterion
from riemannian_torch.gauss_newton.plan import ColumnPlan, plan
from riemannian_torch.gauss_newton.processes_of import put_to_rest
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.rows_in_memory import outer_products, within_memory
from riemannian_torch.gauss_newton.scaled_losses import LossScale
from riemannian_torch.gauss_newton.second_look import (
    SecondLook,
    looks_at,
    output_change,
    second_look,
)
from riemannian_torch.gauss_newton.step_record import StepRecord

_MANY_OUTPUTS = 16  # of a sample: one column then sees too little, and layers get a base metric
_ALWAYS = 5  # of the first steps, after which c is measured at every second one
_KEPT = (
    "model", "criterion", "batch_axis", "momentum", "damping", "trust_region", "max_overhead",
    "metric", "_state", "steps", "skipped",
)  # fmt: skip


@final
class GaussNewton(torch.optim.Optimizer):
    """Gauss-Newton along each sample's own residual, damped, joint over all layers.

    In a training loop of five lines nothing else changes::

        criterion = nn.CrossEntropyLoss()
        optimizer = GaussNewton(model, criterion)
        for inputs, targets in loader:
            optimizer.zero_grad()
            criterion(model(inputs), targets).backward()
            optimizer.step()

    ``optimizer.step(closure)`` is faster, where the closure computes the loss and returns it: it
    goes backward to the layers' outputs only, and computes no weight's gradient.

    Args:
        model: Trained in place.
        criterion: The loss module of torch that the loop calls, with reduction "mean" or "sum".
            None where the closure returns ``(outputs, losses)``: losses (B,) of the samples, each
            0 at best, whose sum is minimised.
        params: Parameters or groups with options of their own, as other optimizers take them; all
            that require a gradient where absent.
        lr: The largest multiple of the direction, for schedules; up to twice that where two batches
            in a row ask for more, down to 0.7 of it where both ask for less.
        momentum: How much of the last direction is kept while the rest is solved for, in [0, 1).
        damping: mu at the start; each step adapts it to what the last one did on a new batch.
        trust_region: The largest squared size of a step in the metric, before it is so stretched.
        weight_decay: Decoupled: weights shrink by the step's length times this.
        batch_axis: The axis of the samples in the layers' inputs, 0 or 1.
        max_overhead: Largest number of operations of a step, as a multiple of those of forward and
            backward; smaller blocks of samples are solved for where more would be needed.
        metric: `ResidualMetric` where absent; `JointMetric` or `LayerMetric` for the exact one of
            models with few outputs.

    Attributes:
        steps: How many have been taken.
        skipped: How many were not, for numbers that were not finite.
        last_step: What `diagnose` reads, from a step until the next begins or zero_grad().
        plan: How the last step was taken, and why; print it. None before the first.

    Cost of a step: forward and backward to the layers' outputs, two more products a layer, and
    ``2 B^2 sum(p + q) + B^3 / 3`` operations for B samples and layers (q, p). Memory: one buffer of
    the parameters' size, inputs and cotangents of the layers, rows of twice these numbers at most.

    Raises:
        UnsupportedError: For a criterion whose parts are not known, or complex parameters.
        SignatureError: For parameters that are not the model's.
        DomainError: For numbers outside of their ranges.
    """

    # A GradScaler then gives its scale and `found_inf` for the time of a step: see LossScale.
    _step_supports_amp_scaling = True

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
        max_overhead: float | None = None,
        metric: StepMetric | None = None,
    ) -> None:
        check_options(lr, momentum, damping, trust_region, weight_decay, batch_axis, max_overhead)
        if criterion is not None:
            check_criterion(criterion)
        trained = trained_parameters(model)
        super().__init__(
            trained if params is None else params, {"lr": lr, "weight_decay": weight_decay}
        )
        self.model, self.criterion, self.batch_axis = model, criterion, batch_axis
        self.momentum, self.damping, self.trust_region = momentum, damping, trust_region
        self.max_overhead, self.metric = max_overhead, metric or ResidualMetric()
        self.steps, self.skipped = 0, 0
        self._state: StepState | None = None
        self._follow()

    def _follow(self) -> None:
        """Begin to watch the model; also after unpickling."""
        self.last_step: StepRecord | None = None
        put_to_rest(self.model)
        self._parameters = [p for group in self.param_groups for p in group["params"]]
        check_parameters(self.model, self._parameters)
        self._observer = ModelObserver(
            self.model, self.criterion, self._parameters, self.batch_axis, self.metric
        )
        self._observer.step = self.steps
        self._look: SecondLook | None = None
        self.plan: ColumnPlan | None = None
        self._sizes: tuple[Any, ...] = ()  # that the plan was made for
        self._is_new = True

    @override
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train more parameters, such as those of layers that were frozen before."""
        super().add_param_group(param_group)
        if hasattr(self, "_observer"):
            self._follow()

    @override
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients, and what the passes that gave them have left here."""
        self._observer.clear()
        self.last_step = None
        super().zero_grad(set_to_none)

    @override
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step along what the passes since the last one have seen, or the closure.

        Args:
            closure: Computes the loss and returns it, without a backward pass; or returns
                ``(outputs, losses)``, or ``(outputs, losses, S)`` with S (B, d, r) for a metric
                ``S S^T`` of one's own on d outputs, where the optimizer has no criterion.

        Returns:
            What the closure has returned.

        Raises:
            UnsupportedError: Where no loss or no layer was seen, or they do not fit each other.
            DomainError: For a loss below 0, or parameters that are not finite.
        """
        observer = self._observer
        self.last_step = None
        scale = LossScale.of(vars(self))
        if scale.has_overflowed:
            self.skipped += 1  # and the scaler lowers its scale
            observer.clear()
            return None
        try:
            if closure is None:
                returned, groups = None, observer.of_passes(scale)
            else:
                returned, groups = observer.of_closure(closure)
            if not groups:
                self.skipped += 1
                return returned
            with torch.no_grad(), self.unwatched():
                self._step(groups, scale if closure is None else None)
        finally:
            observer.clear()
            observer.step = self.steps
        return returned

    def _step(self, groups: Sequence[Group], scale_of_gradients: LossScale | None) -> None:
        if self._is_new:
            is_exact = isinstance(self.metric, ExactMetric)  # no output is missed
            self._look = None if is_exact else second_look(self.model, groups[0], self.batch_axis)
            self._is_new = False
        state, processes = self._last_step(), self._observer.processes
        (scale, s), rows = coefficients(groups, state.c), within_memory(self._rows(groups))
        pull = s
        if scale_of_gradients is not None:
            shares = joined([g.shares for g in groups])
            pull = s * clipping(rows, shares, scale_of_gradients.factor, processes)
        last = {p: own["direction"] for p in rows if "direction" in (own := self.state[p])}
        self.plan = self._planned(rows, groups)
        used = in_base(outer_products(rows), s) if self.plan.has_base else rows
        systems = self.metric.systems(processes.parts(used), self.model)
        step = direction(systems, state, scale, s, pull, last, self.momentum, self.plan.block)
        if step is None:
            self._skip(groups)
            return
        lr = max(group["lr"] for group in self.param_groups)
        after = walked(step.state, pull, step.moved, step.size, lr, self.trust_region)
        is_looking = self.steps % 2 == 0 or self.steps < _ALWAYS
        looks = looks_at(groups, self._look, processes) if is_looking else []
        before = [look.before(self.model, g) for g, look in looks]
        processes.at_rest()
        self._walk(step, after.length / lr if lr else 0.0)
        if is_looking:
            after = self._looked_again(after, step.moved, looks, before)
        self._state = after
        self.steps += 1
        self.last_step = StepRecord(
            self.steps,
            rows,
            systems,
            scale,
            s,
            pull,
            step,
            after,
            lr,
            self.trust_region,
            groups,
            processes,
        )

    def _planned(self, rows: Mapping[Tensor, Rows], groups: Sequence[Group]) -> ColumnPlan:
        """The plan, made anew where the batch is of another size than the last."""
        wants_base = outputs_of(groups) > _MANY_OUTPUTS
        sizes = (self.max_overhead, wants_base, *[(g.count, len(g.rows)) for g in groups],
                 *[r.product_cost for r in rows.values()])  # fmt: skip
        if self.plan is None or sizes != self._sizes:
            samples = sum(g.count for g in groups)
            self.plan = plan(rows, samples, self.max_overhead, self.metric, wants_base=wants_base)
            self._sizes = sizes
        return self.plan

    def _looked_again(
        self,
        state: StepState,
        moved: Tensor,
        looks: Sequence[tuple[Group, SecondLook]],
        before: Sequence[Tensor],
    ) -> StepState:
        """The state with c measured on the first samples of the batch, after the step."""
        if self._look is None:
            return state
        felt = torch.zeros_like(moved[0])
        for (group, look), old in zip(looks, before, strict=True):
            felt += output_change(group, old, look.again(self.model, group))
        seen = number(moved[: self._look.count].square().sum()) * state.length**2 / state.c
        return measure(state, number(self._observer.processes.summed(felt)), seen)

    def _last_step(self) -> StepState:
        if self._state is None:
            self._state = StepState(self.damping)
        return self._state

    def _rows(self, groups: Sequence[Group]) -> Mapping[Tensor, Rows]:
        rows: Mapping[Tensor, Rows] = {}
        if len(groups) == 1:
            rows = groups[0].rows
        else:
            rows, counts = {}, [g.count for g in groups]
            for p in self._parameters:
                given = [g.rows.get(p) for g in groups]
                if any(r is not None for r in given):
                    rows[p] = stacked(given, counts)
        if not rows:
            check_parameters(self.model, self._parameters)
            raise UnsupportedError(
                "GaussNewton: expected the loss to depend on the optimizer's parameters, got none "
                "that it does. Check requires_grad, and that the criterion takes the model's "
                "outputs."
            )
        return rows

    def _walk(self, step: Direction, share: Scalar) -> None:
        """Move along the direction by each group's lr times ``share``."""
        for group in self.param_groups:
            length = share * group["lr"]
            for p in group["params"]:
                own, part = self.state[p], step.parts.get(p)
                if part is not None:
                    own["direction"] = part
                elif "direction" in own and p.requires_grad:
                    part = own["direction"].mul_(self.momentum)
                else:
                    continue
                if group["weight_decay"]:
                    p.mul_(1.0 - length * group["weight_decay"])
                if isinstance(length, Tensor):
                    p.addcmul_(part, length, value=-1.0)
                else:
                    p.add_(part, alpha=-length)

    def _skip(self, groups: Sequence[Group]) -> None:
        """Say why no step can be taken; directions stay as they are."""
        if any(bool((g.excess < 0).any()) for g in groups):
            least = min(float(g.excess.min()) for g in groups)
            raise DomainError(
                f"GaussNewton: expected losses that are 0 at best, got {least:.3g} for a sample. "
                "Subtract from each sample's loss the least that any outputs could give."
            )
        names = {p: name for name, p in self.model.named_parameters()}
        inner = self._observer.processes.inner  # 0 where p is finite, else NaN, in all processes
        broken = [names[p] for p in self._parameters if bool(inner(0.0 * p, p).isnan())]
        if broken:
            raise DomainError(
                f"GaussNewton: expected finite parameters, got others in {', '.join(broken[:6])}. "
                "Load the last good state; then lower lr or trust_region."
            )
        self.skipped += 1
        warnings.warn(
            "GaussNewton: no step was taken, for the loss or a derivative of it is not finite. "
            "Look for overflow in the inputs of this batch.",
            stacklevel=4,
        )

    # ------------------------------------------------------------------------ copies and files

    @override
    def __getstate__(self) -> dict[str, Any]:
        own = vars(self)
        return super().__getstate__() | {k: own[k] for k in _KEPT}

    @override
    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._follow()

    @override
    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from, as of other optimizers."""
        return super().state_dict() | {"last_step": {
            "state": None if self._state is None else self._state.written(),
            "steps": self.steps, "skipped": self.skipped,
        }}  # fmt: skip

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another optimizer of the same model stood, bit for bit.

        Raises:
            SignatureError: For the state of an optimizer of another kind; nothing is loaded then.
        """
        if "last_step" not in state_dict:
            raise SignatureError(
                "GaussNewton: expected what GaussNewton.state_dict() gave, got the keys "
                f"{sorted(state_dict)}."
            )
        last, state = state_dict["last_step"], None
        if last["state"] is not None:
            device = self._parameters[0].device
            state = StepState.read({
                k: number(v.to(device)) if isinstance(v, Tensor) else v
                for k, v in last["state"].items()
            })  # fmt: skip
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "last_step"})
        self.steps, self.skipped, self._state = last["steps"], last["skipped"], state
        self._observer.step = self.steps

    @contextmanager
    def unwatched(self) -> Generator[None]:
        """Calls of the model inside are no part of the training loop."""
        self._observer.recorder.is_paused = True
        try:
            yield
        finally:
            self._observer.recorder.is_paused = False

    def remove(self) -> None:
        """Take the hooks away from the model and the criterion; no step can follow."""
        self._observer.recorder.remove()
