"""Activations: a scalar function of each entry, whose derivative is a diagonal.

Source: THEORY section 2; the functions and their sources are in `scalar_function`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from riemannian_modules.errors import DomainError
from riemannian_modules.modules import scalar_function as functions
from riemannian_modules.modules.arguments import finite_number, positive_number
from riemannian_modules.modules.capability import StagedMap
from riemannian_modules.modules.scalar_function import ScalarFunction
from riemannian_modules.modules.structured_map import (
    ParameterFreeDifferential,
    StructuredMap,
    diagonal_intervals,
)
from riemannian_modules.spaces import Array, Signals, one_port

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DiagonalDifferential(ParameterFreeDifferential):
    """``t -> slope * t``; slope (..., n)."""

    slope: Array

    @property
    @override
    def input_size(self) -> int:
        return self.slope.shape[-1]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.slope[..., None] * t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], self.slope[..., None] * p_y


class Activation(StructuredMap, StagedMap):
    """``y = f(u)`` entry by entry, without parameters; subclasses say which f.

    Ports have one shape; costs are linear in their size. `differential` multiplies by a diagonal;
    `enclose` evaluates f and its slope at ends and critical points, tight but for rounding.
    """

    function: ScalarFunction

    def __init__(
        self, size: int | str | tuple[Any, ...] = (), *, input: str = "u", output: str = "y"
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If the size is no size.
        """
        self.inputs, self.outputs = one_port(input, size), one_port(output, size)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return self.function.value(u)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> DiagonalDifferential:
        return DiagonalDifferential(self.function.slope(u))

    @override
    def output_then_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Callable[[], DiagonalDifferential]]:
        y, slope_at_value = self.output(x, u, theta), self.function.slope_at_value
        if slope_at_value is None:
            return y, lambda: self.differential(x, u, theta)
        return y, lambda: DiagonalDifferential(slope_at_value(y))

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        slope = diagonal_intervals(self.function.enclose_slope(u))
        return self.function.enclose_value(u), slope

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, self.function.exact(u.vector)


@final
class Tanh(Activation):
    """``tanh(u)``; slope ``1 - tanh(u)^2`` in (0, 1]."""

    function = functions.TANH


@final
class Sigmoid(Activation):
    """``1 / (1 + exp(-u))``; slope in (0, 1/4]."""

    function = functions.SIGMOID


@final
class ReLU(Activation):
    """``max(u, 0)``; slope 0 or 1, taken as 0 at zero and as [0, 1] in enclosures."""

    function = functions.RELU


@final
class Softplus(Activation):
    """``log(1 + exp(u))``; slope in (0, 1)."""

    function = functions.SOFTPLUS


@final
class GELU(Activation):
    """``u Phi(u)`` with the normal distribution Phi, by erf; slope in about [-0.129, 1.129]."""

    function = functions.GELU


@final
class SiLU(Activation):
    """``u / (1 + exp(-u))``; slope in about [-0.0998, 1.0998]."""

    function = functions.SILU


@final
class LeakyReLU(Activation):
    """``u`` where positive, ``leak u`` elsewhere; the leak is fixed, in [0, 1]."""

    def __init__(
        self,
        size: int | str | tuple[Any, ...] = (),
        *,
        leak: float = 0.01,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """As the other activations, for a size such as 3 or a shape such as (2, 3).

        Args:
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            leak: The slope below zero, in [0, 1]; no parameter.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            DomainError: For a leak outside [0, 1], NaN or infinite.
            SignatureError: If the size is no size.
        """
        super().__init__(size, input=input, output=output)
        self.leak = finite_number("LeakyReLU: leak", leak)
        if not 0 <= self.leak <= 1:
            raise DomainError(f"LeakyReLU: leak: expected a number in [0, 1], got {self.leak}.")

    @cached_property
    def function(self) -> ScalarFunction:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The function of one entry."""
        return functions.leaky_relu(self.leak)


@final
class ELU(Activation):
    """``u`` where u >= 0, ``alpha (exp(u) - 1)`` below; alpha is fixed, smooth for alpha = 1."""

    def __init__(
        self,
        size: int | str | tuple[Any, ...] = (),
        *,
        alpha: float = 1.0,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """As the other activations, for a size such as 3 or a shape such as (2, 3).

        Args:
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            alpha: Minus the limit at minus infinity; no parameter.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            DomainError: For an alpha that is not positive, NaN or infinite.
            SignatureError: If the size is no size.
        """
        super().__init__(size, input=input, output=output)
        self.alpha = positive_number("ELU: alpha", alpha)

    @cached_property
    def function(self) -> ScalarFunction:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The function of one entry."""
        return functions.elu(self.alpha)
