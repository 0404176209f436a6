"""Claims whose true bounds are known: these are reached, and never passed."""

from dataclasses import dataclass, field
from typing import Any

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import Budget, Estimated, Proved, Refuted, certify, verify

REACHED = 0.999  # of a rate; of a factor 1.001
EXACT = 1 - 1e-9


@dataclass(frozen=True)
class Case:
    """A claim, its true rate (flows) or factor (maps), and how much of it has to be proved."""

    module: Any
    region: Any
    norm: Any
    truth: float
    reached: float = REACHED
    options: dict = field(default_factory=dict)

    @property
    def key(self):
        return "rate" if isinstance(self.module, rm.Flow) else "factor"

    def certify(self, **asked):
        return certify(self.module, self.region, norm=self.norm, **{**self.options, **asked})

    def is_reached(self, folder):
        """Assert that the truth is proved, nearly, and proved again by both from the file."""
        answer = self.certify()
        assert isinstance(answer, Proved), answer
        if self.key == "rate":
            assert self.reached * self.truth <= answer.rate <= self.truth * (1 + 1e-12)
        else:
            assert self.truth * (1 - 1e-12) <= answer.factor <= self.truth * (2 - self.reached)
        file = answer.certificate.save(folder / "certificate.json.gz")
        assert checker.check(checker.load(file))
        again = verify(file)
        assert isinstance(again, Proved), again
        assert again.bound == answer.bound

    def is_not_passed(self):
        """Assert that a claim slightly beyond the truth is not proved."""
        beyond = self.truth * (1 + 1e-6 if self.key == "rate" else 1 - 1e-6)
        answer = self.certify(**{self.key: beyond}, budget=Budget(boxes=200, seconds=2.0))
        assert isinstance(answer, (Refuted, Estimated))
