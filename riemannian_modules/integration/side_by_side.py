"""Flows side by side: several members of a batch, each at its own time and with its own steps.

An array ``z`` (members, n, 1 + k) holds each member's state in column 0 and its sensitivities in k
directions, ``S' = A S + E``, in the others; k = 0 where only the state is wanted.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from riemannian_modules.space import Array


class Flows(abc.ABC):
    """``dx/dt = f(t, x)`` for each of M members, at s points of each in one call."""

    @abc.abstractmethod
    def velocity(self, t: Array, x: Array) -> Array:
        """``f`` (M, s, n) at times (M, s) and states (M, s, n)."""

    @abc.abstractmethod
    def differential(self, t: Array, x: Array) -> tuple[Array, Array]:
        """``A = df/dx`` (M, s, n, n), and f's derivatives E in the directions, (M, s, n, k)."""

    @abc.abstractmethod
    def only(self, kept: Any) -> Self:
        """Those members alone whose indices are ``kept``."""

    def rate(self, t: Array, z: Array) -> Array:
        """``dz/dt``, shaped as z, at one time (M,) of each member."""
        x, t = z[:, None, :, 0], t[:, None]
        v = self.velocity(t, x)[:, 0]
        if z.shape[-1] == 1:
            return v[..., None]
        A, E = self.differential(t, x)
        return rate_by(v, A[:, 0], E[:, 0], z)


def rate_by(v: Array, A: Array, E: Array, z: Array) -> Array:
    """``dz/dt`` from the velocity (M, n), A (M, n, n) and E (M, n, k) at z."""
    return np.concatenate([v[..., None], A @ z[..., 1:] + E], axis=-1)


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """What local error is allowed in each state and each sensitivity.

    It has no unit: a flow in other units takes the same steps.

    Attributes:
        relative: As a share of its value.
        absolute: Besides, as a share of the largest value that it has had on the way; of a
            sensitivity no less than a hundredth of ``relative``.
    """

    relative: float
    absolute: float

    def allowed(self, start: Array, end: Array, largest: Array) -> Array:
        """The error that a step from ``start`` to ``end`` may make, entry by entry."""
        size, end = np.abs(start), np.abs(end)
        allowed = self.relative * np.maximum(size, end)
        besides = np.full(start.shape[-1], max(self.absolute, 0.01 * self.relative))
        besides[0] = self.absolute
        allowed += besides * np.maximum(largest, end)
        return allowed + TINY  # an entry that stays at zero has no error


TINY = 1e-300


def norm(error: Array, allowed: Array) -> Array:
    """Each member's largest error of a column of z, root mean squares over the states, (M,)."""
    share = error / allowed
    return np.sqrt(np.einsum("mnc,mnc->mc", share, share).max(-1) / error.shape[1])
