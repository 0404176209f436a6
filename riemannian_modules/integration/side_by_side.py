"""Flows side by side: several members of a batch, each at its own time and with its own steps.

An array ``z`` (n, 1 + k, members) holds each member's state in column 0 and its sensitivities in k
directions, ``S' = A S + E``, in the others; k = 0 where only the state is wanted. The members come
last, for then each operation runs along them; methods that solve a matrix for each put them first.
Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.spaces import Array


class Rates(abc.ABC):
    """``dz/dt`` for each of M members: all that an explicit method asks for."""

    @abc.abstractmethod
    def write_rate(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        """Write ``dz/dt``, shaped as z, into ``out``.

        Args:
            t: Times (M,), to which
            c: so many
            h: step sizes (M,) are to be added, by those alone that need the time.
            z: States and sensitivities (n, 1 + k, M).
            out: Where to.
        """

    def write_move(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        """Write ``h dz/dt`` into ``out``, arguments as those of `write_rate`."""
        self.write_rate(t, c, h, z, out)
        out *= h

    @abc.abstractmethod
    def only(self, kept: Any) -> Self:
        """Those members alone whose indices are ``kept``."""


class Flows(Rates):
    """``dx/dt = f(t, x)`` for each of M members, at s points of each in one call."""

    @abc.abstractmethod
    def velocity(self, t: Array, x: Array) -> Array:
        """``f`` (M, s, n) at times (M, s) and states (M, s, n)."""

    @abc.abstractmethod
    def differential(self, t: Array, x: Array) -> tuple[Array, Array]:
        """``A = df/dx`` (M, s, n, n), and f's derivatives E in the directions, (M, s, n, k)."""

    @override
    def write_rate(self, t: Array, c: float, h: Array, z: Array, out: Array) -> None:
        out[:] = last(self.rate(t + c * h, first(z)))

    def rate(self, t: Array, z: Array) -> Array:
        """``dz/dt``, shaped as z (M, n, 1 + k), at one time (M,) of each member."""
        x, t = z[:, None, :, 0], t[:, None]
        v = self.velocity(t, x)[:, 0]
        if z.shape[-1] == 1:
            return v[..., None]
        A, E = self.differential(t, x)
        return rate_by(v, A[:, 0], E[:, 0], z)


def first(z: Array) -> Array:
    """An array (..., M) with its members first."""
    return z.transpose(z.ndim - 1, *range(z.ndim - 1))


def last(z: Array) -> Array:
    """An array (M, ...) with its members last."""
    return z.transpose(*range(1, z.ndim), 0)


def rate_by(v: Array, A: Array, E: Array, z: Array) -> Array:
    """``dz/dt`` from the velocity (M, n), A (M, n, n) and E (M, n, k) at z."""
    return np.concatenate([v[..., None], A @ z[..., 1:] + E], axis=-1)


TINY = 1e-300


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """What local error is allowed in each state and each sensitivity.

    Without a floor it has no unit: a flow in other units takes the same steps.

    Attributes:
        relative: As a share of its value.
        absolute: Besides, as a share of the largest value that it has had on the way; of a
            sensitivity no less than a hundredth of ``relative``.
        floor: Besides, in the unit of each; it broadcasts to (n, 1 + k, M).
    """

    relative: float
    absolute: float
    floor: Array | float = TINY  # an entry that stays at zero has no error

    def allowed(self, start: Array, end: Array, largest: Array) -> Array:
        """The error that a step from ``start`` to ``end`` (n, 1 + k, M) may make, by entries."""
        end = np.abs(end)
        allowed = np.maximum(np.abs(start), end)
        allowed *= self.relative
        besides = np.maximum(largest, end)
        besides[:, :1] *= self.absolute
        if besides.shape[1] > 1:
            besides[:, 1:] *= max(self.absolute, 0.01 * self.relative)
        allowed += besides
        allowed += self.floor
        return allowed


def norm(error: Array, allowed: Array) -> Array:
    """Each member's largest error (M,) of a column of z (M, n, 1 + k), root mean squares over n."""
    share = error / allowed
    return np.sqrt(np.einsum("mnc,mnc->mc", share, share).max(-1) / error.shape[1])
