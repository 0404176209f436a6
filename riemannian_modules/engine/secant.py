"""Second derivatives that the Gauss-Newton metric leaves out, learned from the gradients met.

Source: Dennis, Gay and Welsch (1981), ACM Trans. Math. Softw. 7, 348-368 (NL2SOL): the structured
secant update, its size, and the choice between both models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.engine.trust_region import is_finite, norm
from riemannian_modules.spaces import Array

_TRUSTED, _KEPT = 0.7, 1.0  # part of the plain model's error that it may have


@final
@dataclass(frozen=True, slots=True, eq=False)
class Secant:
    """S (p, p), symmetric, so that the Hessian is about ``U U^T + S``.

    Attributes:
        S: Zero at first.
        is_trusted: Whether steps are taken with it.
    """

    S: Array
    is_trusted: bool = False

    @classmethod
    def nothing(cls, p: int) -> Secant:
        """What is known at the start."""
        return cls(np.zeros((p, p)))

    def curved(self, step: Array) -> float:
        """What it adds to the model's promise, ``1/2 s^T S s``."""
        return 0.5 * float(step.dot(self.S).dot(step))

    def judged(self, step: Array, bent: Array, scale: Array) -> Secant:
        """The same, trusted if it foretold most of how the gradient turned beside the metric.

        Args:
            step: s, (p,).
            bent: The part of the gradient's change along it that ``U U^T`` does not explain, (p,).
            scale: What one unit of length is for each parameter, (p,).
        """
        with_it = norm((bent - self.S.dot(step)) / scale)
        share = _KEPT if self.is_trusted else _TRUSTED
        is_trusted = with_it < share * norm(bent / scale)
        return self if is_trusted is self.is_trusted else Secant(self.S, is_trusted)

    def updated(self, step: Array, turned: Array, bent: Array) -> Secant:
        """S with ``S s = bent``, nearest to what it was.

        Args:
            step: s, (p,).
            turned: By how much the gradient changed along it, (p,).
            bent: The part of that which ``U U^T`` does not explain, (p,).
        """
        along, known = float(step.dot(turned)), self.S.dot(step)
        seen = float(step.dot(known))
        if not along > 1e-12 * norm(step) * norm(turned):
            return self
        size = min(1.0, abs(float(step.dot(bent)) / seen)) if seen else 1.0
        y, left = turned / along, bent - size * known
        both = (left - 0.5 * left.dot(step) * y)[:, None] * y
        found = size * self.S + both + both.T
        if not is_finite(found):
            return Secant.nothing(len(step))
        return Secant(found, self.is_trusted)
