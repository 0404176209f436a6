"""What is measured: a formula of the model's quantities, how it is scaled, and how it scatters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from typing_extensions import override

from riemannian_modules.engine.time_courses.noise import Noise, NormalNoise
from riemannian_modules.engine.time_courses.scale import LinearScale, Scale
from riemannian_modules.shown import Facts, Shown, brief_value, cut


@final
@dataclass(frozen=True, slots=True, repr=False)
class Observable(Shown):
    """A measured quantity ``scale * formula + offset`` with errors of size sigma.

    Numbers are known. A text is a formula; where it is a name that nothing else has, it is an
    unknown of its own, whose start is found from the data (unknown factors, offsets and sigmas).

    Attributes:
        formula: Of states, outputs, inputs, parameters and the time `t`: ``"A + 2*AB"``.
        scale: The factor, a number or a text.
        offset: What is added, in the measurement's unit.
        sigma: The errors' size on the scale of `transformation`, where the data bring none; an
            unknown of the observable's own where None.
        transformation: The scale on which errors are alike: `Log10Scale` for log-normal noise.
        noise: `NormalNoise` or `LaplaceNoise`.
    """

    formula: str
    scale: float | str = 1.0
    offset: float | str = 0.0
    sigma: float | str | None = None
    transformation: Scale = field(default_factory=LinearScale)
    noise: Noise = field(default_factory=NormalNoise)

    @override
    def facts(self) -> Facts:
        rows = [(name, brief_value(getattr(self, name))) for name in ("scale", "offset", "sigma")]
        return Facts(f"Observable {cut(self.formula, 80)}", tuple(rows))
