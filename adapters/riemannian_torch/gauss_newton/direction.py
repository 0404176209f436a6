"""The direction that B samples give to n parameters: all at once, or block after block.

``P = beta P_0 + U v``, ``(U^T U + mu I) v = s - beta U^T P_0``. Where B is large, one sweep of
Gauss and Seidel's over blocks of samples takes the place of the solution: each block solves for
what the ones before it have left. Source: Golub and Van Loan (2013), section 11.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from riemannian_torch.gauss_newton.damped_step import StepState, follow, solve
from riemannian_torch.gauss_newton.number import (
    Scalar,
    at_least,
    at_most,
    number,
    where_positive,
)
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
        solutions: v of each system, (B,).
    """

    parts: dict[Tensor, Tensor]
    moved: Tensor
    size: Scalar
    state: StepState
    solutions: tuple[Tensor, ...]


def direction(
    systems: Sequence[Mapping[Tensor, Rows]],
    state: StepState,
    scale: Tensor,
    s: Tensor,
    pull: Tensor,
    last: Mapping[Tensor, Tensor],
    momentum: float,
    block: int,
) -> Direction | None:
    """The damped direction; None where numbers are not finite.

    Args:
        systems: The rows of each parameter, in one mapping where all are solved for together, as
            blocks ask for; ``U_b = scale_b row_b``.
        state: After the last step.
        scale: (B,).
        s: Coefficients of the gradient, (B,).
        pull: The same, times what the training loop has multiplied its gradients by.
        last: P_0 of the parameters that have one; written over where a direction is found.
        momentum: beta.
        block: How many samples are solved for at a time.
    """
    seen = [_along(rows, last, scale) for rows in systems]
    t = seen[0] if len(seen) == 1 else torch.stack(seen).sum(0)
    state = follow(state, s, t)
    if block < len(s):
        (rows,) = systems
        return _swept(rows, state, scale, pull, last, momentum, block)
    moved, size, taken = momentum * t, momentum**2 * state.size, state.mu
    solutions: list[Tensor] = []
    for rows, own in zip(systems, seen, strict=True):
        right = pull - momentum * own
        solved = solve(gram(rows, scale), state.mu, right)
        if solved is None:
            return None
        v, mu = solved
        Kv = right - mu * v
        moved, size = moved + Kv, size + number(v @ (Kv + 2.0 * momentum * own))
        taken = where_positive(mu - taken, mu, taken)
        solutions.append(v)
    parts: dict[Tensor, Tensor] = {}
    for rows, v in zip(systems, solutions, strict=True):
        weights = v * scale
        for p, r in rows.items():
            parts[p] = last[p] if p in last else torch.zeros_like(p, dtype=s.dtype)
            r.combine(weights, parts[p], momentum)
    found = Direction(parts, moved, size, replace(state, mu=taken), tuple(solutions))
    return found if len(systems) == 1 else _not_too_far(found, pull)


def _not_too_far(found: Direction, s: Tensor) -> Direction:
    """Layers that each do all the work do it several times: at most the best multiple is kept."""
    square = found.moved @ found.moved + found.state.mu * found.size
    share = at_most(at_least(number((s @ found.moved) / square.clamp_min(1e-30)), 0.0), 1.0)
    for part in found.parts.values():
        part.mul_(share)
    return replace(
        found, moved=share * found.moved, size=share**2 * found.size,
        solutions=tuple(share * v for v in found.solutions),
    )  # fmt: skip


def _swept(
    rows: Mapping[Tensor, Rows],
    state: StepState,
    scale: Tensor,
    pull: Tensor,
    last: Mapping[Tensor, Tensor],
    momentum: float,
    block: int,
) -> Direction | None:
    """One sweep over the blocks, each of which solves for what is left before it."""
    parts = {
        p: momentum * last[p] if p in last else torch.zeros_like(p, dtype=scale.dtype) for p in rows
    }
    mu, solutions = state.mu, list[Tensor]()
    for start in range(0, len(scale), block):
        here = slice(start, start + block)
        own = {p: r.part(here) for p, r in rows.items()}
        left = pull[here] - _along(own, parts, scale[here])
        solved = solve(gram(own, scale[here]), mu, left)
        if solved is None:
            return None
        v, mu = solved
        solutions.append(v)
        weights = v * scale[here]
        for p, r in own.items():
            r.combine(weights, parts[p], 1.0)
    size = number(torch.stack([r.size(parts[p]) for p, r in rows.items()]).sum())
    moved = _along(rows, parts, scale)
    return Direction(parts, moved, size, replace(state, mu=mu), (torch.cat(solutions),))


def gram(rows: Mapping[Tensor, Rows], scale: Tensor) -> Tensor:
    """``U^T U``, (B, B)."""
    products = scale.new_zeros(len(scale), len(scale))
    for r in rows.values():
        r.add_gram(products)
    return products.mul_(scale[:, None]).mul_(scale)


def _along(rows: Mapping[Tensor, Rows], parts: Mapping[Tensor, Tensor], scale: Tensor) -> Tensor:
    """``U^T P``, (B,)."""
    t = torch.zeros_like(scale)
    for p, r in rows.items():
        if p in parts:
            r.add_along(parts[p], t)
    return t.mul_(scale)
