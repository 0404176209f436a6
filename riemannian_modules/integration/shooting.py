"""A trajectory with its sensitivities, all steps of it at once.

A rough trajectory says where the steps begin. Radau IIA then takes all of them side by side, each
from its own rough start; what the ends and the next starts differ by is taken out by Newton's
method, whose matrices are the steps' own sensitivities. Steps whose error is too large are parted.
Source: Bellen and Zennaro (1989), J. Comput. Appl. Math. 25, 341-350 (steps in parallel); Hairer
and Wanner, *Solving Ordinary Differential Equations II*, section IV.8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from riemannian_modules.integration.march import NOISY_AFTER, growth, noise_at
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.radau import STAGES, Radau, RadauStep, tableau
from riemannian_modules.integration.side_by_side import TINY, Accuracy, Flows
from riemannian_modules.integration.step import Start
from riemannian_modules.spaces import Array

MOST_ROUNDS = 4  # of parting steps
MOST_PASSES = 4  # of Newton's method on one mesh
LEFT = 0.01  # of the allowed error, for what Newton's method leaves


@final
@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """N steps in a row, each from a rough start of its own.

    Attributes:
        t: Where each begins, (N,).
        h: How long it is, (N,).
        x: The state it begins with, (N, n).
        Z: What its stages add to that, (N, s, n).
    """

    t: Array
    h: Array
    x: Array
    Z: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Maps:
    """What each step makes of z (n, 1 + k): near the state x (N, n), ``matrix (z - x) + end``.

    Attributes:
        x: Where, (N, n).
        matrix: Its derivative in its own start, (N, n, n).
        end: Its end from there, beside what it adds to sensitivities, (N, n, 1 + k).
    """

    x: Array
    matrix: Array
    end: Array

    def followed(self, start: Array) -> Array:
        """The ends of all steps, one after the other, from ``start`` (n, 1 + k) on."""
        added = self.end.copy()
        added[:, :, 0] -= np.einsum("mij,mj->mi", self.matrix, self.x)
        return _recurred(self.matrix, added, start)


def node_times(mesh: Array) -> Array:
    """Of the steps of a mesh (N + 1,): the start and the times of the stages, (N, 1 + s)."""
    shares = np.concatenate([[0.0], tableau().c])
    return mesh[:-1, None] + np.diff(mesh)[:, None] * shares


def shoot(
    flows: Flows, rough: Steps, start: Array, expected: Array, accuracy: Accuracy
) -> tuple[Array, Array]:
    """Times (N,) where steps end, and states and sensitivities (N, n, 1 + k) there.

    Args:
        flows: One member, whose first n directions leave the flow as it is (those of the start).
        rough: Steps along a rough trajectory; where they end, steps will.
        start: The state, and its derivatives in the k directions, (n, 1 + k).
        expected: The largest magnitudes at its begin, as far as they are known, (n, 1 + k).
        accuracy: The local error that is allowed.

    Raises:
        StoppedError: Where the steps do not join, or become ever smaller.
    """
    steps = rough
    for i in range(MOST_ROUNDS):
        along = _Along(flows.only(np.zeros(len(steps.t), dtype=int)), expected, accuracy, i)
        taken, ends = _joined(along, steps, start)
        is_good = taken.error <= 1.0
        if is_good.all():
            return steps.t + steps.h, ends
        if i > 0 and np.isnan(taken.error).any():
            break
        parts = np.where(is_good, 1, 1 + np.ceil(1.0 / growth(taken.error)).astype(int))
        steps = _parted(steps, taken, parts)
    raise StoppedError(float(rough.t[0]), start[:, 0], "its steps become ever smaller.")


def _joined(along: _Along, steps: Steps, start: Array) -> tuple[RadauStep, Array]:
    """The steps, and their ends when none differs from where the step before it leads."""
    maps = along.maps(steps)
    ends, before = maps.followed(start), np.inf
    for _ in range(MOST_PASSES):
        begins = np.moveaxis(np.concatenate([start[None], ends[:-1]]), 0, -1)
        taken = along.taken(steps, begins)
        size, nothing = np.abs(ends).max(1), np.zeros_like(start)
        moved = _recurred(maps.matrix, np.moveaxis(taken.end, -1, 0) - ends, nothing)
        ends = ends + moved
        allowed = along.accuracy.allowed(taken.start.z, taken.end, taken.start.largest)
        share = float((np.abs(moved) / np.moveaxis(allowed, -1, 0)).max())
        # Matrices are off by as much as sensitivities were: so much of this correction is left.
        off = float((np.abs(moved).max(1) / np.maximum(size, TINY)).max())
        is_rounding = share > 0.5 * before and off < np.sqrt(along.accuracy.relative)
        if share * off <= LEFT or is_rounding or np.isnan(taken.error).any():
            return taken, ends
        before = share
    raise StoppedError(float(steps.t[0]), start[:, 0], "its steps do not join.")


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Along:
    """One flow at all steps, what accuracy is asked of them, and how often they were parted."""

    flows: Flows
    expected: Array
    accuracy: Accuracy
    parted: int

    def maps(self, steps: Steps) -> _Maps:
        """The steps' maps, each where it begins."""
        n, columns = self.expected.shape
        z = np.zeros((n, columns, len(steps.t)))
        z[:, 0], z[:, 1 : 1 + n] = steps.x.T, np.eye(n)[..., None]
        end = np.moveaxis(self.taken(steps, z).end, -1, 0).copy()
        matrix = end[:, :, 1 : 1 + n].copy()
        end[:, :, 1 : 1 + n] = 0.0
        return _Maps(steps.x, matrix, end)

    def taken(self, steps: Steps, z: Array) -> RadauStep:
        """The steps, side by side from begins z (n, 1 + k, N)."""
        method = Radau()
        largest = np.maximum(np.maximum.accumulate(np.abs(z), -1), self.expected[..., None])
        start = Start(steps.t, z, steps.h, largest, np.zeros((1, 1, len(steps.t))))
        with np.errstate(all="ignore"):
            if self.parted >= NOISY_AFTER:
                start = replace(start, noise=noise_at(self.flows, start))
            memory = method.memory(self.flows, steps.t, z)
            return method.step_by(self.flows, start, memory, steps.Z, self.accuracy)


def _recurred(matrices: Array, added: Array, start: Array) -> Array:
    """``z <- matrix z + added`` from ``start`` (n, c) on: each z after it, (N, n, c)."""
    found, z = np.empty_like(added), start
    for i, (matrix, more) in enumerate(zip(matrices, added, strict=True)):
        z = found[i] = matrix @ z + more
    return found


def _parted(steps: Steps, taken: RadauStep, parts: Any) -> Steps:
    """The steps, some in several parts along their polynomials."""
    which = np.repeat(np.arange(len(parts)), parts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(parts) - parts, parts)
    t, h = steps.t[which] + place * (steps.h / parts)[which], (steps.h / parts)[which]
    shares = (place[:, None] + np.concatenate([[0.0], tableau().c])) / parts[which, None]
    states = taken.between(np.repeat(which, 1 + STAGES), shares.ravel())[:, 0]
    nodes = states.T.reshape(len(which), 1 + STAGES, -1)
    return Steps(t, h, nodes[:, 0], nodes[:, 1:] - nodes[:, :1])
