"""The explicit method of order 8 by Dormand and Prince, for many members at once.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, sections II.5
(the method) and II.6 (its interpolant).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.side_by_side import Accuracy, Flows
from riemannian_modules.integration.step import Memory, Method, Start, Step
from riemannian_modules.space import Array

STAGES = 12


class _Tableau(NamedTuple):
    A: Array  # (16, 17): the argument of each stage by z and h times the stages before
    c: Array
    E3: Array
    E5: Array
    D: Array


@cache
def _tableau() -> _Tableau:
    from scipy.integrate import DOP853

    own: Any = DOP853  # its coefficients are attributes of the class
    A = np.zeros((16, 17))
    A[:, 0] = 1.0
    A[:STAGES, 1 : 1 + STAGES], A[STAGES, 1 : 1 + STAGES] = own.A, own.B
    A[STAGES + 1 :, 1:] = own.A_EXTRA
    return _Tableau(A, np.concatenate([own.C, [1.0], own.C_EXTRA]), own.E3, own.E5, own.D)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _ExplicitStep(Step):
    flows: Flows
    start: Start
    end: Array
    error: Array
    memory: Memory
    moves: Array  # z, then h times the slopes of 13 stages, (14, M, n, 1 + k)

    @override
    def between(self, members: Any, share: Array) -> Array:
        W = np.concatenate([self.moves, np.empty((3, *self.end.shape))])
        for i in range(STAGES + 1, 16):
            _evaluate(self.flows, self.start, W, i)
        moved, first, last = self.end - self.start.z, W[1], W[1 + STAGES]
        parts = [moved, first - moved, 2.0 * moved - last - first]
        parts += list(np.tensordot(_tableau().D, W[1:], 1))
        s = share[:, None, None]
        z = np.zeros((len(share), *moved.shape[1:]))
        for i, part in enumerate(reversed(parts)):
            z = (z + part[members]) * (s if i % 2 == 0 else 1.0 - s)
        return self.start.z[members] + z


def _evaluate(flows: Flows, start: Start, W: Array, i: int) -> tuple[Array, Array]:
    """The argument of stage i and the rate there, which is put into W times the step size."""
    flat = W[: i + 1].reshape(i + 1, -1)
    z = (_tableau().A[i, : i + 1] @ flat).reshape(start.z.shape)
    rate = flows.rate(start.t + _tableau().c[i] * start.h, z)
    np.multiply(rate, start.h_of_z, out=W[i + 1])
    return z, rate


@final
class DormandPrince(Method):
    """Order 8, twelve evaluations a step; for flows that are not stiff."""

    @override
    def memory(self, flows: Flows, t: Array, z: Array) -> Memory:
        return (flows.rate(t, z),)

    @override
    def step(self, flows: Flows, start: Start, memory: Memory, accuracy: Accuracy) -> Step:
        W = np.empty((2 + STAGES, *start.z.shape))
        W[0], W[1] = start.z, start.h_of_z * memory[0]
        end, rate = start.z, memory[0]
        for i in range(1, STAGES + 1):  # the last argument is the step's end
            end, rate = _evaluate(flows, start, W, i)
        allowed = accuracy.allowed(start.z, end, start.largest)
        allowed += start.h_of_z * np.abs(start.noise)
        return _ExplicitStep(flows, start, end, _error(W[1:], allowed), (rate,), W)


def _error(moves: Array, allowed: Array) -> Array:
    """The error of order 5, corrected by that of order 3, as a share of ``allowed``, (M,)."""
    weights = np.stack([_tableau().E5, _tableau().E3])
    shares = (weights @ moves.reshape(len(moves), -1)).reshape(2, *allowed.shape) / allowed
    fifth, third = np.einsum("emnc,emnc->emc", shares, shares)
    both = np.sqrt(allowed.shape[1] * (fifth + 0.01 * third))
    return np.divide(fifth, both, out=np.zeros_like(both), where=both != 0.0).max(-1)
