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
from riemannian_torch.gauss_newton.system import DualSystem


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
    built = [DualSystem(rows, scale) for rows in systems]
    seen = [system.along(last) for system in built]
    t = seen[0] if len(seen) == 1 else torch.stack(seen).sum(0)
    state = follow(state, s, t)
    if block < len(s):
        (system,) = built
        return _swept(system, state, pull, last, momentum, block)
    moved, size, taken = momentum * t, momentum**2 * state.size, state.mu
    solutions: list[Tensor] = []
    for system, own in zip(built, seen, strict=True):
        right = torch.sub(pull, own, alpha=momentum)
        solved = solve(system.gram(), state.mu, right)
        if solved is None:
            return None
        v, mu = solved
        Kv = right - mu * v
        moved, size = moved + Kv, size + number(v.dot(Kv.add(own, alpha=2.0 * momentum)))
        taken = where_positive(mu - taken, mu, taken)
        solutions.append(v)
    parts: dict[Tensor, Tensor] = {}
    for system, v in zip(built, solutions, strict=True):
        for p in system.rows:
            own = last.get(p)
            parts[p] = torch.zeros_like(p, dtype=s.dtype) if own is None else own
        system.combine(v, parts, momentum)
    if taken is not state.mu:
        state = replace(state, mu=taken)
    found = Direction(parts, moved, size, state, tuple(solutions))
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
    system: DualSystem,
    state: StepState,
    pull: Tensor,
    last: Mapping[Tensor, Tensor],
    momentum: float,
    block: int,
) -> Direction | None:
    """One sweep over the blocks, each of which solves for what is left before it."""
    rows, dtype = system.rows, pull.dtype
    parts = {p: momentum * last[p] if p in last else torch.zeros_like(p, dtype=dtype) for p in rows}
    mu, solutions = state.mu, list[Tensor]()
    for start in range(0, len(pull), block):
        here = slice(start, start + block)
        own = system.part(here)
        left = pull[here] - own.along(parts)
        solved = solve(own.gram(), mu, left)
        if solved is None:
            return None
        v, mu = solved
        solutions.append(v)
        own.combine(v, parts, 1.0)
    size = number(torch.stack([r.size(parts[p]) for p, r in rows.items()]).sum())
    moved = system.along(parts)
    return Direction(parts, moved, size, replace(state, mu=mu), (torch.cat(solutions),))
