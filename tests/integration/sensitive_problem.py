"""A flow written out with its derivatives, as the integrators take it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from riemannian_modules.integration.side_by_side import Flows


@dataclass(frozen=True, slots=True, eq=False)
class SensitiveProblem(Flows):
    """``dx/dt = f(t, x)`` of one member, with A = df/dx and f's derivatives E in k directions."""

    f: Callable[[np.ndarray, np.ndarray], np.ndarray]
    derivatives: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

    def velocity(self, t, x):
        return self.f(t[0], x[0])[None]

    def differential(self, t, x):
        A, E = self.derivatives(t[0], x[0])
        return A[None], E[None]

    def only(self, kept):
        return self
