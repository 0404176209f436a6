"""Bounds of how fast distances change: one type for continuous time, one for steps and maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.shown import Facts, Shown, at_most


@final
@dataclass(frozen=True, slots=True, repr=False)
class LogNormBound(Shown):
    """Distances follow at most ``exp(rate t)``, rate in 1/time; contracting if rate < 0.

    Attributes:
        rate: In 1/time; a contraction rate lambda is a log-norm of -lambda.
    """

    rate: float

    @override
    def facts(self) -> Facts:
        return Facts(f"LogNormBound: rate at most {at_most(self.rate)} per unit of time")


@final
@dataclass(frozen=True, slots=True, repr=False)
class LipschitzBound(Shown):
    """Discrete time or no time: distances grow at most by ``factor`` at each application.

    Attributes:
        factor: At least 0; contracting if below 1.
    """

    factor: float

    @override
    def facts(self) -> Facts:
        return Facts(f"LipschitzBound: factor at most {at_most(self.factor)}")


Bound = LogNormBound | LipschitzBound
