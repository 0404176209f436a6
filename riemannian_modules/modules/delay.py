"""A time delay in continuous time, exact: ``y(t) = u(t - delay)``.

Its state is a stretch of the past, which no finite vector holds; `simulate` keeps it.
Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapter 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.arguments import positive_number
from riemannian_modules.modules.capability import RefusedForm
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.ownership import Composite
from riemannian_modules.spaces import Array, batch_shape, one_port

DELAYED = "delayed"  # the name of its state


@final
class Delay(RiemannianModule, RefusedForm):
    """``y(t) = u(t - delay)``, exact; it has no feedthrough and breaks loops.

    `simulate` solves what it stands in as a delay differential equation. Its state "delayed" is its
    output, which the past gives: nobody sets it. The delay is a parameter. What looks at one moment
    alone, such as `certify` and `linearize`, cannot see the past and refuses it; `equilibrium`
    knows that at rest it passes its input. A `PadeDelay` is its approximation for the others.
    """

    time = Time.CONTINUOUS

    def __init__(
        self,
        delay: float,
        size: int | str | tuple[Any, ...] = (),
        *,
        history: ArrayLike | str | Callable[[float], Any] | None = None,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            delay: The delay, positive, in units of time.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            history: The input before the start of a run, of which the last ``delay`` counts: a
                constant, a function of time, or a formula of the time as text ("1 + sin(t)"). By
                default what the input is at the start, as if it had been so all the time. Jumps of
                a function that cannot be traced are found where it stays for a thousandth of the
                delay.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If the size is no size, the history not of the port's shape, or no
                formula of t.
            DomainError: For a delay that is not positive and finite, or an infinite history.
        """
        self.parameters = {"delay": positive_delay("Delay: delay", delay)}
        self.state, self.inputs, self.outputs = (
            one_port(name, size) for name in (DELAYED, input, output)
        )
        self.history = history
        if isinstance(history, str):
            from riemannian_modules.arithmetic.infix import parse

            parse(history, ["t"])
        elif not (history is None or callable(history)):
            self.history = self._checked(history)

    def _checked(self, history: ArrayLike) -> Array:
        (port,) = self.inputs.ports
        value = port.flat(history, "Delay: history")
        if value.ndim != 1:
            raise SignatureError(
                f"Delay: history: expected one value of shape {port.shape}, got {value.shape}. "
                "What changes over time is a function of time, or a formula of t as text."
            )
        if not np.isfinite(value).all():
            raise DomainError("Delay: history: expected finite numbers, got NaN or infinity.")
        return value.reshape(port.shape)

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        y = self.output(x, u, theta)
        return np.zeros(y.shape), y

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        return np.broadcast_to(x, (*batch_shape(x, u, theta), x.shape[-1]))

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        batch, n, p = batch_shape(x, u, theta), self.state.size, theta.shape[-1]
        of_states, of_parameters = np.zeros((*batch, n, n)), np.zeros((*batch, n, p))
        C = of_states + np.eye(n)
        return Jacobian(of_states, of_states, C, of_states, of_parameters, of_parameters)

    @cached_property
    @override
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the output is of the past."""
        return frozenset()

    @override
    def _refusal(self) -> str:
        return (
            "Delay: its output is of the past, of which equations of one moment say nothing. "
            "Approximate it by a PadeDelay of the same delay, and take the composite with that."
        )


def positive_delay(where: str, value: ArrayLike) -> float:
    """A delay that a user gives.

    Raises:
        DomainError: Unless it is positive and finite.
        SignatureError: If it is no number.
    """
    return positive_number(where, value, "Without delay leave the module out.")


def has_delays(module: RiemannianModule) -> bool:
    """Whether the outputs of a module, or of a leaf of a composite, are of the past."""
    return isinstance(module, Delay) or (
        isinstance(module, Composite) and any(map(has_delays, module.nodes.values()))
    )
