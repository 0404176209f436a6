"""Polynomial matrices that are positive semidefinite because an exact sum of squares says so.

``v^T T(x) v = z^T G z + sum_m g_m(x) z_m^T G_m z_m`` with monomials ``z = m_k(x) v_{i_k}``, Gram
matrices G >= 0 and constraints ``g_m >= 0`` of the region. The identity is checked coefficient by
coefficient and the Gram matrices by elimination, all in rationals: nothing is rounded, so the
statement holds on unbounded regions, where enclosures of boxes say nothing.

Source: Parrilo (2003), *Semidefinite programming relaxations for semialgebraic problems*; Scherer
and Hol (2006) for matrices; Peyrl and Parrilo (2008) for exact rational Gram matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_to_data
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.certify.squares.polynomial_ring import (
    Poly,
    Powers,
    Ring,
    plus,
    ring_of,
    times,
)

PolyMatrix = Sequence[Sequence[Poly]]


@final
@dataclass(frozen=True, eq=False)
class Gram:
    """The matrix of the form ``z^T G z``, z_k = m_k v_{rows[k]}.

    Attributes:
        rows: For each element of the basis, the direction (row of T) that it multiplies.
        basis: Its monomial.
        entries: G, lower triangle, rational.
    """

    rows: tuple[int, ...]
    basis: tuple[Powers, ...]
    entries: tuple[tuple[Fraction, ...], ...]

    def at(self, k: int, j: int) -> Fraction:
        """G_kj."""
        return self.entries[max(k, j)][min(k, j)]

    def is_semidefinite(self) -> bool:
        """Whether G >= 0, exactly."""
        size = range(len(self.rows))
        return is_negative_semidefinite_rational([[-self.at(k, j) for j in size] for k in size])

    def matrix(self, n: int) -> list[list[Poly]]:
        """The polynomial matrix (n, n) whose form it is."""
        T: list[list[Poly]] = [[{} for _ in range(n)] for _ in range(n)]
        for k, (i, m) in enumerate(zip(self.rows, self.basis, strict=True)):
            for j, (other, q) in enumerate(zip(self.rows, self.basis, strict=True)):
                key = tuple(map(int.__add__, m, q))
                entry = T[i][other]
                entry[key] = entry.get(key, Fraction(0)) + self.at(k, j)
        return [[{m: c for m, c in e.items() if c} for e in row] for row in T]


@final
@dataclass(frozen=True)
class Side:
    """A generator of bounded range, ``lower <= generator <= upper`` (None where infinite)."""

    generator: sp.Expr
    lower: Fraction | None
    upper: Fraction | None

    def polynomial(self, ring: Ring) -> Poly:
        """A polynomial that is nonnegative exactly on the range: ``(s - lower)(upper - s)``."""
        s = ring.read(self.generator)
        below = None if self.lower is None else plus(s, {ring.one: self.lower}, -1)
        above = None if self.upper is None else plus({ring.one: self.upper}, s, -1)
        if below is not None and above is not None:
            return times(below, above)
        found = below if below is not None else above
        assert found is not None  # a side has a finite end
        return found


@final
@dataclass(frozen=True, eq=False)
class SumOfSquares:
    """A proof that a polynomial matrix is >= 0 wherever its sides' generators are in range."""

    ring: Ring
    main: Gram
    multipliers: tuple[tuple[Side, Gram], ...] = ()

    def matrix(self, n: int) -> list[list[Poly]]:
        """The matrix that is proved to be >= 0, multiplied out."""
        total = self.main.matrix(n)
        for side, gram in self.multipliers:
            g, extra = side.polynomial(self.ring), gram.matrix(n)
            total = [[plus(total[i][j], times(g, extra[i][j])) for j in range(n)] for i in range(n)]
        return total

    def to_data(self, symbols: Sequence[sp.Symbol], ranges: Sequence[Side]) -> dict[str, Any]:
        """As JSON data; sides of symbols by name, others by their place among ``ranges``."""
        data = self._gram_data(self.main, symbols)
        if self.multipliers:
            data["multipliers"] = [
                {
                    "constraint": {"side": str(side.generator)}
                    if isinstance(side.generator, sp.Symbol)
                    else {"range": ranges.index(side)},
                    **self._gram_data(gram, symbols),
                }
                for side, gram in self.multipliers
            ]
        return data

    def ranges(self) -> list[Side]:
        """The sides whose generators are no symbols: their ranges have to be proved, too."""
        return [s for s, _ in self.multipliers if not isinstance(s.generator, sp.Symbol)]

    def _gram_data(self, gram: Gram, symbols: Sequence[sp.Symbol]) -> dict[str, Any]:
        return {
            "rows": list(gram.rows),
            "basis": terms_to_data(symbols, [self.ring.monomial(m) for m in gram.basis]),
            "gram": [[str(c) for c in row] for row in gram.entries],
        }


def verify_sos(matrix: Sequence[Sequence[Any]], evidence: SumOfSquares) -> bool:
    """Whether the evidence proves a symmetric matrix of expressions to be >= 0, exactly.

    The ranges of the evidence's sides are taken as given.
    """
    n = len(matrix)
    if any(matrix[i][j] != matrix[j][i] for i in range(n) for j in range(i)):
        matrix = [[sp.expand(e) for e in row] for row in matrix]
        if any(matrix[i][j] != matrix[j][i] for i in range(n) for j in range(i)):
            return False
    grams = (evidence.main, *(gram for _, gram in evidence.multipliers))
    if not all(0 <= i < n for gram in grams for i in gram.rows):
        return False
    if not set(ring_of(e for row in matrix for e in row).generators) <= set(
        evidence.ring.generators
    ):
        return False
    shown = evidence.matrix(n)
    is_identity = all(
        evidence.ring.read(matrix[i][j]) == shown[i][j] for i in range(n) for j in range(i, n)
    )
    return is_identity and all(gram.is_semidefinite() for gram in grams)
