"""Expression of one gene: transcription to mRNA, translation to protein.

Source: Thattai and van Oudenaarden (2001), PNAS 98, 8614-8619, equations of the means.
"""

from __future__ import annotations

from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.kinetic_arguments import positive, rate_unit
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Port, Signals, Space


@final
class GeneExpression(Flow):
    """``mrna' = transcription - mrna_loss mrna``, which is translated to protein.

    ``protein' = translation mrna - protein_loss protein``; output ``protein``. The transcription
    rate is an input; put a Hill rate law before it for a regulated gene: ``HillRepression(...) >>
    GeneExpression(...)``.

    Args:
        translation: Proteins made by one mRNA in a unit of time.
        mrna_loss: Rate of degradation and dilution of mRNA, 1/time.
        protein_loss: Rate of degradation and dilution of protein, 1/time.
        unit: Unit of both amounts, as "nM".
        time_unit: Unit of time, as "min".

    Raises:
        DomainError: Unless the constants are positive and finite.
    """

    def __init__(
        self,
        translation: float,
        mrna_loss: float,
        protein_loss: float,
        *,
        unit: str = "",
        time_unit: str = "",
    ) -> None:
        self.state = Space((Port("mrna", (), unit), Port("protein", (), unit)))
        self.inputs = Space((Port("transcription", (), rate_unit(unit, time_unit)),))
        self.outputs = Space((Port("protein", (), unit),))
        self.parameters = positive(
            "GeneExpression",
            translation=translation,
            mrna_loss=mrna_loss,
            protein_loss=protein_loss,
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        return {
            "mrna": u.transcription - p.mrna_loss * x.mrna,
            "protein": p.translation * x.mrna - p.protein_loss * x.protein,
        }, {"protein": x.protein}
