"""When a fit stops before it is as accurate as floating point allows.

Source: none; More (1978), Lecture Notes in Mathematics 630, for the relative change of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, final

from riemannian_modules.door import number, whole_number
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Shown

Callback: TypeAlias = Callable[[Iteration], object]


@final
@dataclass(frozen=True, slots=True, repr=False)
class Tolerances(Shown):
    """What is accurate enough; 0 for what is to be as accurate as floating point allows.

    Attributes:
        loss: A step that is taken lowers the loss by less than this part of it (SciPy's ``ftol``).
        offset: The minimum is nearer than this part of the residual (SciPy's ``gtol``).
        evaluations: The map is evaluated at most so often over all samples; None for any number.
    """

    loss: float = 0.0
    offset: float = 0.0
    evaluations: int | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "offset"):
            if not 0.0 <= number(f"Tolerances: {name}", getattr(self, name)) < 1.0:
                raise DomainError(
                    f"Tolerances: {name}: expected a number from 0 to 1, got {getattr(self, name)}."
                )
        if self.evaluations is not None:
            whole_number("Tolerances: evaluations", self.evaluations, 1)


class Stop(KeyboardInterrupt):
    """Ends a descent at the best point so far, as an interrupt does."""


@final
@dataclass(slots=True, eq=False)
class Stopping:
    """Raises `Stop` after an iteration that is accurate enough, or that the callback stops."""

    tolerances: Tolerances
    callback: Callback | None
    outcome: Outcome | None = None
    _before: float = field(default=math.inf)

    def look(self, line: Iteration) -> None:
        """Judge an iteration.

        Raises:
            Stop: If the descent is to end here.
        """
        self.outcome = self._judged(line)
        if self.outcome is not None:
            raise Stop
        self._before = line.loss

    def _judged(self, line: Iteration) -> Outcome | None:
        within, before = self.tolerances, math.inf if line.number == 0 else self._before
        if self.callback is not None and self.callback(line):
            return Outcome.STOPPED
        fell = before - line.loss
        if line.gain > 0.0 and math.isfinite(before) and fell <= within.loss * abs(before):
            return Outcome.WITHIN_TOLERANCES
        if line.offset <= within.offset:
            return Outcome.WITHIN_TOLERANCES
        if within.evaluations is not None and line.evaluations >= within.evaluations:
            return Outcome.OUT_OF_ITERATIONS
        return None
