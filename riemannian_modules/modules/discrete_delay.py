"""A delay by whole steps: exact, and no feedthrough.

Source: Astrom and Wittenmark (1997), Computer-Controlled Systems, third edition, section 2.5.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import whole_number
from riemannian_modules.modules.traced import StepMap
from riemannian_modules.spaces import Signals, one_port


@final
class DiscreteDelay(StepMap):
    """``y(k) = u(k - steps)``: as many unit delays in a row."""

    def __init__(
        self,
        steps: int,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            steps: How many steps the delay takes, at least 1.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.
            sampling_time: How long a step takes, as 0.2 or (0.2, "s"); None fits any.

        Raises:
            SignatureError: If the size is no size, or the steps no whole number from 1.
        """
        super().__init__(sampling_time=sampling_time)
        count = whole_number("DiscreteDelay: steps", steps, 1)
        self.inputs, self.outputs = one_port(input, size), one_port(output, size)
        self.state = one_port("x", (count, self.inputs.size))

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {"x": np.concatenate([np.stack([u.vector]), x["x"][:-1]])}, x["x"][-1]

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the output is the oldest state."""
        return frozenset()
