"""How exactly the time courses of a fit are integrated.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from riemannian_modules.integration.problem import StepTolerances
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """Local errors below ``relative |x| + absolute`` with one absolute part a state, (n,)."""

    relative: float
    absolute: Array

    def tolerances(self, largest_step: float) -> StepTolerances:
        """The same as a solver takes it."""
        return StepTolerances(self.relative, self.absolute, largest_step)
