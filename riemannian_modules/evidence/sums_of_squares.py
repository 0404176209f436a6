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

from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.terms.atom_data import EvidenceWriter
from riemannian_modules.terms.generalised import Rows, product
from riemannian_modules.terms.normal_form import normal, vanishes
from riemannian_modules.terms.polynomial_ring import (
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
    """A term that is nonnegative on the region.

    Attributes:
        factor: As it is written: a product of terms whose ranges show it, among them the names of
            the region's constraints.
        meaning: The same in symbols alone.
    """

    factor: sp.Expr
    meaning: sp.Expr

    def polynomial(self, ring: Ring) -> Poly:
        """The term multiplied out."""
        return ring.read(self.meaning)


NO_SIDE = Side(sp.S.One, sp.S.One)


@final
@dataclass(frozen=True, eq=False)
class SumOfSquares:
    """A proof that a polynomial matrix is >= 0 wherever all of its factors are.

    Attributes:
        ring: The ring of all of its polynomials.
        parts: Pairs of a factor g_m and a Gram matrix; the first factor is 1.
    """

    ring: Ring
    parts: tuple[tuple[Side, Gram], ...]

    def matrix(self, n: int) -> list[list[Poly]]:
        """The matrix that is proved to be >= 0, multiplied out."""
        total: list[list[Poly]] = [[{} for _ in range(n)] for _ in range(n)]
        for side, gram in self.parts:
            g, extra = side.polynomial(self.ring), gram.matrix(n)
            total = [[plus(total[i][j], times(g, extra[i][j])) for j in range(n)] for i in range(n)]
        return total

    def to_data(self, writer: EvidenceWriter) -> list[dict[str, Any]]:
        """As JSON data."""
        return [
            {
                "factor": writer.terms([side.factor])[0],
                "rows": list(gram.rows),
                "basis": writer.terms([self.ring.monomial(m) for m in gram.basis]),
                "gram": [
                    [str(gram.at(k, j)) for j in range(len(gram.rows))]
                    for k in range(len(gram.rows))
                ],
            }
            for side, gram in self.parts
        ]


def verify_sos(matrix: Sequence[Sequence[Any]], evidence: SumOfSquares) -> bool:
    """Whether the evidence proves a symmetric matrix of expressions to be >= 0, exactly.

    That its factors are nonnegative is taken as given.
    """
    n = len(matrix)
    if any(matrix[i][j] != matrix[j][i] for i in range(n) for j in range(i)):
        matrix = [[sp.expand(e) for e in row] for row in matrix]
        if any(matrix[i][j] != matrix[j][i] for i in range(n) for j in range(i)):
            return False
    grams = [gram for _, gram in evidence.parts]
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


def verify_in_basis(K: Rows, carried: Rows, evidence: SumOfSquares) -> bool:
    """As `verify_sos`, for the matrix T with ``K^T T K`` carried, where K is regular.

    What is equal in one basis is so in another, over one denominator; there T may be short.
    """
    n = len(K)
    grams = [gram for _, gram in evidence.parts]
    if not all(0 <= i < n and gram.is_semidefinite() for gram in grams for i in gram.rows):
        return False
    shown = [[evidence.ring.expression(e) for e in row] for row in evidence.matrix(n)]
    half = [[normal(e) for e in row] for row in product(shown, K)]
    whole = product([list(column) for column in zip(*K, strict=True)], half)
    return all(vanishes(whole[i][j] - carried[i][j]) for i in range(n) for j in range(n))
