"""Bounds of how fast distances change: one type for continuous time, one for steps and maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class LogNormBound:
    """Distances follow at most ``exp(rate t)``, rate in 1/time; contracting if rate < 0.

    Attributes:
        rate: In 1/time; a contraction rate lambda is a log-norm of -lambda.
    """

    rate: float


@final
@dataclass(frozen=True, slots=True)
class LipschitzBound:
    """Discrete time or no time: distances grow at most by ``factor`` at each application.

    Attributes:
        factor: At least 0; contracting if below 1.
    """

    factor: float


Bound = LogNormBound | LipschitzBound
