"""The explicit method of order 8 by Dormand and Prince, for many members at once.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, sections II.5
(the method) and II.6 (its interpolant); volume II, section IV.2 (the test of stiffness).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.side_by_side import TINY, Accuracy, Rates
from riemannian_modules.integration.step import Memory, Method, Start, TriedStep
from riemannian_modules.spaces import Array

STAGES = 12
STABLE = 6.1  # how far the region of stability reaches on the negative axis


class _Tableau(NamedTuple):
    A: tuple[Array, ...]  # of stage i, (i + 1,): its argument by z and h times the slopes before
    c: tuple[float, ...]
    E: Array  # the errors of orders 5 and 3, (2, 13)
    D: Array


@cache
def _tableau() -> _Tableau:
    from scipy.integrate import DOP853

    own: Any = DOP853  # its coefficients are attributes of the class
    rows = [*(own.A[i, :i] for i in range(STAGES)), own.B]
    rows += [row[:i] for i, row in enumerate(own.A_EXTRA, STAGES + 1)]
    A = tuple(np.concatenate([[1.0], row]) for row in rows)
    return _Tableau(A, (*own.C, 1.0, *own.C_EXTRA), np.stack([own.E5, own.E3]), own.D)


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExplicitStep(TriedStep):
    """A step with z, then h times the slopes of 13 stages, ``moves`` (14, n, 1 + k, M).

    They are overwritten by the next step. ``argument`` is that of the last stage but one.
    """

    flows: Rates
    start: Start
    end: Array
    error: Array
    memory: Memory
    moves: Array
    argument: Array

    @override
    def between(self, members: Any, share: Array) -> Array:
        some, place = np.unique(members, return_inverse=True)
        flows, start, tab = self.flows.only(some), self.start.only(some), _tableau()
        W = np.concatenate([self.moves.take(some, -1), np.empty((3, *start.z.shape))])
        moves = W.reshape(len(W), -1)
        for i in range(STAGES + 1, STAGES + 4):
            z = _argument(tab.A[i], moves, start.z)
            flows.write_move(start.t, tab.c[i], start.h, z, W[i + 1])
        moved, first, last = self.end.take(some, -1) - start.z, W[1], W[1 + STAGES]
        higher = tab.D.dot(moves[1:]).reshape(-1, *moved.shape)
        parts = np.concatenate([[moved, first - moved, 2.0 * moved - last - first], higher])
        z = np.zeros((*moved.shape[:-1], len(share)))
        for i, part in enumerate(reversed(parts.take(place, -1))):
            z += part
            z *= share if i % 2 == 0 else 1.0 - share
        return z + start.z.take(place, -1)

    @property
    def reach(self) -> Array:
        """Its size times the largest eigenvalue that its end shows, by `STABLE`, (M,)."""
        size = np.where(self.start.largest > 0.0, self.start.largest, 1.0)[:, 0]
        moved, turned = (
            np.square(change[:, 0] / size).sum(0)
            for change in (self.end - self.argument, self.moves[-1] - self.moves[-2])
        )
        return np.sqrt(np.divide(turned, moved, out=np.zeros_like(moved), where=moved > 0)) / STABLE


def _argument(row: Array, moves: Array, z: Array) -> Array:
    """A stage's argument, shaped as z, by its row of the tableau and the moves (14, entries)."""
    return row.dot(moves[: len(row)]).reshape(z.shape)


@final
class DormandPrince(Method[Rates]):
    """Order 8, twelve evaluations a step; for flows that are not stiff."""

    def __init__(self) -> None:
        self._moves = np.empty((2 + STAGES, 0, 0, 0))  # of each step, in the same place

    @override
    def memory(self, flows: Rates, t: Array, z: Array) -> Memory:
        rate = np.empty_like(z)
        flows.write_rate(t, 0.0, t, z, rate)
        return (rate,)

    @override
    def step(self, flows: Rates, start: Start, memory: Memory, accuracy: Accuracy) -> TriedStep:
        if self._moves.shape[1:] != start.z.shape:
            self._moves = np.empty((2 + STAGES, *start.z.shape))
        W, h, A, c = self._moves, start.h, _tableau().A, _tableau().c
        moves = W.reshape(len(W), -1)
        W[0] = argument = start.z
        np.multiply(memory[0], h, out=W[1])
        for i in range(1, STAGES):
            argument = _argument(A[i], moves, start.z)
            flows.write_move(start.t, c[i], h, argument, W[i + 1])
        end, rate = _argument(A[STAGES], moves, start.z), np.empty_like(start.z)
        flows.write_rate(start.t, 1.0, h, end, rate)
        np.multiply(rate, h, out=W[-1])
        allowed = accuracy.allowed(start.z, end, start.largest)
        if start.noise.any():
            allowed += h * np.abs(start.noise)
        return ExplicitStep(flows, start, end, _error(W[1:], allowed), (rate,), W, argument)


def _error(moves: Array, allowed: Array) -> Array:
    """The error of order 5, corrected by that of order 3, as a share of ``allowed``, (M,)."""
    flat, shares = moves.reshape(len(moves), -1), np.empty((2, *allowed.shape))
    for row, share in zip(_tableau().E, shares.reshape(2, -1), strict=True):
        row.dot(flat, out=share)  # BLAS's product of a matrix of two rows takes half as long again
    shares /= allowed
    fifth, third = np.square(shares, out=shares).sum(1)
    return (fifth / np.sqrt(len(allowed) * (fifth + 0.01 * third) + TINY)).max(0)
