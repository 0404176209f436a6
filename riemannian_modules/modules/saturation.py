"""Saturation: an actuator's limits.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 11.4.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.activation import Activation
from riemannian_modules.modules.arguments import finite_array
from riemannian_modules.modules.scalar_function import ScalarFunction, saturation


@final
class Saturation(Activation):
    """``min(max(u, lower), upper)``, entry by entry; slope 1 inside, 0 at the limits and beyond.

    The limits are fixed numbers of the actuator, no parameters.

    Attributes:
        lower: The lower limits, one number or the ports' shape.
        upper: The upper limits, likewise.
    """

    def __init__(
        self,
        lower: ArrayLike = -1.0,
        upper: ArrayLike = 1.0,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            lower: The lower limits, one number or the ports' shape.
            upper: The upper limits, likewise.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If limits have neither one entry nor the ports' shape.
            DomainError: For NaN or infinite limits, or a lower one that is not below the upper one.
        """
        super().__init__(size, input=input, output=output)
        self.lower = finite_array("Saturation: lower", lower)
        self.upper = finite_array("Saturation: upper", upper)
        (port,) = self.inputs.ports
        for name, limit in (("lower", self.lower), ("upper", self.upper)):
            if limit.shape not in ((), port.shape):
                raise SignatureError(
                    f"Saturation: {name}: expected one number or shape {port.shape}, got "
                    f"{limit.shape}."
                )
        if not (self.lower < self.upper).all():
            raise DomainError(
                f"Saturation: expected lower < upper, got {self.lower} and {self.upper}. Swap them."
            )

    @cached_property
    def function(self) -> ScalarFunction:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The function of one entry."""
        shape = self.inputs.ports[0].shape
        low, high = (np.broadcast_to(a, shape).ravel() for a in (self.lower, self.upper))
        return saturation(low, high)
