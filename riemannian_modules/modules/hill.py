"""Hill's rate laws: cooperative activation or repression of a process by a regulator.

Source: Hill (1910); Alon, *An Introduction to Systems Biology* (2nd ed., 2019), section 2.3.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

from typing_extensions import override

from riemannian_modules.modules.kinetic_arguments import nonnegative, positive, rate_unit
from riemannian_modules.modules.traced import StaticMap
from riemannian_modules.spaces import Port, Signals, Space

# Both laws are written with the regulator in one place, so that enclosures of the rate and of its
# slope are sharp; the price is an absolute rounding error of 2^-52 maximum for little activator.


class HillMap(StaticMap):
    """A rate that saturates in one regulator; subclasses say which, and how.

    Attributes:
        regulator: The name of the input.
    """

    regulator: ClassVar[str]

    def __init__(
        self,
        maximum: float,
        half: float,
        exponent: float,
        basal: float = 0.0,
        *,
        unit: str = "",
        time_unit: str = "",
    ) -> None:
        self.inputs = Space((Port(self.regulator, (), unit),))
        self.outputs = Space((Port("rate", (), rate_unit(unit, time_unit)),))
        self.parameters = {
            **positive(type(self).__name__, maximum=maximum, half=half, exponent=exponent),
            **nonnegative(type(self).__name__, basal=basal),
        }


@final
class HillActivation(HillMap):
    """``rate = basal + maximum z / (1 + z)`` with ``z = (a / half)^exponent``, activator a >= 0.

    The exponent is a real number and a parameter like the others. The slope at a = 0 is zero for an
    exponent above 1, maximum / half for 1; below 1 it is infinite. A little below zero, where a
    solver's rounding leads, the rate is the basal one, to within ``maximum |a| / half``: exactly
    for an exponent that is no whole number, whose power is that of max(a, 0) there. Nothing is
    proved of a region that reaches below zero, unless the exponent is fixed and whole.

    Args:
        maximum: What full activation adds to the basal rate.
        half: The activator at half activation, in its own unit.
        exponent: Hill's coefficient.
        basal: The rate without activator (leakage), zero or more.
        unit: Unit of the activator, as "nM".
        time_unit: Unit of time, as "min"; the rate's unit is ``unit/time_unit``.

    Raises:
        DomainError: Unless the constants are finite and positive, basal at least zero.
    """

    regulator = "activator"

    @override
    def map(self, u: Signals, p: Signals) -> Any:
        z = (u.activator / p.half) ** p.exponent
        return {"rate": p.basal + p.maximum * (1.0 - 1.0 / (1.0 + z))}


@final
class HillRepression(HillMap):
    """``rate = basal + maximum / (1 + (r / half)^exponent)``, repressor r >= 0.

    A little below zero the rate is ``basal + maximum``, as `HillActivation` is ``basal``.

    Args:
        maximum: What the absence of the repressor adds to the basal rate.
        half: The repressor at half repression, in its own unit.
        exponent: Hill's coefficient, a real number.
        basal: The rate under full repression (leakage), zero or more.
        unit: Unit of the repressor, as "nM".
        time_unit: Unit of time, as "min"; the rate's unit is ``unit/time_unit``.

    Raises:
        DomainError: Unless the constants are finite and positive, basal at least zero.
    """

    regulator = "repressor"

    @override
    def map(self, u: Signals, p: Signals) -> Any:
        z = (u.repressor / p.half) ** p.exponent
        return {"rate": p.basal + p.maximum / (1.0 + z)}
