"""Why a claim holds: the one form that all rules' reasons have.

A rule of the search finds evidence; nothing rests on how. Evidence is read without belief, proves a
claim without any search, is written into certificates, and says what it is to people.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import Norm
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.shown import Shown


@final
@dataclass(frozen=True, slots=True, repr=False)
class TableRow(Shown):
    """One number that a proof rests on, or that follows from it.

    Attributes:
        rule: What it is: "boxes", "node", "gain", "weight", "multiplier", ...
        to: The part of the system that it speaks of; "" for the whole.
        source: The other part that it depends on, for a gain the one that acts; "" for none.
        number: The number.
    """

    rule: str
    to: str
    source: str
    number: float


class Evidence(abc.ABC):
    """A reason why a claim holds.

    Attributes:
        word: Its name in certificates, tables and pictures, and in the checker.
        system: The form of the systems that it speaks of.
        norms: The norms that it proves bounds in.
    """

    word: ClassVar[str]
    system: ClassVar[type[ClaimedSystem]]
    norms: ClassVar[tuple[type[Norm], ...]]

    @classmethod
    @abc.abstractmethod
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        """The evidence that `to_data` wrote for a claim; nothing of it is believed.

        Raises:
            CertificateError: If the data is malformed, or a part of it is not proved.
        """

    @abc.abstractmethod
    def proves(self, claim: Claim) -> str | None:
        """None where it proves the claim, rounding included; else the reason why it does not.

        The claim's norm is proved to be one, and to fit the system, before.
        """

    @abc.abstractmethod
    def to_data(self, claim: Claim) -> dict[str, Any]:
        """The evidence as data, but for its word."""

    @property
    @abc.abstractmethod
    def in_words(self) -> str:
        """How it proves a claim, a sentence or two."""

    @abc.abstractmethod
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        """The numbers that it rests on, in the order in which they are used."""
