"""Models in which samples meet: each output depends on the inputs of others, as in a graph network.

A row is then the derivative of one sample's part of the loss through all places of every layer, and
takes a backward pass of its own; torch vectorises them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from riemannian_torch.gauss_newton.groups import Group, places_of_samples, weight_of
from riemannian_torch.gauss_newton.joined_rows import added
from riemannian_torch.gauss_newton.recorder import LossCall
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.uses import Samples
from riemannian_torch.gauss_newton.watch import Use


def samples_meet(call: LossCall, uses: Sequence[Use], count: int, axis: int) -> bool:
    """Whether the first sample's outputs depend on other samples' places in any layer.

    Cost: one backward pass, which keeps the graph.
    """
    (d,) = torch.autograd.grad(call.value, call.outputs, retain_graph=True)
    f, parts = call.parts()
    place = places_of_samples(f, parts.excess(f), count, axis)[0]
    first = torch.zeros_like(d).flatten()
    first[place] = d.flatten()[place]
    found = torch.autograd.grad(
        call.outputs,
        [u.edge for u in uses],
        first.view(d.shape),
        retain_graph=True,
        allow_unused=True,
    )
    for use in uses:
        use.cotangents.clear()  # of this look alone, which is no pass of the loop's
    return any(
        _is_elsewhere(g, Samples(count, axis if use.axis is None else use.axis, g.dtype))
        for use, g in zip(uses, found, strict=True)
        if g is not None
    )


def _is_elsewhere(g: Tensor, samples: Samples) -> bool:
    """Whether cotangents reach other places than the first sample's."""
    leading = g.ndim if samples.axis == 0 else g.ndim - 1
    if g.ndim == 0 or g.shape[min(samples.axis, leading - 1)] % samples.count:
        return False  # the rows say so, with the mend
    return bool(samples.first(g, leading).reshape(samples.count, -1)[1:].count_nonzero())


def mixed_group(
    call: LossCall, uses: Sequence[Use], own: set[Tensor], dtype: torch.dtype, *, keep: bool
) -> Group:
    """The rows of each entry along the first axis of what the loss was given.

    Cost: as many backward passes as there are entries, in one vectorised call.
    """
    f, parts = call.parts()
    excess = (parts.excess(f) * weight_of(call)).reshape(len(f), -1).sum(1).to(dtype)
    (d,) = torch.autograd.grad(call.value, call.outputs, weight_of(call), retain_graph=True)
    rows, _ = rows_of_entries(call, uses, own, dtype, d, keep=keep)
    return Group(excess, rows, (), ((f, parts, weight_of(call)),), range(len(f)))


def rows_of_entries(
    call: LossCall,
    uses: Sequence[Use],
    own: set[Tensor],
    dtype: torch.dtype,
    d: Tensor,
    *,
    keep: bool,
) -> tuple[dict[Tensor, Rows], set[Use]]:
    """The rows of each entry along the first axis, for cotangents d of the outputs.

    Returns:
        The rows of each parameter, and the uses that they come from.
    """
    each = torch.zeros(len(d), *d.shape, dtype=d.dtype, device=d.device)
    index = torch.arange(len(d), device=d.device)
    each[index, index] = d
    found = torch.autograd.grad(
        call.outputs, [u.edge for u in uses], each,
        retain_graph=keep, allow_unused=True, is_grads_batched=True,
    )  # fmt: skip
    rows: dict[Tensor, list[Rows]] = {}
    samples = Samples(len(d), 0, dtype)
    reached = {u: c for u, c in zip(uses, found, strict=True) if c is not None}
    for use, cotangents in reached.items():
        for parameter, given in use.rows(samples, cotangents.flatten(0, 1), len(d)):
            if parameter in own and parameter.requires_grad:
                rows.setdefault(parameter, []).append(given)
    return {p: added(r) for p, r in rows.items()}, set(reached)
