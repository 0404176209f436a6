"""The damped step in the span of the samples' rows: B numbers decide what n parameters do.

With ``U`` the scaled rows (n, B) and the gradient ``U s`` in their span, the step is
``P = beta P_0 + U v``, ``(U^T U + mu I) v = s - beta U^T P_0``: damped Gauss-Newton for what the
last direction P_0 has left to do. Sources: Woodbury (1950); Goldshlager, Abrahamsen and Lin (2024),
J. Comput. Phys. 516, 113351 (momentum by projected residuals, SPRING); Levenberg (1944).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self, final

import torch
from torch import Tensor

_LEAST, _MOST = 1e-6, 1e4  # of mu
_RATE, _WANTED = 0.2, 0.5  # how fast mu follows, and what rho it aims at
_MEMORY = 0.5  # of the averages in c
_TRIES = 6  # at a larger mu each, where rounding leaves the matrix indefinite


@final
@dataclass(frozen=True, slots=True, eq=False)
class StepState:
    """What one step hands to the next; numbers stay on the device, as tensors without axes.

    Attributes:
        mu: The mass scale (damping).
        c: How much more the outputs move than the rows alone can see; at least 1.
        length: How much of the last direction was walked.
        size: ``|P|^2`` of the last direction, weighted by nothing.
        seen: Running sum of squared output changes that the rows predicted.
        felt: The same as measured.
        rho: The best multiple of the last direction on the present batch; 1 where the model was
            exact.
        predicted: The decrease of the loss that the last step promised.
    """

    mu: Tensor
    c: Tensor
    length: Tensor
    size: Tensor
    seen: Tensor
    felt: Tensor
    rho: Tensor
    predicted: Tensor

    @classmethod
    def fresh(cls, mu: float, like: Tensor) -> Self:
        """Before the first step: nothing walked, nothing measured."""
        zero = like.new_zeros(())
        values = {f.name: zero.clone() for f in fields(cls)}
        return cls(**(values | {"mu": zero + mu, "c": zero + 1.0, "rho": zero + 1.0}))

    def written(self) -> dict[str, Tensor]:
        """By name, for a `state_dict`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def read(cls, written: Mapping[str, Tensor]) -> Self:
        """What `written` gave."""
        return cls(**written)


def follow(state: StepState, s: Tensor, t: Tensor) -> StepState:
    """Mu moved by how well the last direction does on this fresh batch, t = U^T P_0.

    ``rho = argmin_r |s + length t - r t|``: a model that is right has rho = 1. mu falls where rho
    is above one half, and grows where it is below; by at most exp(0.2) a step.
    """
    tt = t @ t
    known = tt > 0
    rho = torch.where(known, state.length + (s @ t) / torch.where(known, tt, 1.0), state.rho)
    factor = torch.exp(-_RATE * torch.tanh(2.0 * (rho - _WANTED)))
    mu = torch.where(known, state.mu * factor, state.mu).clamp(_LEAST, _MOST)
    return replace(state, mu=mu, rho=rho)


def solve(K: Tensor, mu: Tensor, right: Tensor) -> tuple[Tensor, Tensor] | None:
    """``(K + mu I)^-1 right``, O(B^3), with one synchronisation with the device.

    Args:
        K: ``U^T U``, (B, B), symmetric.
        mu: Positive.
        right: (B,).

    Returns:
        The solution, and the mu that it took: a larger one where K is not positive definite to
        rounding. None where the numbers are not finite, or too large for any mu.
    """
    for raised in (mu * 10.0**k for k in range(_TRIES)):
        damped = K.diagonal_scatter(K.diagonal() + raised)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if not bool(failed):
            return torch.cholesky_solve(right[:, None], factor)[:, 0], raised
    return None


def walked(
    state: StepState, s: Tensor, moved: Tensor, size: Tensor, lr: float, trust: float
) -> StepState:
    """The state after a step: how much of its direction P is walked, and what that promises.

    Args:
        state: Before the step, with the mu that it took.
        s: The gradient's coefficients, (B,).
        moved: ``U^T P``, by how much the direction moves what each row sees, (B,).
        size: ``|P|^2``.
        lr: The largest multiple of the direction.
        trust: The largest squared size of the step in the metric.
    """
    size = size.clamp_min(0.0)
    in_metric = moved @ moved + state.mu * size
    length = torch.sqrt(trust / in_metric.clamp_min(1e-30)).clamp_max(lr)
    predicted = length * (s @ moved) - 0.5 * length**2 * (moved @ moved)
    return replace(state, length=length, size=size, predicted=predicted)


def measure(state: StepState, felt: Tensor, seen: Tensor) -> StepState:
    """C moved by what a few samples' outputs did, beside what their rows predicted.

    Args:
        state: After the step.
        felt: ``sum df^T G df`` of these samples.
        seen: ``sum (length U^T P)^2 / c`` of the same: predicted without c.
    """
    is_first = state.seen == 0
    felt = torch.where(is_first, felt, _MEMORY * state.felt + (1.0 - _MEMORY) * felt)
    seen = torch.where(is_first, seen, _MEMORY * state.seen + (1.0 - _MEMORY) * seen)
    ratio = felt / seen.clamp_min(1e-30)
    c = torch.where(torch.isfinite(ratio), ratio.clamp_min(1.0), state.c)
    return replace(state, c=c, felt=felt, seen=seen)
