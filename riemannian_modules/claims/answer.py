"""The three kinds of answers to a claim: proved, estimated, refuted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from typing_extensions import override

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.claims.certificate import Certificate, claim_in_short
from riemannian_modules.modules.sampling_time import SamplingTime
from riemannian_modules.shown import Facts, Shown, at_least, at_most, brief_value, counted, numbers
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, repr=False)
class Tried(Shown):
    """One rule that was tried: the bound that it proved, or None and why.

    Attributes:
        rule: The rule's name.
        bound: What it proved, or None.
        outcome: In words, what came of it.
    """

    rule: str
    bound: Bound | None
    outcome: str


@final
@dataclass(frozen=True, slots=True, repr=False)
class Proved(Shown):
    """The bound holds at every point of the region, rounding included; the certificate says why.

    Attributes:
        bound: The bound.
        certificate: The claim and its evidence as data.
        tried: The rules that were tried, and what each of them gave.
        sampling_time: How long a step takes, where the module says so.
    """

    bound: Bound
    certificate: Certificate
    tried: tuple[Tried, ...] = ()
    sampling_time: SamplingTime | None = None

    @property
    def rate(self) -> float:
        """The proved contraction rate of a flow (1/time), positive when it contracts.

        Raises:
            AttributeError: For a map.
        """
        if isinstance(self.bound, LogNormBound):
            return -self.bound.rate
        raise AttributeError("A map has a factor, not a rate; read `.bound.factor`.")

    @property
    def factor(self) -> float:
        """The proved Lipschitz constant of a map.

        Raises:
            AttributeError: For a flow.
        """
        if isinstance(self.bound, LipschitzBound):
            return self.bound.factor
        raise AttributeError("A flow has a rate, not a factor; read `.rate`.")

    @override
    def facts(self) -> Facts:
        evidence, claim = self.certificate.data["evidence"], self.certificate.data["claim"]
        if isinstance(self.bound, LogNormBound):
            number = f"rate at least {at_least(-self.bound.rate)} per unit of time"
        else:
            step = " at each step" if claim["kind"] == "step" else ""
            length = "" if self.sampling_time is None else f" of {self.sampling_time}"
            number = f"factor at most {at_most(self.bound.factor)}{step}{length}"
        title = f"proved: {number}, by the rule {evidence['rule']!r}"
        return Facts(title, (("", claim_in_short(self.certificate.statement)),))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Estimated(Shown):
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

    @override
    def facts(self) -> Facts:
        known = "" if self.bound is None else f"; samples alone give {_sampled(self.bound)}"
        left = (("left open", counted(len(self.undecided), "box")),) if self.undecided else ()
        return Facts(f"undecided: nothing is proved{known}", (("", self.reason), *left))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Refuted(Shown):
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

    @override
    def facts(self) -> Facts:
        title = f"refuted: violated by at least {at_least(self.violation)}"
        where = numbers([*self.witness], [*self.witness.values()])
        return Facts(title, (("", claim_in_short(self.statement)), ("at", where)))


Answer = Proved | Estimated | Refuted
"""What a request comes to: proved, open or refuted, told apart by ``isinstance`` or ``match``."""


def _sampled(bound: Bound) -> str:
    if isinstance(bound, LogNormBound):
        return f"a rate of {brief_value(-bound.rate)}"
    return f"a factor of {brief_value(bound.factor)}"


def with_step(answer: Answer, step: SamplingTime | None) -> Answer:
    """The answer, a proof with how long a step of the module takes."""
    return replace(answer, sampling_time=step) if isinstance(answer, Proved) else answer
