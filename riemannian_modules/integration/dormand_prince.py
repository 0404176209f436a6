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
    A: Array  # (15, 15), the last three rows for the interpolant; row 12 is b
    c: Array
    E3: Array
    E5: Array
    D: Array


@cache
def _tableau() -> _Tableau:
    from scipy.integrate import DOP853

    own: Any = DOP853  # its coefficients are attributes of the class
    A = np.zeros((16, 16))
    A[:STAGES, :STAGES], A[STAGES, :STAGES], A[STAGES + 1 :] = own.A, own.B, own.A_EXTRA
    return _Tableau(A, np.concatenate([own.C, [1.0], own.C_EXTRA]), own.E3, own.E5, own.D)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _ExplicitStep(Step):
    flows: Flows
    start: Start
    end: Array
    error: Array
    memory: Memory
    slopes: Array  # (16, M, n, 1 + k), of which the last three are for the interpolant

    @override
    def between(self, members: Any, share: Array) -> Array:
        K, h = self.slopes, self.start.h_of_z
        for i in range(STAGES + 1, 16):
            K[i] = _slope(self.flows, self.start, K, i)
        moved = self.end - self.start.z
        F = [moved, h * K[0] - moved, 2.0 * moved - h * (K[STAGES] + K[0])]
        F += list(h * np.tensordot(_tableau().D, K, 1))
        s = share[:, None, None]
        z = np.zeros((len(share), *moved.shape[1:]))
        for i, f in enumerate(reversed(F)):
            z = (z + f[members]) * (s if i % 2 == 0 else 1.0 - s)
        return self.start.z[members] + z


def _argument(start: Start, K: Array, i: int) -> Array:
    """The point of stage i, by the slopes before."""
    moved = _tableau().A[i, :i] @ K[:i].reshape(i, -1)
    return start.z + start.h_of_z * moved.reshape(start.z.shape)


def _slope(flows: Flows, start: Start, K: Array, i: int) -> Array:
    return flows.rate(start.t + _tableau().c[i] * start.h, _argument(start, K, i))


@final
class DormandPrince(Method):
    """Order 8, twelve evaluations a step; for flows that are not stiff."""

    @override
    def memory(self, flows: Flows, t: Array, z: Array) -> Memory:
        return (flows.rate(t, z),)

    @override
    def step(self, flows: Flows, start: Start, memory: Memory, accuracy: Accuracy) -> Step:
        K = np.empty((16, *start.z.shape))
        K[0] = memory[0]
        for i in range(1, STAGES):
            K[i] = _slope(flows, start, K, i)
        end = _argument(start, K, STAGES)
        K[STAGES] = flows.rate(start.t + start.h, end)
        allowed = accuracy.allowed(start.z, end, start.largest)
        allowed += start.h_of_z * np.abs(start.noise)
        error = start.h * _error(K[: STAGES + 1], allowed)
        return _ExplicitStep(flows, start, end, error, (K[STAGES],), K)


def _error(K: Array, allowed: Array) -> Array:
    """The error by a unit of time, (M,): that of order 5, corrected by that of order 3."""
    flat, n = K.reshape(len(K), -1), allowed.shape[1]
    fifth, third = (
        np.sum(((E @ flat).reshape(allowed.shape) / allowed) ** 2, axis=1)
        for E in (_tableau().E5, _tableau().E3)
    )
    both = np.sqrt(n * (fifth + 0.01 * third))
    return np.divide(fifth, both, out=np.zeros_like(both), where=both != 0.0).max(-1)
