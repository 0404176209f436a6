"""The Michaelis-Menten rate law: an enzyme that saturates with its substrate.

Source: Michaelis and Menten (1913); Cornish-Bowden, *Fundamentals of Enzyme Kinetics* (2012), ch.
    2.
"""

from __future__ import annotations

from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.kinetic_arguments import positive, rate_unit
from riemannian_modules.modules.traced import StaticMap
from riemannian_modules.spaces import Port, Signals, Space


@final
class MichaelisMenten(StaticMap):
    """``rate = maximum s / (half + s)`` for a substrate s >= 0.

    Args:
        maximum: The rate at saturation (Vmax).
        half: The substrate at half of it (Km), in the unit of the substrate.
        unit: Unit of the substrate, as "nM".
        time_unit: Unit of time, as "min"; the rate's unit is ``unit/time_unit``.

    Raises:
        DomainError: Unless both constants are positive and finite.
    """

    def __init__(self, maximum: float, half: float, *, unit: str = "", time_unit: str = "") -> None:
        self.inputs = Space((Port("substrate", (), unit),))
        self.outputs = Space((Port("rate", (), rate_unit(unit, time_unit)),))
        self.parameters = positive("MichaelisMenten", maximum=maximum, half=half)

    @override
    def map(self, u: Signals, p: Signals) -> Any:
        # s stands in one place, so that enclosures of the rate and of its slope are sharp; the
        # price is an absolute rounding error of 2^-52 maximum where s is small.
        return {"rate": p.maximum * (1.0 - 1.0 / (1.0 + u.substrate / p.half))}
