"""Rate limits: an actuator that follows its command no faster than it can.

An ideal rate limiter in continuous time jumps in its derivative with every sign of its error and
has no right-hand side that a solver could follow; an actuator has a time constant as well.
Source: Astrom and Murray (2021), Feedback Systems, second edition, section 11.4; Hippe (2006),
Windup in Control, chapter 5.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.modules.arguments import positive_number
from riemannian_modules.modules.traced import Flow, StepMap
from riemannian_modules.spaces import Signals, one_port


@final
class RateLimit(Flow):
    """``dx/dt = min(max((u - x) / tau, -fall), rise), y = x``: a lag whose speed is limited.

    The rates and the lag's time constant tau are parameters.
    """

    def __init__(
        self,
        rise: float,
        fall: float | None = None,
        tau: float = 0.01,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            rise: The largest rate of growth, positive, in units of the port by s.
            fall: The largest rate of descent, likewise; that of growth by default.
            tau: The time constant of following within the limits, in s, positive.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If the size is no size.
            DomainError: For rates or a time constant that are not positive and finite.
        """
        super().__init__()
        self.parameters = {
            **_rates("RateLimit", rise, fall), "tau": positive_number("RateLimit: tau", tau)
        }  # fmt: skip
        self.state, self.inputs, self.outputs = (
            one_port(name, size) for name in ("x", input, output)
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        wanted = (u.vector - x.vector) / p["tau"]
        return np.minimum(np.maximum(wanted, -p["fall"]), p["rise"]), x.vector


@final
class DiscreteRateLimit(StepMap):
    """``y = x + min(max(u - x, -fall), rise), x+ = y``: the output moves so far in a step at most.

    The rates, by step, are parameters. The output follows at once where it may.
    """

    def __init__(
        self,
        rise: float,
        fall: float | None = None,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            rise: The largest growth in a step, positive, in units of the port.
            fall: The largest descent in a step, likewise; that of growth by default.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.
            sampling_time: How long a step takes, as 0.2 or (0.2, "s"); None fits any.

        Raises:
            SignatureError: If the size is no size.
            DomainError: For rates that are not positive and finite.
        """
        super().__init__(sampling_time=sampling_time)
        self.parameters = _rates("DiscreteRateLimit", rise, fall)
        self.state, self.inputs, self.outputs = (
            one_port(name, size) for name in ("x", input, output)
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        moved = np.minimum(np.maximum(u.vector - x.vector, -p["fall"]), p["rise"])
        return x.vector + moved, x.vector + moved


def _rates(where: str, rise: float, fall: float | None) -> dict[str, float]:
    up = positive_number(f"{where}: rise", rise)
    return {"rise": up, "fall": up if fall is None else positive_number(f"{where}: fall", fall)}
