"""The damped step in the span of the samples' rows: B numbers decide what n parameters do.

With ``U`` the scaled rows (n, B) and the gradient ``U s`` in their span, the step is
``P = beta P_0 + U v``, ``(U^T U + mu I) v = s - beta U^T P_0``: damped Gauss-Newton for what the
last direction P_0 has left to do. Sources: Woodbury (1950); Goldshlager, Abrahamsen and Lin (2024),
J. Comput. Phys. 516, 113351 (momentum by projected residuals, SPRING); Levenberg (1944).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self, final

import torch
from torch import Tensor

from riemannian_modules.errors import SignatureError
from riemannian_torch.gauss_newton.number import (
    Scalar,
    at_least,
    at_most,
    exp,
    number,
    root,
    tanh,
    where_positive,
)

_LEAST, _MOST = 1e-6, 1e4  # of mu
_RATE, _WANTED = 0.2, 0.5  # how fast mu follows, and what rho it aims at
_LONGEST, _SHORTEST = 2.0, 0.7  # of strides
_MEMORY = 0.5  # of the averages in c
_TRIES = 6  # at a larger mu each, where rounding leaves the matrix indefinite


@final
@dataclass(frozen=True, slots=True, eq=False)
class StepState:
    """What one step hands to the next; a device keeps its numbers.

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
        stride: What the usual length of a step is multiplied by.
    """

    mu: Scalar
    c: Scalar = 1.0
    length: Scalar = 0.0
    size: Scalar = 0.0
    seen: Scalar = 0.0
    felt: Scalar = 0.0
    rho: Scalar = 1.0
    predicted: Scalar = 0.0
    stride: Scalar = 1.0

    def written(self) -> dict[str, Scalar]:
        """By name, for a `state_dict`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def read(cls, written: Mapping[str, Scalar]) -> Self:
        """What `written` gave, here or by a version that knew fewer of the numbers.

        Raises:
            SignatureError: For other names, for what are no numbers, or a mu that damps nothing.
        """
        known = [f.name for f in fields(cls)]
        is_read = written.keys() <= set(known) and all(
            isinstance(v, float | int | Tensor) and not isinstance(v, bool)
            for v in written.values()
        )
        if not is_read or not 0.0 < float(written.get("mu", 0.0)) < math.inf:
            raise SignatureError(
                f"GaussNewton: expected the numbers of a step ({', '.join(known)}) with a positive "
                f"mu, got {dict(written)}. Load what state_dict() gave."
            )
        return cls(**written)


def follow(state: StepState, s: Tensor, t: Tensor) -> StepState:
    """Mu and the stride moved by how well the last direction does on this fresh batch, t = U^T P_0.

    ``rho = argmin_r |s + length t - r t|``: a model that is right has rho = 1. mu falls where rho
    is above one half, and grows where it is below; by at most exp(0.2) a step.

    One batch is noise, two in a row are news. With a <= b this rho and the one before, the stride
    is ``clip(a, 1, 2) clip(2 b, 0.7, 1)``: long where both ask for more than the whole direction,
    short where both found less than half of it to be right. Where a is above 2 the direction
    itself is too short, as all are that mu decides: mu, in whose inverse they grow, falls by a / 2.
    """
    tt = number(t.dot(t))
    best = state.length + number(s.dot(t)) / where_positive(tt, tt, 1.0)
    rho = where_positive(tt, best, state.rho)
    a = where_positive(rho - state.rho, state.rho, rho)
    b = where_positive(rho - state.rho, rho, state.rho)
    stride = at_most(at_least(a, 1.0), _LONGEST) * at_most(at_least(b / _WANTED, _SHORTEST), 1.0)
    factor = exp(-_RATE * tanh(2.0 * (rho - _WANTED))) / at_least(a / _LONGEST, 1.0)
    mu = where_positive(tt, state.mu * factor, state.mu)
    mu = at_most(at_least(mu, _LEAST), _MOST)
    stride = where_positive(tt, stride, 1.0)
    return replace(state, mu=mu, rho=rho, stride=stride)


def solve(K: Tensor, mu: Scalar, right: Tensor) -> tuple[Tensor, Scalar] | None:
    """``(K + mu I)^-1 right``, O(B^3), with one synchronisation with the device.

    Args:
        K: ``U^T U``, (B, B), symmetric; written over.
        mu: Positive.
        right: (B,).

    Returns:
        The solution, and the mu that it took: a larger one where K is not positive definite to
        rounding. None where the numbers are not finite, or too large for any mu.
    """
    # A right side that is not finite makes the matrix so too, and no factor is found.
    mu = mu + 0.0 * number(right.sum())
    added: Scalar = 0.0
    for raised in (mu * 10.0**k for k in range(_TRIES)):
        K.diagonal().add_(raised - added)
        added = raised
        factor, failed = torch.linalg.cholesky_ex(K)
        if not bool(failed):
            return torch.cholesky_solve(right[:, None], factor)[:, 0], raised
    return None


def walked(
    state: StepState, s: Tensor, moved: Tensor, size: Scalar, lr: float, trust: float
) -> StepState:
    """The state after a step: how much of its direction P is walked, and what that promises.

    Args:
        state: Before the step, with the mu that it took.
        s: The gradient's coefficients, (B,).
        moved: ``U^T P``, by how much the direction moves what each row sees, (B,).
        size: ``|P|^2``.
        lr: The largest multiple of the direction, for a stride of 1.
        trust: The largest squared size of the step in the metric, for a stride of 1.
    """
    size = at_least(size, 0.0)
    seen = number(moved.dot(moved))
    length = state.stride * at_most(root(trust / at_least(seen + state.mu * size, 1e-30)), lr)
    predicted = length * number(s.dot(moved)) - 0.5 * length**2 * seen
    return replace(state, length=length, size=size, predicted=predicted)


def measure(state: StepState, felt: Scalar, seen: Scalar) -> StepState:
    """C moved by what a few samples' outputs did, beside what their rows predicted.

    Args:
        state: After the step.
        felt: ``sum df^T G df`` of these samples.
        seen: ``sum (length U^T P)^2 / c`` of the same: predicted without c.
    """
    felt = where_positive(state.seen, _MEMORY * state.felt + (1.0 - _MEMORY) * felt, felt)
    seen = where_positive(state.seen, _MEMORY * state.seen + (1.0 - _MEMORY) * seen, seen)
    ratio = felt / at_least(seen, 1e-30)
    # Numbers that are not finite say nothing, and neither does a step that was none.
    c = where_positive(1.0 / at_least(ratio, 1.0), at_least(ratio, 1.0), state.c)
    return replace(state, c=c, felt=felt, seen=seen)
