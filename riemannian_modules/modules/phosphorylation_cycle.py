"""A conserved cycle: a kinase phosphorylates a protein, a phosphatase undoes it, the total stays.

Source: Goldbeter and Koshland (1981), PNAS 78, 6840-6844.
"""

from __future__ import annotations

from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.kinetic_arguments import positive
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Port, Signals, Space


@final
class PhosphorylationCycle(Flow):
    """The phosphorylated fraction of a protein of constant total, driven by the kinase's amount.

    ``total fraction' = catalysis kinase w / (kinase_half + w) - removal a / (phosphatase_half +
    a)`` with ``a = total fraction`` and ``w = total (1 - fraction)``: conservation leaves one
    state. Output ``active`` is a.

    Args:
        total: Amount of the protein in both forms.
        catalysis: Turnover number of the kinase, 1/time.
        removal: Rate of the phosphatase at saturation, amount/time.
        kinase_half: Michaelis constant of the kinase, an amount.
        phosphatase_half: Michaelis constant of the phosphatase, an amount.
        unit: Unit of the amounts, as "nM".

    Raises:
        DomainError: Unless the constants are positive and finite.
    """

    def __init__(
        self,
        total: float,
        catalysis: float,
        removal: float,
        kinase_half: float,
        phosphatase_half: float,
        *,
        unit: str = "",
    ) -> None:
        self.state = Space((Port("fraction"),))
        self.inputs = Space((Port("kinase", (), unit),))
        self.outputs = Space((Port("active", (), unit),))
        self.parameters = positive(
            "PhosphorylationCycle",
            total=total,
            catalysis=catalysis,
            removal=removal,
            kinase_half=kinase_half,
            phosphatase_half=phosphatase_half,
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        active, rest = p.total * x.fraction, p.total * (1.0 - x.fraction)
        # s / (K + s) as 1 - 1 / (1 + s / K), for sharp enclosures; see MichaelisMenten.
        up = p.catalysis * u.kinase * (1.0 - 1.0 / (1.0 + rest / p.kinase_half))
        down = p.removal * (1.0 - 1.0 / (1.0 + active / p.phosphatase_half))
        return {"fraction": (up - down) / p.total}, {"active": active}
