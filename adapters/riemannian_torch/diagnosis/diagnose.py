"""Reads a diagnosis off the columns of the optimizer's last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from riemannian_modules.errors import SignatureError
from riemannian_torch.diagnosis.diagnosis import Diagnosis, LayerDiagnosis, ScalarWriter
from riemannian_torch.diagnosis.reasons import reasons
from riemannian_torch.gauss_newton.given_loss import Given
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.metric_choice import layers_of
from riemannian_torch.gauss_newton.optimizer import GaussNewton
from riemannian_torch.gauss_newton.processes import OneProcess
from riemannian_torch.gauss_newton.recorder import tensors_of
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.step_record import StepRecord
from riemannian_torch.gauss_newton.system import DualSystem
from riemannian_torch.training_layers import is_map_of_a_point


@torch.no_grad()
def diagnose(optimizer: GaussNewton) -> Diagnosis:
    """What the last step says of the run; call it after ``step()``, before ``zero_grad()``.

    Args:
        optimizer: Has taken a step.

    Cost: the model once more, and O(N^3) for the N columns of each layer.

    Raises:
        SignatureError: Where there is no step to speak of.
    """
    last, model = optimizer.last_step, optimizer.model
    if last is None:
        raise SignatureError(
            "diagnose: expected a step of the optimizer just before, got none. Call it after "
            "step(), and before zero_grad() or the next step; a skipped step has nothing to say."
        )
    state = last.state
    mu = float(state.mu)
    used = {p: r for rows in last.systems for p, r in rows.items()}
    grams = {name: _gram(rows, last) for name, rows in layers_of(used, model).items()}
    whole = torch.stack(list(grams.values())).sum(0)
    values = _spectrum(whole)
    layers = [
        _layer(name, rows, grams[name], mu, last)
        for name, rows in layers_of(last.rows, model).items()
    ]
    leverage, influence = _by_sample(last, whole, mu)
    before, after = _losses(optimizer, last)
    found = Diagnosis(
        step=last.number,
        loss=before,
        promised=float(state.predicted),
        actual=None if after is None else before - after,
        rho=float(state.rho),
        mu=mu,
        c=float(state.c),
        length=float(state.length),
        lr=last.lr * float(state.stride),
        trust_region=last.trust_region * float(state.stride) ** 2,
        columns=len(last.s),
        effective_rank=_effective_rank(values),
        decided=float((values / (values + mu)).sum()),
        layers=tuple(layers),
        leverage=tuple(leverage.tolist()),
        influence=tuple(influence.tolist()),
    )
    return replace(found, reasons=reasons(found))


class DiagnosisLog:
    """Diagnoses every few steps, kept and given to a writer: a callback for training loops.

    In the loop, after ``optimizer.step()``: ``log(optimizer)``.

    Args:
        writer: TensorBoard's SummaryWriter, or whatever has its ``add_scalar``; None for none.
        every: Steps between two diagnoses.

    Attributes:
        diagnoses: All so far.

    Raises:
        SignatureError: If ``every`` is below 1.
    """

    def __init__(self, writer: ScalarWriter | None = None, every: int = 50) -> None:
        if every < 1:
            raise SignatureError(f"DiagnosisLog: expected every of at least 1, got {every}.")
        self.writer, self.every = writer, every
        self.diagnoses = list[Diagnosis]()

    def __call__(self, optimizer: GaussNewton) -> Diagnosis | None:
        """Diagnose the step that was just taken, if it is one of those; None for others."""
        if optimizer.last_step is None or optimizer.steps % self.every:
            return None
        found = diagnose(optimizer)
        self.diagnoses.append(found)
        if self.writer is not None:
            found.add_to(self.writer)
        return found


def _gram(rows: Mapping[Tensor, Rows], last: StepRecord) -> Tensor:
    return DualSystem(rows, last.scale).gram().double().cpu()


def _spectrum(K: Tensor) -> Tensor:
    """Eigenvalues, falling, none below rounding."""
    values = torch.linalg.eigvalsh(K).flip(0)
    return values.clamp_min(0.0)


def _effective_rank(values: Tensor) -> float:
    total = float(values.sum())
    if total == 0.0:
        return 0.0
    shares = values / total
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))


def _layer(
    name: str, rows: Mapping[Tensor, Rows], K: Tensor, mu: float, last: StepRecord
) -> LayerDiagnosis:
    numbers = sum(p.numel() for p in rows)
    values = _spectrum(K)[:numbers]
    least = float(values[-1]) if numbers <= len(K) else 0.0
    length = float(last.state.length)
    gradients = {p: r.combined(last.scale * last.s) for p, r in rows.items()}
    whole = last.processes.whole
    walked = {p: length * whole(last.direction.parts[p]) for p in rows}
    size = _norm(map(whole, rows))
    return LayerDiagnosis(
        name=name,
        parameters=numbers,
        spectrum=tuple(values.tolist()),
        trace=float(values.sum()),
        effective_rank=_effective_rank(values),
        decided=float((values / (values + mu)).sum()),
        log_determinant=float(torch.log1p(values / mu).sum()),
        condition=(float(values[0]) + mu) / (least + mu),
        gradient=_norm(gradients.values()),
        step=_norm(walked.values()) / (size or 1.0),
        promised=float(sum((gradients[p] * walked[p]).sum() for p in rows)),
    )


def _norm(parts: Any) -> float:
    return float(torch.stack([p.detach().square().sum() for p in parts]).sum().sqrt())


def _by_sample(last: StepRecord, whole: Tensor, mu: float) -> tuple[Tensor, Tensor]:
    """Leverage and influence of each sample.

    Without sample b, ``v`` changes by ``A^-1 E_b (E_b^T A^-1 E_b)^-1 v_b``, A = K + mu I, and the
    gradient ``U s`` meets a change of the direction U dv as ``s^T K dv``.
    """
    owners = _owners(last.groups)
    decided = 1.0 - mu * _damped_inverse(whole, mu).diagonal()
    s, length = last.s.double().cpu(), float(last.state.length)
    influence = torch.zeros(len(owners), dtype=torch.float64)
    for rows, solution in zip(last.systems, last.direction.solutions, strict=True):
        K = whole if len(last.systems) == 1 else _gram(rows, last)
        inverse, v = _damped_inverse(K, mu), solution.double().cpu()
        seen = inverse @ (K @ s)
        for b, own in enumerate(owners):
            change = torch.linalg.solve(inverse[own][:, own], v[own])
            influence[b] += length * (change @ seen[own])
    return torch.stack([decided[own].sum() for own in owners]), influence


def _damped_inverse(K: Tensor, mu: float) -> Tensor:
    damped = K + mu * torch.eye(len(K), dtype=K.dtype)
    return torch.cholesky_inverse(torch.linalg.cholesky(damped))


def _owners(groups: Sequence[Group]) -> list[Tensor]:
    """The columns of each sample; those of one call of the model are of the same samples."""
    first: dict[int, int] = {}
    owners: list[list[int]] = []
    column = 0
    for g in groups:
        key = id(g.calls[0][0]) if g.calls else id(g)
        if key not in first:
            first[key] = len(owners)
            owners += [[] for _ in range(g.count)]
        for b in range(g.count):
            owners[first[key] + b].append(column + b)
        column += g.count
    return [torch.tensor(own) for own in owners]


def _losses(optimizer: GaussNewton, last: StepRecord) -> tuple[float, float | None]:
    """The loss before the step, above its least, and after it where it can be had again."""
    groups = _of_one_column(last.groups)
    before = sum(float(g.excess.sum()) for g in groups)
    model = optimizer.model
    if not is_map_of_a_point(model) or not isinstance(last.processes, OneProcess):
        return before, None
    after = [_again(optimizer, model, g) for g in groups]
    known = [a for a in after if a is not None]
    return before, sum(known) if len(known) == len(after) else None


def _of_one_column(groups: Sequence[Group]) -> list[Group]:
    """One group for each loss: an exact metric's columns repeat it."""
    found: list[Group] = []
    for g in groups:
        is_repeated = g.coefficients is not None and any(
            g.calls and f.calls and g.calls[0][0] is f.calls[0][0] for f in found
        )
        if not is_repeated:
            found.append(g)
    return found


def _again(optimizer: GaussNewton, model: nn.Module, group: Group) -> float | None:
    if len(group.calls) != 1 or len(group.losses) != 1:
        return None
    call, (f, parts, weight) = group.calls[0][0], group.losses[0]
    is_same = call.outputs[0].numel() == f.numel() and torch.equal(
        call.outputs[0].reshape(f.shape).to(f.dtype), f
    )
    if isinstance(parts, Given) or not is_same:
        return None
    with optimizer.unwatched():
        results = list(tensors_of(model(*call.arguments, **call.named)))
    new = next(r for r in results if r.is_floating_point())
    return float((weight * parts.excess(new.reshape(f.shape).to(f.dtype))).sum())
