"""An initial value problem, and how accurately it is wanted.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from riemannian_modules.space import Array

Numbers = Sequence[float]


@final
@dataclass(frozen=True, slots=True, eq=False)
class InitialValueProblem:
    """``dx/dt = derivative(t, x)`` from ``start``; x is a list of floats, jacobian gives (n, n)."""

    derivative: Callable[[float, list[float]], Numbers]
    jacobian: Callable[[float, list[float]], Array]
    start: Array


@final
@dataclass(frozen=True, slots=True)
class Tolerances:
    """Local errors are kept below ``rtol |x| + atol``, steps below ``largest_step``."""

    rtol: float
    atol: float
    largest_step: float


class StoppedError(Exception):
    """A solver gave up at ``time``, at ``state``, for the reason ``message``."""

    def __init__(self, time: float, state: Array, message: str) -> None:
        super().__init__(message)
        self.time, self.state, self.message = time, state, message
