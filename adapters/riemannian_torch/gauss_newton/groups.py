"""Samples that went through a model together: what each adds to the loss, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.joined_rows import added
from riemannian_torch.gauss_newton.number import Scalar, at_least, number, root
from riemannian_torch.gauss_newton.output_loss import OutputLoss
from riemannian_torch.gauss_newton.recorder import LossCall, ModelCall, Pass
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.uses import Samples
from riemannian_torch.gauss_newton.watch import no_parameters

_LEAST_LOSS = 1e-7  # of a sample, relative to the mean: below, its row is as good as zero


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """B samples, of this process or of all.

    Attributes:
        excess: What each adds to the loss above the least it could, (B,).
        rows: Of each parameter: the derivatives of these parts.
        calls: Of the model that took these samples, with the cotangents of their outputs.
        losses: The outputs of each loss, their parts, and what these are multiplied by.
        here: Which of the samples the calls and losses hold.
        coefficients: Of the gradient where the rows are a column of an exact metric for each
            sample, (B,); None where they are the parts' own derivatives, which add up to it.
    """

    excess: Tensor
    rows: Mapping[Tensor, Rows]
    calls: Sequence[tuple[ModelCall, Sequence[Tensor | None]]]
    losses: Sequence[tuple[Tensor, OutputLoss, Tensor]]
    here: range
    coefficients: Tensor | None = None

    @property
    def count(self) -> int:
        """B."""
        return self.excess.shape[0]

    @property
    def shares(self) -> Tensor:
        """What the rows are multiplied by, (B,), where they add up to the gradient."""
        return torch.ones_like(self.excess) if self.coefficients is None else self.coefficients


def outputs_of(groups: Sequence[Group]) -> int:
    """How many outputs a loss looks at for each sample, at most."""
    return max((f.numel() // len(g.here) for g in groups for f, *_ in g.losses), default=0)


def coefficients(groups: Sequence[Group], c: Scalar) -> tuple[Tensor, Tensor]:
    """The scale of the rows, and the gradient's coefficients s in terms of ``U = scale row``.

    ``s_b = sqrt(2 l_b / c)`` and the scale ``1 / s_b`` along the residuals.
    """
    excess = joined([g.excess for g in groups])
    if any(g.coefficients is not None for g in groups):
        shares = joined([g.shares for g in groups])
        s = torch.where((excess < 0) | excess.isnan(), torch.nan, shares)
        return torch.ones_like(s), s
    # A loss below 0 has no root, and clamping keeps its NaN.
    least = at_least(_LEAST_LOSS * number(excess.mean()), 1e-30)
    s = (excess * (2.0 / c)).sqrt_().clamp_min_(root(least * (2.0 / c)))
    return s.reciprocal(), s


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts one after the other; one alone is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def groups_of(found: Pass, own: set[Tensor], axis: int, dtype: torch.dtype) -> Iterator[Group]:
    """The groups of a backward pass, by their numbers of samples.

    Args:
        found: The pass.
        own: The parameters whose rows are wanted.
        axis: Of the samples in the layers' inputs and outputs.
        dtype: Of the metric.

    Raises:
        UnsupportedError: Where a loss or a layer cannot be matched with a call of the model.
    """
    sizes = [call.count(axis) for call in found.calls]
    losses: dict[int, list[tuple[LossCall, Tensor, OutputLoss, Tensor]]] = {}
    for call in found.losses:
        f, parts = call.parts()
        excess = parts.excess(f)
        if not call.is_minimised:
            excess = excess * weight_of(call)
        losses.setdefault(count_of(excess.shape, sizes, axis), []).append((call, f, parts, excess))
    counts = list(losses)
    rows: dict[int, dict[Tensor, list[Rows]]] = {count: {} for count in counts}
    samples = {count: Samples(count, axis, dtype) for count in counts}
    for use, d in found.cotangents.items():
        if use.reader is no_parameters:
            continue
        count = counts[0] if len(counts) == 1 else _matching(d, counts, axis)
        for parameter, given in use.rows(samples[count], d):
            if parameter in own and parameter.requires_grad:
                rows[count].setdefault(parameter, []).append(given)
    for count, together in losses.items():
        excess = sum_by_sample([e for *_, e in together], count, axis).to(dtype)
        calls = [
            (call, [found.cotangents.get(use) for use in call.uses])
            for call in found.calls
            if call.count(axis) == count and any(use in found.cotangents for use in call.uses)
        ]
        yield Group(
            excess,
            {p: added(r) for p, r in rows[count].items()},
            calls,
            [(f, parts, weight_of(call)) for call, f, parts, _ in together],
            range(count),
        )


def weight_of(call: LossCall) -> Tensor:
    """What the minimised loss multiplies the call's value by.

    Raises:
        UnsupportedError: If no backward pass went through the loss.
    """
    if call.weight is None:
        raise UnsupportedError("GaussNewton: expected a backward pass through the loss, got none.")
    return call.weight


def sum_by_sample(parts: Sequence[Tensor], count: int, axis: int) -> Tensor:
    """The sums (count,) of all that belongs to each sample."""
    if len(parts) == 1 and parts[0].shape == (count,):
        return parts[0]
    sums = [by_sample(part, count, axis).sum(1) for part in parts]
    return sums[0] if len(sums) == 1 else torch.stack(sums).sum(0)


def by_sample(x: Tensor, count: int, axis: int) -> Tensor:
    """What belongs to each sample, (count, numbers of each)."""
    if x.ndim > axis and x.shape[axis] == count:
        x = x.movedim(axis, 0)
    elif axis == 1:
        x = x.unflatten(0, (-1, count)).movedim(1, 0)  # the leading axes are folded into one
    return x.reshape(count, -1)


def places_of_samples(f: Tensor, excess: Tensor, count: int, axis: int) -> Tensor:
    """Where each sample's d numbers stand in ``f.flatten()``, (count, d)."""
    entries = torch.arange(excess.numel(), device=f.device).view(excess.shape)
    places = torch.arange(f.numel(), device=f.device).view(f.shape)
    if f.shape != excess.shape:  # classes on axis 1, or all numbers of one entry
        places = places.movedim(1, -1) if f.ndim > 1 else places
    places = places.reshape(excess.numel(), -1)
    return places[by_sample(entries, count, axis)].flatten(1)


def counts_of(shape: torch.Size, sizes: Sequence[int], axis: int) -> list[int]:
    """How many samples a loss of outputs of a shape may speak of, with calls of these sizes."""
    sizes = [n for n in dict.fromkeys(sizes) if n and shape]
    exact = [n for n in sizes if len(shape) > axis and shape[axis] == n]
    return exact or [n for n in sizes if shape[0] % n == 0]


def count_of(shape: torch.Size, sizes: Sequence[int], axis: int) -> int:
    """How many samples a loss of outputs of a shape speaks of.

    Raises:
        UnsupportedError: If that is not one of the sizes of the calls.
    """
    fitting = counts_of(shape, sizes, axis)
    if len(fitting) != 1:
        raise UnsupportedError(
            f"GaussNewton: expected a loss of the model's outputs, sample by sample; got outputs "
            f"{tuple(shape)} in the loss, from calls of the model with {list(sizes) or 'no'} "
            f"samples along axis {axis}. Name the axis with batch_axis=, or use step(closure)."
        )
    return fitting[0]


def _matching(d: Tensor, counts: Sequence[int], axis: int) -> int:
    """The samples that a layer was called with."""
    fitting = [n for n in counts if d.ndim > axis and d.shape[axis] == n]
    if len(fitting) != 1:
        raise UnsupportedError(
            f"GaussNewton: expected each layer to be called with the samples of one loss, got "
            f"{tuple(d.shape)} with losses of {list(counts)} samples in one backward pass. Use "
            "step(closure), which goes backward from each loss by itself."
        )
    return fitting[0]
