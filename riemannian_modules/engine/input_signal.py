"""One input port over time: what a run asks of it.

Source: none.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import numpy as np

from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array, Port

InputValue = Callable[[float], list[float]]
SLACK = 4.0  # spacings of a time: what is nearer to another is taken for it


class InputSignal(abc.ABC, Shown):
    """One input port over time; values are flat lists of the port's size."""

    @property
    def is_function(self) -> bool:
        """Whether it is a user's function, which nobody knows between two looks."""
        return False

    @abc.abstractmethod
    def jumps(self) -> list[float]:
        """Times at which the value jumps."""

    @abc.abstractmethod
    def kinks(self) -> list[float]:
        """Times at which the slope jumps."""

    def exact(self, time: Any) -> tuple[Any, ...] | None:  # noqa: ARG002
        """The values in exact terms of the symbol ``time``; None where there are none."""
        return None

    @abc.abstractmethod
    def between(self, start: float, end: float) -> list[float] | InputValue:
        """The value on ``start <= t <= end``, free of jumps inside; a list where it is constant."""

    @abc.abstractmethod
    def sampled(self, times: Array) -> Array:
        """The values at times (T,), continuous from the right, shape (T, size)."""


def shaped(given: Any, port: Port, where: str) -> Array:
    """One finite value of a port, flat.

    Raises:
        SignatureError: If it has not the port's shape.
        DomainError: If it is not finite.
    """
    value = port.flat(given, where)
    if value.ndim != 1:
        raise SignatureError(
            f"{where}: expected one value of shape {port.shape}, got a batch {value.shape}. Give a "
            "table as a pair (times, values)."
        )
    if not np.isfinite(value).all():
        raise DomainError(f"{where}: expected finite numbers, got NaN or infinity.")
    return value
