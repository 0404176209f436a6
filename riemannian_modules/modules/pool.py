"""A pool of one substance: rates flow in and out, and what is in it degrades.

Source: Alon, *An Introduction to Systems Biology* (2nd ed., 2019), section 2.4.
"""

from __future__ import annotations

from typing import Any, final

from typing_extensions import override

from riemannian_modules.door import names
from riemannian_modules.modules.kinetic_arguments import nonnegative, rate_unit
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Port, Signals, Space


@final
class Pool(Flow):
    """``amount' = (sum of inflows) - (sum of outflows) - degradation amount``.

    With rate laws between them, pools make a pathway: a rate law reads a pool's ``amount`` and its
    ``rate`` is an outflow of one pool and an inflow of the next.

    Args:
        degradation: First-order rate of loss (degradation and dilution), zero or more, 1/time.
        inflows: Names of the rates that fill the pool, separated by blanks.
        outflows: Names of the rates that empty it.
        unit: Unit of the amount, as "nM".
        time_unit: Unit of time, as "min".

    Raises:
        DomainError: Unless ``degradation`` is finite and at least zero.
        SignatureError: If a name comes twice.
    """

    def __init__(
        self,
        degradation: float,
        inflows: str = "production",
        outflows: str = "",
        *,
        unit: str = "",
        time_unit: str = "",
    ) -> None:
        rate = rate_unit(unit, time_unit)
        self.inflows, self.outflows = (
            names("Pool: inflows", inflows),
            names("Pool: outflows", outflows),
        )
        self.state = Space((Port("amount", (), unit),))
        self.inputs = Space(tuple(Port(name, (), rate) for name in self.inflows + self.outflows))
        self.parameters = nonnegative("Pool", degradation=degradation)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        change = -p.degradation * x.amount
        for name in self.inflows:
            change = change + u[name]
        for name in self.outflows:
            change = change - u[name]
        return {"amount": change}
