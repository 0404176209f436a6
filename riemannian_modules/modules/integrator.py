"""The integrator: ``dx/dt = u, y = x``.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Signals, one_port


@final
class Integrator(Flow):
    """``dx/dt = u, y = x``: holds what has flown in; it has no feedthrough and breaks loops."""

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
        super().__init__()
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
