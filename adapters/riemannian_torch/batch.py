"""Evaluation over the points of a batch: vectorised where torch can, else one by one.

`torch.func.vmap` lacks rules for some operations (fused recurrent cells), and forward
differentiation for others (fused attention). What a model allows is found out once, when it is
wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from riemannian_torch.point_map import TensorMap

# (function of one point, which arguments have a leading axis, the arguments) -> results, stacked
Mapped: TypeAlias = Callable[[Callable[..., Tensor], Sequence[bool], Sequence[Tensor]], Tensor]


def vectorised(
    function: Callable[..., Tensor], batched: Sequence[bool], arguments: Sequence[Tensor]
) -> Tensor:
    """All points at once; where there is one only, without the transform's cost."""
    if all(len(a) == 1 for a, b in zip(arguments, batched, strict=True) if b):
        return one_by_one(function, batched, arguments)
    result: Any = vmap(function, in_dims=tuple(0 if b else None for b in batched))(*arguments)
    return result


def one_by_one(
    function: Callable[..., Tensor], batched: Sequence[bool], arguments: Sequence[Tensor]
) -> Tensor:
    """A Python loop over the points."""
    count = next(len(a) for a, b in zip(arguments, batched, strict=True) if b)
    return torch.stack([
        function(*(a[i] if b else a for a, b in zip(arguments, batched, strict=True)))
        for i in range(count)
    ])  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Rules:
    """How a model is evaluated and differentiated over a batch.

    Attributes:
        over: Maps a function over points, and over the columns at a point.
        push: Tangents of one point: ``(over, function, theta, u, t (k, m)) -> (k, q)``.
    """

    over: Mapped
    push: Callable[[Mapped, TensorMap, Tensor, Tensor, Tensor], Tensor]


def push_forward(over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, t: Tensor) -> Tensor:
    """``D t`` by forward differentiation; t (k, m), the result (k, q). Cost: k evaluations."""

    def one(column: Tensor) -> Tensor:
        result: Any = jvp(lambda v: function(theta, v), (u,), (column,))[1]
        return result

    return over(one, (True,), (t,))


def push_by_rows(over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, t: Tensor) -> Tensor:
    """``D t`` where torch has no forward rule: D from its q rows, each pulled back."""
    y = function(theta, u)
    rows = pull(over, function, theta, u, torch.eye(len(y), dtype=y.dtype, device=y.device))
    return t @ rows.T


def pull(over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, p: Tensor) -> Tensor:
    """``D^T p``; p (k, q), the result (k, m). Cost: one evaluation and k reverse ones."""
    reverse: Any = vjp(lambda v: function(theta, v), u)[1]
    return over(lambda column: reverse(column)[0], (True,), (p,))


def pull_parameters(
    over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, p: Tensor
) -> Tensor:
    """``F^T p``; p (k, q), the result (k, p). Cost: one evaluation and k reverse ones."""
    reverse: Any = vjp(lambda v: function(v, u), theta)[1]
    return over(lambda column: reverse(column)[0], (True,), (p,))


def pull_parameters_sum(
    over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, p: Tensor
) -> Tensor:
    """``F^T p`` summed over points; u (points, m), p (k, points, q), the result (k, p).

    One evaluation of all points and k reverse ones, in which torch sums as it goes.
    """
    reverse: Any = vjp(lambda v: over(lambda point: function(v, point), (True,), (u,)), theta)[1]
    pulled: list[Tensor] = [reverse(column)[0] for column in p]
    return pulled[0][None] if len(p) == 1 else torch.stack(pulled)


def push_parameters(
    over: Mapped, function: TensorMap, theta: Tensor, u: Tensor, t: Tensor
) -> Tensor:
    """``F t`` by forward differentiation; u (points, m), t (k, p), the result (k, points, q)."""

    def values(v: Tensor) -> Tensor:
        return over(lambda point: function(v, point), (True,), (u,))

    pushed: list[Any] = [jvp(values, (theta,), (column,))[1] for column in t]
    return torch.stack(pushed)


def find_rules(function: TensorMap, theta: Tensor, u: Tensor, outputs: int) -> Rules:
    """The fastest rules that this function allows, tried on two points with three columns each."""
    # Numbers that differ, for some of torch's rules take one axis for another.
    points, p = torch.stack([u, u]), u.new_zeros(2, 3, outputs)
    over: Mapped = vectorised
    try:
        _probe(vectorised, function, theta, points, p)
    except RuntimeError:
        over = one_by_one
        _probe(one_by_one, function, theta, points, p)
    try:
        over(
            lambda v, t: push_forward(over, function, theta, v, t),
            (True, True),
            (points, torch.zeros_like(torch.stack([points, points, points], dim=1))),
        )
    except RuntimeError:
        return Rules(over, push_by_rows)
    return Rules(over, push_forward)


def _probe(over: Mapped, function: TensorMap, theta: Tensor, points: Tensor, p: Tensor) -> None:
    over(lambda v: function(theta, v), (True,), (points,))
    over(lambda v, c: pull(over, function, theta, v, c), (True, True), (points, p))
    if len(theta):
        over(lambda v, c: pull_parameters(over, function, theta, v, c), (True, True), (points, p))
