"""The columns ``J_b^T S`` that all outputs of a sample give to the exact metric.

Column k takes one backward pass for all samples at once; torch vectorises them.
Source: Pehle and Slotine, arXiv:2603.03610, the factor recursion (THEORY section 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.groups import (
    Group,
    count_of,
    groups_of,
    places_of_samples,
    weight_of,
)
from riemannian_torch.gauss_newton.metric_choice import ExactMetric
from riemannian_torch.gauss_newton.mixing import rows_of_entries
from riemannian_torch.gauss_newton.recorder import LossCall, Pass, Record

_MOST = 2**28  # numbers of all cotangents: 1 GiB in float32


def column_groups(
    call: LossCall,
    record: Record,
    own: set[Tensor],
    axis: int,
    dtype: torch.dtype,
    metric: ExactMetric,
    step: int,
) -> Iterator[Group]:
    """A group for each column, of all samples; keeps torch's graph.

    Args:
        call: A loss.
        record: What led to it.
        own: The parameters whose columns are wanted.
        axis: Of the samples in the layers' inputs and outputs.
        dtype: Of the metric.
        metric: Which columns.
        step: The number of the step, for what is drawn.

    Raises:
        UnsupportedError: For outputs whose columns are too many to hold.
    """
    f, parts = call.parts()
    excess = parts.excess(f)
    count = count_of(excess.shape, [c.count(axis) for c in record.calls], axis)
    places = places_of_samples(f, excess, count, axis)
    cotangents, s = _columns(call, places, metric, step)
    found = torch.autograd.grad(
        call.outputs, [u.edge for u in record.uses], cotangents,
        retain_graph=True, allow_unused=True, is_grads_batched=True,
    )  # fmt: skip
    pairs = [(u, d) for u, d in zip(record.uses, found, strict=True) if d is not None]
    with torch.no_grad():
        for k, coefficients in enumerate(s):
            seen = Pass([call], {u: d[k] for u, d in pairs}, record.calls)
            (group,) = groups_of(seen, own, axis, dtype)
            yield replace(group, coefficients=coefficients.to(dtype))


def mixed_column_groups(
    call: LossCall,
    record: Record,
    own: set[Tensor],
    dtype: torch.dtype,
    metric: ExactMetric,
    step: int,
) -> Iterator[Group]:
    """The same of models whose samples meet, for each entry along the outputs' first axis.

    Cost: a backward pass for each column of each entry; an entry's are of all places.
    """
    f, parts = call.parts()
    places = torch.arange(f.numel(), device=f.device).view(len(f), -1)
    cotangents, s = _columns(call, places, metric, step)
    excess = (parts.excess(f) * weight_of(call)).reshape(len(f), -1).sum(1).to(dtype)
    for d, coefficients in zip(cotangents, s, strict=True):
        rows, reached = rows_of_entries(call, record.uses, own, dtype, d, keep=True)
        calls = [(c, ()) for c in record.calls if reached.intersection(c.uses)]
        losses = ((f, parts, weight_of(call)),)
        yield Group(excess, rows, calls, losses, range(len(f)), coefficients.to(dtype))


def _columns(
    call: LossCall, places: Tensor, metric: ExactMetric, step: int
) -> tuple[Tensor, Tensor]:
    """The cotangents ``S W`` (k, *outputs) of all samples' columns, and the gradient's s (k, B).

    Args:
        call: A loss.
        places: Where each sample's d outputs stand, (B, d).
        metric: Which columns.
        step: For what is drawn.
    """
    f, parts = call.parts()
    weight = weight_of(call).sqrt()
    directions, s = _directions(parts.coefficients(f).flatten()[places], metric, step)
    z = f.new_zeros(len(directions), f.numel())
    z[:, places] = directions
    cotangents = weight * parts.root(f, z.view(-1, *f.shape))
    return cotangents.reshape(-1, *call.outputs.shape).to(call.outputs.dtype), weight * s


def _directions(s: Tensor, metric: ExactMetric, step: int) -> tuple[Tensor, Tensor]:
    """The columns' directions W (k, B, d) among the outputs', and s (k, B) in terms of them."""
    count, d = s.shape
    drawn = metric.columns is not None and metric.columns < d
    k = metric.columns if drawn and metric.columns is not None else d
    _check_numbers(count, d, k)
    if not drawn:
        each = torch.eye(d, dtype=s.dtype, device=s.device)
        return each[:, None].expand(-1, count, -1), s.T
    generator = torch.Generator().manual_seed(metric.seed * 1_000_003 + step)
    noise = torch.randn(count, d, k, generator=generator, dtype=s.dtype).to(s.device)
    size = s.norm(dim=1)
    noise[..., 0] = torch.where(size[:, None] > 0, s, noise[..., 0])
    axes = torch.linalg.qr(noise)[0]  # the first along s, up to its sign
    # E[q q^T] of a random axis at right angles to s is its projection over d - 1.
    axes[..., 1:] *= math.sqrt((d - 1) / (k - 1))
    coefficients = torch.zeros_like(s[:, :k])
    coefficients[:, 0] = (axes[..., 0] * s).sum(1)
    return axes.permute(2, 0, 1), coefficients.T


def _check_numbers(samples: int, outputs: int, columns: int) -> None:
    numbers = samples * outputs * columns
    if numbers > _MOST:
        raise UnsupportedError(
            f"GaussNewton: expected few outputs for the exact metric, got {outputs:,} of each of "
            f"{samples} samples, whose {columns:,} columns are {numbers * 4 / 2**30:,.1f} GiB in "
            "float32. Take columns=2 or a few more, smaller batches, or ResidualMetric()."
        )
