"""A claim: a system, a norm and a bound on the system's region, with the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from riemannian_modules.bound import Bound
from riemannian_modules.claims.kind import bound_of
from riemannian_modules.claims.norms import L2, Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.statement import statement_of
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError


@final
@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """The bound b of a system in a norm, at every point of its region.

    Attributes:
        system: The system and its region.
        norm: The norm of the state, or of a static map's outputs.
        b: The log-norm of a flow, the factor of a step, the gain of a map.
        input_norm: Of static maps, the norm of the inputs; Euclidean when None.
    """

    system: ClaimedSystem
    norm: Norm
    b: float
    input_norm: L2 | None = None

    @property
    def bound(self) -> Bound:
        """The bound with its meaning."""
        return bound_of(self.system.kind, self.b)

    @property
    def problem(self) -> Problem:
        """The system, where it is one of expressions; raises CertificateError."""
        if isinstance(self.system, Problem):
            return self.system
        raise CertificateError("system: expected a system of type 'expressions'.")

    @property
    def statement(self) -> str:
        """The claim in words."""
        s = self.system
        return statement_of(
            s.kind, self.b, self.norm, self.input_norm, s.region_in_words, s.horizontal
        )

    @property
    def in_symbols(self) -> str:
        """The inequality in symbols, with the number."""
        condition = self.system.in_symbols(self.norm)
        return f"{condition}, b = {self.b!r}, at every point of the region"

    def to_data(self) -> dict[str, Any]:
        """The claim as data; its words and symbols follow from the numbers."""
        data: dict[str, Any] = {
            "statement": self.statement,
            "symbols": self.in_symbols,
            "kind": self.system.kind,
            "bound": self.b,
            "norm": self.norm.to_data(self.system.symbols),
        }
        if self.input_norm is not None:
            data["input_norm"] = self.input_norm.to_data()
        if self.system.horizontal is not None:
            data["horizontal"] = self.system.horizontal.to_data()
        return data
