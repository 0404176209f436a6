"""What an integration took: which solvers ran, their steps, evaluations and Jacobians.

Source: none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from typing_extensions import override

from riemannian_modules.shown import Facts, Shown, counted

_THEN = ", then "


@final
@dataclass(frozen=True, slots=True, repr=False)
class SolverRun(Shown):
    """Which solver ran, and what it took, all stretches and repeats together.

    Attributes:
        solver: The solvers by name, in the order in which they were first called.
        steps: Accepted steps.
        evaluations: Evaluations of the derivative, those for Jacobians by differences included.
        jacobians: Evaluations of the Jacobian.
    """

    solver: str
    steps: int
    evaluations: int
    jacobians: int

    @override
    def facts(self) -> Facts:
        return Facts(f"SolverRun by {self.solver or 'none'}: {self.in_words}")

    def followed_by(self, other: SolverRun) -> SolverRun:
        """The counts of two runs together."""
        names = [*self.solver.split(_THEN), *other.solver.split(_THEN)]
        return SolverRun(
            _THEN.join(dict.fromkeys(filter(None, names))),
            self.steps + other.steps,
            self.evaluations + other.evaluations,
            self.jacobians + other.jacobians,
        )

    @property
    def in_words(self) -> str:
        """The counts: ``310 steps, 655 evaluations, 12 Jacobians``."""
        parts = (
            (self.steps, "step"),
            (self.evaluations, "evaluation"),
            (self.jacobians, "Jacobian"),
        )
        return ", ".join(counted(number, noun) for number, noun in parts)


@final
@dataclass(eq=False, slots=True)
class Tally:
    """Counts as they come in."""

    solvers: list[str] = field(default_factory=list[str])
    steps: int = 0
    evaluations: int = 0
    jacobians: int = 0

    def add(self, solver: str, steps: int, evaluations: int, jacobians: int) -> None:
        """Count one call of a solver."""
        if solver not in self.solvers:
            self.solvers.append(solver)
        self.steps += int(steps)
        self.evaluations += int(evaluations)
        self.jacobians += int(jacobians)

    def include(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.solvers += [name for name in other.solvers if name not in self.solvers]
        self.steps += other.steps
        self.evaluations += other.evaluations
        self.jacobians += other.jacobians

    def total(self) -> SolverRun:
        """The counts so far."""
        return SolverRun(_THEN.join(self.solvers), self.steps, self.evaluations, self.jacobians)
