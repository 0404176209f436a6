"""The unit delay: ``x+ = u, y = x``.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.traced import StepMap
from riemannian_modules.spaces import Signals, one_port


@final
class UnitDelay(StepMap):
    """``x+ = u, y = x``: gives what came one step ago; it has no feedthrough and breaks loops."""

    def __init__(
        self,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.
            sampling_time: The delay, as 0.2 or (0.2, "s"); left out, it is a step of any length.

        Raises:
            SignatureError: If the size is no size.
        """
        super().__init__(sampling_time=sampling_time)
        self.state, self.inputs, self.outputs = (
            one_port(name, size) for name in ("x", input, output)
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return u.vector, x.vector

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the output is the state."""
        return frozenset()
