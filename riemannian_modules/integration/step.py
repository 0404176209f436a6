"""One step of a one-step method, tried for each member of a batch with a step size of its own."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

from riemannian_modules.integration.side_by_side import Accuracy, Rates
from riemannian_modules.spaces import Array

Memory = tuple[Array, ...]
F = TypeVar("F", bound=Rates)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where M members stand, and how long a step each is to try.

    Attributes:
        t: Times (M,).
        z: States and sensitivities (n, 1 + k, M).
        h: Step sizes (M,).
        largest: The largest magnitudes of z on the way, shaped as z.
        noise: How far rounding alone moves the rate of change of z, with signs; shaped
            as z, or zeros (1, 1, M).
    """

    t: Array
    z: Array
    h: Array
    largest: Array
    noise: Array

    def only(self, kept: Any) -> Start:
        """Those whose indices are ``kept``."""
        arrays = (self.t, self.z, self.h, self.largest, self.noise)
        return Start(*(array.take(kept, -1) for array in arrays))


class TriedStep(abc.ABC):
    """What came of it: ``end`` (n, 1 + k, M), ``error`` (M,) of which 1 is allowed, and more.

    Attributes:
        end: States and sensitivities after the step, (n, 1 + k, M).
        error: Their error, as a multiple of what is allowed, (M,); NaN where undefined.
        memory: What the next step from here can use, each array (..., M).
    """

    end: Array
    error: Array
    memory: Memory

    @abc.abstractmethod
    def between(self, members: Any, share: Array) -> Array:
        """States and sensitivities of members (P,) at shares (P,) of their steps, (n, 1 + k, P)."""


class Method(abc.ABC, Generic[F]):
    """A one-step method whose error estimate is of the order 8 in the step size."""

    @abc.abstractmethod
    def memory(self, flows: F, t: Array, z: Array) -> Memory:
        """What the first step needs."""

    @abc.abstractmethod
    def step(self, flows: F, start: Start, memory: Memory, accuracy: Accuracy) -> TriedStep:
        """Try a step of each member."""
