"""The first-order lag: ``tau dx/dt = k u - x, y = x``.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.arguments import finite_number, positive_number
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Signals, one_port


@final
class Lag(Flow):
    """``tau dx/dt = k u - x, y = x``, entry by entry; parameters tau in seconds and k.

    It has no feedthrough and breaks loops.
    """

    def __init__(
        self,
        tau: float,
        k: float = 1.0,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            tau: The time constant in seconds, positive.
            k: The gain at rest, in units of the output by units of the input.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If the size is no size.
            DomainError: For a time constant that is not positive, NaN or infinite numbers.
        """
        super().__init__()
        self.parameters = {
            "tau": positive_number("Lag: tau", tau), "k": finite_number("Lag: k", k)
        }  # fmt: skip
        self.state, self.inputs, self.outputs = (
            one_port(name, size) for name in ("x", input, output)
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return (p["k"] * u.vector - x.vector) / p["tau"], x.vector

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the output is the state."""
        return frozenset()
