"""An initial value problem, and how accurately it is wanted.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array


class AnyInitialValueProblem(abc.ABC):
    """``dx/dt = rate(t, x)`` from ``start``, shape (n,)."""

    start: Array

    @abc.abstractmethod
    def rate(self, t: float, x: Array) -> Array:
        """The derivative, shape (n,)."""

    @abc.abstractmethod
    def matrix(self, t: float, x: Array) -> Any:
        """Its Jacobian in x, shape (n, n), dense or sparse."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class InitialValueProblem(AnyInitialValueProblem):
    """``dx/dt = derivative(t, x)`` from ``start``; x is a list of floats, jacobian gives (n, n)."""

    derivative: Callable[[float, list[float]], Numbers]
    jacobian: Callable[[float, list[float]], Array]
    start: Array

    @override
    def rate(self, t: float, x: Array) -> Array:
        return np.array(self.derivative(t, x.tolist()), dtype=np.float64)

    @override
    def matrix(self, t: float, x: Array) -> Array:
        return self.jacobian(t, x.tolist())


@final
@dataclass(frozen=True, slots=True, eq=False)
class SparseProblem(AnyInitialValueProblem):
    """A large problem on arrays; the Jacobian is sparse, with the same structure everywhere."""

    derivative: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Any]
    start: Array

    @override
    def rate(self, t: float, x: Array) -> Array:
        return self.derivative(t, x)

    @override
    def matrix(self, t: float, x: Array) -> Any:
        return self.jacobian(t, x)


SmoothProblem = InitialValueProblem | SparseProblem


@final
@dataclass(frozen=True, slots=True, eq=False)
class StepTolerances:
    """Local errors are kept below ``rtol |x| + atol``, steps below ``largest_step``.

    ``atol`` is one number for all states, or one for each, (n,).
    """

    rtol: float
    atol: float | Array
    largest_step: float


class StoppedError(Exception):
    """A solver gave up at ``time``, at ``state``, for the reason ``message``."""

    def __init__(self, time: float, state: Array, message: str) -> None:
        super().__init__(message)
        self.time, self.state, self.message = time, state, message
