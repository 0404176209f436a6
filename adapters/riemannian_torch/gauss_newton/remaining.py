"""Rows of parameters that are used in ways no reader knows: one derivative of the model a sample.

Source: Horace He and Richard Zou, torch.func (functorch), https://pytorch.org/docs/stable/func.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.joined_rows import added
from riemannian_torch.gauss_newton.recorder import ModelCall, tensors_of
from riemannian_torch.gauss_newton.rows import DenseRows, Rows


def remaining_rows(
    model: nn.Module,
    wanted: Mapping[str, Tensor],
    calls: Sequence[tuple[ModelCall, Sequence[Tensor | None]]],
    axis: int,
    dtype: torch.dtype,
) -> dict[Tensor, Rows]:
    """The rows of parameters, by a reverse derivative of the model at each sample alone.

    Args:
        model: Each sample is given to it as a batch of one.
        wanted: The parameters, by the names that the model gives them.
        calls: Of the model, with the cotangents of their outputs.
        axis: Of the samples.
        dtype: Of the rows.

    Raises:
        UnsupportedError: Where the model cannot be called so.
    """
    rows: dict[Tensor, list[Rows]] = {p: [] for p in wanted.values()}
    for call, cotangents in calls:
        try:
            found = _derivatives(model, wanted, call, cotangents, axis)
        except RuntimeError as error:
            raise UnsupportedError(
                f"GaussNewton: expected the parameters {sorted(wanted)[:4]} to be used by torch's "
                "own layers, or a model that takes one sample at a time; but torch says: "
                f"{str(error).splitlines()[0].rstrip('.')}. Freeze them, put Dropout and BatchNorm "
                "into eval mode, or write their use with torch.nn.functional.linear."
            ) from error
        for name, p in wanted.items():
            rows[p].append(DenseRows(found[name].to(dtype)))
    return {p: added(r) for p, r in rows.items()}


def _derivatives(
    model: nn.Module,
    wanted: Mapping[str, Tensor],
    call: ModelCall,
    cotangents: Sequence[Tensor | None],
    axis: int,
) -> dict[str, Tensor]:
    count = call.count(axis)
    names = {k: p.detach() for k, p in wanted.items()}
    axes = [axis if d.ndim > axis and d.shape[axis] == count else 0 for d in _given(cotangents)]
    present = [d.movedim(k, 0) for d, k in zip(_given(cotangents), axes, strict=True)]
    flat = [*call.arguments, *call.named.values()]
    has_samples = [isinstance(a, Tensor) and a.ndim > axis and a.shape[axis] == count for a in flat]
    varying = [a.detach().movedim(axis, 0) for a, h in zip(flat, has_samples, strict=True) if h]

    def at_one(arguments: list[Tensor], d: list[Tensor]) -> dict[str, Tensor]:
        rest = iter(arguments)
        all_of_them: list[Any] = [
            next(rest).unsqueeze(axis) if h else a for a, h in zip(flat, has_samples, strict=True)
        ]
        positional = tuple(all_of_them[: len(call.arguments)])
        named = dict(zip(call.named, all_of_them[len(call.arguments) :], strict=True))

        def outputs(theta: dict[str, Tensor]) -> tuple[Tensor, ...]:
            results = tensors_of(functional_call(model, theta, positional, named))
            real = [r for r in results if r.is_floating_point()]
            return tuple(r for r, c in zip(real, cotangents, strict=True) if c is not None)

        pull = vjp(outputs, names)[1]
        return pull(tuple(c.unsqueeze(k) for c, k in zip(d, axes, strict=True)))[0]

    try:
        return vmap(at_one)(varying, present)
    except RuntimeError:
        each = [at_one([v[b] for v in varying], [d[b] for d in present]) for b in range(count)]
        return {k: torch.stack([e[k] for e in each]) for k in names}


def _given(cotangents: Sequence[Tensor | None]) -> list[Tensor]:
    return [d for d in cotangents if d is not None]
