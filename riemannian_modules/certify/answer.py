"""The three kinds of answers to a claim: proved, estimated, refuted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.certificate import Certificate
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True)
class Tried:
    """One rule that was tried: the bound that it proved, or None and why."""

    rule: str
    bound: Bound | None
    outcome: str


@final
@dataclass(frozen=True, slots=True)
class Proved:
    """The bound holds at every point of the region, rounding included; the certificate says why.

    Attributes:
        bound: The bound.
        certificate: The claim and its evidence as data.
        tried: The rules that were tried, and what each of them gave.
    """

    bound: Bound
    certificate: Certificate
    tried: tuple[Tried, ...] = ()

    @property
    def rate(self) -> float:
        """The proved contraction rate of a flow (1/time), positive when it contracts."""
        if isinstance(self.bound, LogNormBound):
            return -self.bound.rate
        raise AttributeError("A map has a factor, not a rate; read `.bound.factor`.")

    @property
    def factor(self) -> float:
        """The proved Lipschitz constant of a map."""
        if isinstance(self.bound, LipschitzBound):
            return self.bound.factor
        raise AttributeError("A flow has a rate, not a factor; read `.rate`.")

    def __str__(self) -> str:
        return f"proved: {self.certificate.statement}"


@final
@dataclass(frozen=True, slots=True)
class Estimated:
    """Undecided: nothing is proved. ``bound`` is what samples show, no more.

    Attributes:
        bound: The worst log-norm or gain among the samples, or None where none could be computed.
        reason: Why it was not decided, and what would decide it.
        undecided: Boxes that are left, each a mapping from coordinates to (lower, upper), largest
            first.
        tried: The rules that were tried, and what each of them gave.
        search: The search so far: ``certify(..., resume=answer.search)`` goes on from there.
        was_interrupted: Whether the user ended it (KeyboardInterrupt).
    """

    bound: Bound | None
    reason: str
    undecided: tuple[Mapping[str, tuple[float, float]], ...] = field(default=())
    tried: tuple[Tried, ...] = ()
    search: Any = None
    was_interrupted: bool = False

    def __str__(self) -> str:
        return f"undecided: {self.reason}"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Refuted:
    """The claim is false: at ``witness`` it is violated, evaluated rigorously.

    Attributes:
        statement: What is violated there.
        witness: The point, by coordinates.
        violation: A proved lower bound of the violation: what should be negative is at least this.
        direction: The direction (n,) in which it is violated, or None.
    """

    statement: str
    witness: Mapping[str, float]
    violation: float
    direction: Array | None = None

    def __str__(self) -> str:
        return f"refuted: {self.statement}"


Answer = Proved | Estimated | Refuted
