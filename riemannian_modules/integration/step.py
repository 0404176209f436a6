"""One step of a one-step method, tried for each member of a batch with a step size of its own."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.integration.side_by_side import Accuracy, Flows
from riemannian_modules.space import Array

Memory = tuple[Array, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where M members stand, and how long a step each is to try.

    Attributes:
        t: Times (M,).
        z: States and sensitivities (M, n, 1 + k).
        h: Step sizes (M,).
        largest: The largest magnitudes of z on the way, shaped as z.
        noise: How far rounding alone moves the rate of change of z, with signs; shaped as z.
    """

    t: Array
    z: Array
    h: Array
    largest: Array
    noise: Array

    @property
    def h_of_z(self) -> Array:
        """The step sizes, to be multiplied with z."""
        return self.h[:, None, None]


class Step(abc.ABC):
    """What came of it: ``end`` (M, n, 1 + k), ``error`` (M,) of which 1 is allowed, and more.

    Attributes:
        end: States and sensitivities after the step, (M, n, 1 + k).
        error: Their error, as a multiple of what is allowed, (M,); NaN where undefined.
        memory: What the next step from here can use, each array (M, ...).
    """

    end: Array
    error: Array
    memory: Memory

    @abc.abstractmethod
    def between(self, members: Any, share: Array) -> Array:
        """States and sensitivities of members (P,) at shares (P,) of their steps, (P, n, 1 + k)."""


class Method(abc.ABC):
    """A one-step method whose error estimate is of the order 8 in the step size."""

    @abc.abstractmethod
    def memory(self, flows: Flows, t: Array, z: Array) -> Memory:
        """What the first step needs."""

    @abc.abstractmethod
    def step(self, flows: Flows, start: Start, memory: Memory, accuracy: Accuracy) -> Step:
        """Try a step of each member."""


def selected(rows: Any, new: Array, old: Array) -> Array:
    """``new`` in the members ``rows`` (M,), ``old`` in the others."""
    return np.where(rows.reshape(-1, *(1,) * (new.ndim - 1)), new, old)
