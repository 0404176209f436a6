"""The direction that B samples give to n parameters: all at once, or block after block.

``P = beta P_0 + U v``, ``(U^T U + mu I) v = s - beta U^T P_0``. Where B is large, one sweep of
Gauss and Seidel's over blocks of samples takes the place of the solution: each block solves for
what the ones before it have left. Source: Golub and Van Loan (2013), section 11.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from riemannian_torch.gauss_newton.damped_step import StepState, follow, solve
from riemannian_torch.gauss_newton.number import Number, number
from riemannian_torch.gauss_newton.rows import Rows


@final
@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A direction of all parameters.

    Attributes:
        parts: P of each parameter.
        moved: ``U^T P``, (B,).
        size: ``|P|^2``.
        state: With mu as it was adapted.
    """

    parts: dict[Tensor, Tensor]
    moved: Tensor
    size: Number
    state: StepState


def direction(
    rows: Mapping[Tensor, Rows],
    state: StepState,
    s: Tensor,
    pull: Tensor,
    last: Mapping[Tensor, Tensor],
    momentum: float,
    block: int,
) -> Direction | None:
    """The damped direction; None where numbers are not finite.

    Args:
        rows: Of each parameter; ``U_b = row_b / s_b``.
        state: After the last step.
        s: Coefficients of the gradient, (B,).
        pull: The same, times what the training loop has multiplied its gradients by.
        last: P_0 of the parameters that have one; written over where a direction is found.
        momentum: beta.
        block: How many samples are solved for at a time.
    """
    t = _along(rows, last, s)
    state = follow(state, s, t)
    if block < len(s):
        return _swept(rows, state, s, pull, last, momentum, block)
    right = pull - momentum * t
    solved = solve(_gram(rows, s), state.mu, right)
    if solved is None:
        return None
    v, mu = solved
    Kv = right - mu * v
    size = momentum**2 * state.size + number(v @ (Kv + 2.0 * momentum * t))
    parts = {
        p: last[p].mul_(momentum) if p in last else torch.zeros_like(p, dtype=s.dtype) for p in rows
    }
    for p, r in rows.items():
        parts[p] += r.combined(v / s)
    return Direction(parts, Kv + momentum * t, size, replace(state, mu=mu))


def _swept(
    rows: Mapping[Tensor, Rows],
    state: StepState,
    s: Tensor,
    pull: Tensor,
    last: Mapping[Tensor, Tensor],
    momentum: float,
    block: int,
) -> Direction | None:
    """One sweep over the blocks, each of which solves for what is left before it."""
    parts = {
        p: momentum * last[p] if p in last else torch.zeros_like(p, dtype=s.dtype) for p in rows
    }
    mu = state.mu
    for start in range(0, len(s), block):
        here = slice(start, start + block)
        own = {p: r.part(here) for p, r in rows.items()}
        left = pull[here] - _along(own, parts, s[here])
        solved = solve(_gram(own, s[here]), mu, left)
        if solved is None:
            return None
        v, mu = solved
        for p, r in own.items():
            parts[p] += r.combined(v / s[here])
    size = number(torch.stack([part.square().sum() for part in parts.values()]).sum())
    return Direction(parts, _along(rows, parts, s), size, replace(state, mu=mu))


def _gram(rows: Mapping[Tensor, Rows], s: Tensor) -> Tensor:
    """``U^T U``, (B, B)."""
    products = s.new_zeros(len(s), len(s))
    for r in rows.values():
        products += r.gram()
    return products.div_(s[:, None]).div_(s)


def _along(rows: Mapping[Tensor, Rows], parts: Mapping[Tensor, Tensor], s: Tensor) -> Tensor:
    """``U^T P``, (B,)."""
    t = torch.zeros_like(s)
    for p, r in rows.items():
        if p in parts:
            t += r.along(parts[p])
    return t / s
