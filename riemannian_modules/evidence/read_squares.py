"""Sums of squares read from a certificate, their factors proved nonnegative on the region."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, final

import sympy as sp

from riemannian_modules.arithmetic.expression_data import terms_from_data
from riemannian_modules.claims.plain_data import fraction_from_data, refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import CertificateError, UnsupportedError
from riemannian_modules.evidence.bounded_terms import constraint_terms, finite_range
from riemannian_modules.evidence.sums_of_squares import Gram, Side, SumOfSquares
from riemannian_modules.terms.polynomial_ring import Ring, ring_of


@final
class SquaresReader:
    """Reads what a `Squares` wrote; nothing of it is believed."""

    def __init__(self, problem: Problem, let: object) -> None:
        self._problem, self._let = problem, let
        self._bounded = constraint_terms(problem)

    def terms(self, data: object, where: str) -> tuple[Any, ...]:
        """Terms of the region's symbols, with its constraints put in."""
        meaning = {b.symbol: b.term for b in self._bounded}
        return tuple(e.xreplace(meaning) for e in self._written(data, where))

    def _written(self, data: object, where: str) -> tuple[Any, ...]:
        block = {"let": self._let, "terms": data}
        known = (*self._problem.symbols, *(b.symbol for b in self._bounded))
        return terms_from_data(block, known, where, CertificateError)

    def sum_of_squares(self, data: object, where: str) -> SumOfSquares:
        """A sum of squares whose factors are proved to be nonnegative on the region."""
        if not isinstance(data, list) or not data:
            raise CertificateError(f"{where}: expected a list of squares.")
        read: list[tuple[Side, tuple[Any, ...], Mapping[str, Any]]] = []
        for entry in data:
            part = refuse_unknown(entry, {"factor", "rows", "basis", "gram"}, where)
            (factor,) = self._written([part.get("factor")], f"{where}.factor")
            if not self._is_nonnegative(factor):
                raise UnsupportedError(f"{where}.factor: {str(factor)[:60]} >= 0 is not proved.")
            (meaning,) = self.terms([part.get("factor")], f"{where}.factor")
            basis = self.terms(part.get("basis"), f"{where}.basis")
            read.append((Side(factor, meaning), basis, part))
        every = [e for side, basis, _ in read for e in (side.meaning, *basis)]
        ring = ring_of(every, self._problem.symbols)
        return SumOfSquares(
            ring, tuple((side, _gram(part, basis, ring, where)) for side, basis, part in read)
        )

    def _is_nonnegative(self, product: Any) -> bool:
        """Whether a product has an even number of factors that are proved <= 0, the others >= 0."""
        signs = [self._sign(g) for g in sp.Mul.make_args(product)]
        return product == 0 or (0 not in signs and math.prod(signs) == 1)

    def _sign(self, side: Any) -> int:
        """1 where ``c + g`` or ``c - g`` is proved >= 0, -1 where it is proved <= 0, else 0.

        By the limits of g, a constraint, or by its natural range; exact in c.
        """
        c, rest = side.as_coeff_Add()
        sign, g = rest.as_coeff_Mul()
        shift = Fraction(int(c.p), int(c.q))
        if rest == 0:
            return 1 if shift >= 0 else -1
        if sign not in (1, -1) or not self._problem.is_defined:
            return 0
        low, high = self._range(g)
        low, high = (low, high) if sign == 1 else (_negative(high), _negative(low))
        if low is not None and low + shift >= 0:
            return 1
        return -1 if high is not None and high + shift <= 0 else 0

    def _range(self, g: Any) -> tuple[Fraction | None, Fraction | None]:
        for b in self._bounded:
            if b.symbol == g:
                return b.lower, b.upper
        if not g.free_symbols <= {*self._problem.symbols}:
            return None, None
        return finite_range(self._problem, g)


def _negative(end: Fraction | None) -> Fraction | None:
    return None if end is None else -end


def _gram(part: Mapping[str, Any], basis: Sequence[Any], ring: Ring, where: str) -> Gram:
    rows, entries = part.get("rows"), part.get("gram")
    if (
        not isinstance(rows, list)
        or len(rows) != len(basis)
        or not all(isinstance(i, int) and not isinstance(i, bool) for i in rows)
        or not isinstance(entries, list)
        or [len(r) if isinstance(r, list) else -1 for r in entries] != [len(basis)] * len(basis)
    ):
        raise CertificateError(f"{where}: rows, basis and gram do not fit.")
    powers: list[tuple[int, ...]] = []
    for e in basis:
        p = ring.read(e)
        if len(p) != 1 or set(p.values()) != {Fraction(1)}:
            raise UnsupportedError(f"{where}.basis: {str(e)[:60]} is no monomial.")
        powers.extend(p)
    G = [[fraction_from_data(v, f"{where}.gram") for v in row] for row in entries]
    if any(G[i][j] != G[j][i] for i in range(len(G)) for j in range(i)):
        raise CertificateError(f"{where}.gram: expected a symmetric matrix.")
    lower = tuple(tuple(row[: i + 1]) for i, row in enumerate(G))
    return Gram(tuple(rows), tuple(powers), lower)
