"""Matrices of expressions as polynomials in atoms, affine in each: cancellations happen here.

Every entry is multiplied out exactly. What is left is a sum of products of *atoms* (tanh(w x)^2,
y^2, 1/(1 + p^2)^2, ...) with exact rational coefficients, affine in each atom alone. Over a box
each atom ranges over an interval, so the matrix lies in the convex hull of its values at the
corners of those
intervals: a convex test (a log-norm, definiteness) that holds at the corners holds on the box.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce
from itertools import product
from operator import mul
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.certify.constraints import Derived
from riemannian_modules.certify.ranges import RangeLemma, atom_range, range_lemma
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.space import Array

LARGEST_TERMS = 200_000
MOST_CORNERS = 4096
MOST_ORDER = 40  # of matrices that are compared exactly

Monomial = tuple[tuple[Any, int], ...]  # (base, exponent) pairs, sorted
Polynomial = dict[Monomial, Any]  # exact rational coefficients


@final
@dataclass(frozen=True, eq=False)
class AtomForm:
    """``T(a) = sum_k coefficients[k] prod_{j in products[k]} a_j``, a matrix affine in each atom.

    Attributes:
        shape: (rows, columns).
        atoms: The atoms' expressions.
        products: For each term, the atoms that it multiplies (positions; empty for the constant).
        coefficients: For each term, its entries {(i, j): exact rational}.
        derived: Symbols of the atoms that stand for linear terms bounded by the region.
        known: For atoms by position, ranges that are proved to hold on the whole region.
        one_sided: For atoms that move T one way only, whether upwards: their one end decides.
    """

    shape: tuple[int, int]
    atoms: tuple[sp.Expr, ...]
    products: tuple[tuple[int, ...], ...]
    coefficients: tuple[dict[tuple[int, int], Fraction], ...]
    derived: tuple[Derived, ...] = ()
    known: Mapping[int, RangeLemma] = field(default_factory=dict[int, RangeLemma])
    one_sided: Mapping[int, bool] = field(default_factory=dict[int, bool])

    @cached_property
    def corner_count(self) -> int:
        """Number of corners of the atoms' box that have to be tested."""
        return 2 ** (len(self.atoms) - len(self.one_sided))

    def corners(self, lower: Array, upper: Array) -> Array:
        """The corners of boxes of atoms that have to be tested: (batch, k) -> (batch, c, k)."""
        free = [j for j in range(len(self.atoms)) if j not in self.one_sided]
        some = corners(lower[:, free], upper[:, free])
        places = np.repeat(upper[:, None, :], some.shape[1], axis=1)
        places[:, :, free] = some
        return places

    @cached_property
    def symbols(self) -> frozenset[sp.Symbol]:
        """The coordinates that the atoms depend on."""
        terms: dict[Any, Any] = {d.symbol: d.term for d in self.derived}
        mentioned: set[Any] = {s for a in self.atoms for s in a.free_symbols}
        return frozenset(t for s in mentioned for t in terms.get(s, s).free_symbols)

    def ranges(
        self, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
    ) -> tuple[Array, Array]:
        """Lower and upper ends of each atom on a batch of boxes (batch, dim), each (batch, atoms).

        NaN marks an atom that may be undefined somewhere in the box.
        """
        every, low, high = self.extended(symbols, lower, upper)
        result = np.empty((2, len(lower), len(self.atoms)))
        for j, atom in enumerate(self.atoms):
            result[:, :, j] = atom_range(atom, every, low, high)
            if j in self.known:
                # Both enclose the atom where it is defined, so their intersection does.
                lemma, undefined = self.known[j], np.isnan(result[:, :, j])
                cut = np.clip(result[:, :, j], lemma.lower, lemma.upper)
                result[:, :, j] = np.where(undefined, np.nan, cut)
        return result[0], result[1]

    def decisive(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Boxes of atoms (batch, atoms) cut to the ends at which T is largest, as matrices are.

        A test that bounds T from above holds on the whole when it holds there. Infinite ends stay.
        """
        if not self.one_sided:
            return low, high
        low, high = low.copy(), high.copy()
        for j, is_rising in self.one_sided.items():
            end = high[:, j] if is_rising else low[:, j]
            finite = np.isfinite(end)
            low[finite, j] = high[finite, j] = end[finite]
        return low, high

    def with_one_sided(self) -> AtomForm:
        """This symmetric matrix with the atoms marked whose own matrix is semidefinite.

        Such an atom stands alone in one term, ``a S``; with S >= 0 the matrix is largest at a's
        upper end, with S <= 0 at its lower one, whatever the other atoms are.
        """
        found: dict[int, bool] = {}
        for members in self.products:
            if len(members) != 1 or self.shape[0] > MOST_ORDER:
                continue
            (j,) = members
            if sum(j in other for other in self.products) == 1:
                S = self.slope(j).at_exact([Fraction(0)] * len(self.atoms))
                if is_negative_semidefinite_rational([[-v for v in row] for row in S]):
                    found[j] = True
                elif is_negative_semidefinite_rational(S):
                    found[j] = False
        return replace(self, one_sided=found)

    def extended(
        self, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array
    ) -> tuple[tuple[sp.Symbol, ...], Array, Array]:
        """Symbols and boxes (batch, dim) with a column for each derived symbol."""
        if not self.derived:
            return symbols, lower, upper
        ends = [d.columns(symbols, lower, upper) for d in self.derived]
        return (
            (*symbols, *(d.symbol for d in self.derived)),
            np.column_stack([lower, *(low for low, _ in ends)]),
            np.column_stack([upper, *(high for _, high in ends)]),
        )

    def term_sizes(self, low: Array, high: Array) -> Array:
        """The sum of the terms' largest entries on boxes of atoms (batch, atoms), in floats."""
        total = np.zeros(len(low))
        for term, entries in zip(self.terms(low, high), self.coefficients, strict=True):
            total = total + term.magnitude * max(abs(float(v)) for v in entries.values())
        return total

    def with_known(self, known: Mapping[int, RangeLemma]) -> AtomForm:
        """This matrix with ranges of atoms that are proved to hold on the whole region."""
        return replace(self, known=known)

    def lemmas(
        self, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array, deadline: float = np.inf
    ) -> dict[int, RangeLemma]:
        """Tight ranges on one box (dim,) of the atoms for which a cut box gives a tighter one.

        Atoms that are not reached before the ``deadline`` (of `time.monotonic`) are left out.
        """
        found: dict[int, RangeLemma] = {}
        own = set(symbols)
        for j, atom in enumerate(self.atoms):
            if time.monotonic() >= deadline or not atom.free_symbols <= own:
                continue
            lemma = range_lemma(atom, symbols, lower, upper)
            if lemma is not None:
                found[j] = lemma
        return found

    @cached_property
    def _enclosures(self) -> list[Interval]:
        """Each term's coefficient matrix, tightest float enclosure."""
        result: list[Interval] = []
        for entries in self.coefficients:
            low, high = np.zeros(self.shape), np.zeros(self.shape)
            for place, value in entries.items():
                enclosed = Interval.rational(value)
                low[place], high[place] = float(enclosed.lower), float(enclosed.upper)
            result.append(Interval(low, high))
        return result

    def over(self, lower: Array, upper: Array) -> Interval:
        """Enclosures of T over boxes of atoms (..., atoms), shape (..., rows, columns)."""
        batch = lower.shape[:-1]
        total = Interval.point(np.zeros((*batch, *self.shape)))
        for members, coefficient in zip(self.products, self._enclosures, strict=True):
            factor = Interval.point(np.ones((*batch, 1, 1)))
            for j in members:
                factor = factor * Interval(lower[..., j, None, None], upper[..., j, None, None])
            total = total + coefficient * factor
        return total

    def terms(self, lower: Array, upper: Array) -> list[Interval]:
        """Each term's product of atoms over boxes of atoms (batch, atoms), shape (batch,) or ()."""
        ends = [
            [np.ascontiguousarray(end[:, j]) for j in range(lower.shape[1])]
            for end in ([lower] if lower is upper else [lower, upper])
        ]
        atoms = [Interval(*pair) for pair in zip(ends[0], ends[-1], strict=True)]
        return [
            reduce(mul, (atoms[j] for j in members), Interval.point(1.0))
            if len(members) != 1
            else atoms[members[0]]
            for members in self.products
        ]

    def at(self, corners: Array) -> Interval:
        """Enclosures of T at exact atom values (..., atoms), shape (..., rows, columns)."""
        return self.over(corners, corners)

    def at_exact(self, corner: Sequence[Fraction]) -> list[list[Fraction]]:
        """T at one corner in exact rationals."""
        rows, columns = self.shape
        T = [[Fraction(0)] * columns for _ in range(rows)]
        for members, entries in zip(self.products, self.coefficients, strict=True):
            factor = Fraction(1)
            for j in members:
                factor *= corner[j]
            for (i, j), value in entries.items():
                T[i][j] += value * factor
        return T

    def scaled(self, factor: int) -> AtomForm:
        """This matrix times a whole number."""
        return AtomForm(
            self.shape,
            self.atoms,
            self.products,
            tuple({place: factor * v for place, v in c.items()} for c in self.coefficients),
        )

    def minus(
        self, terms: Mapping[tuple[int, ...], Mapping[tuple[int, int], Fraction]]
    ) -> AtomForm:
        """This matrix less some terms in the same atoms."""
        table = {m: dict(c) for m, c in zip(self.products, self.coefficients, strict=True)}
        for members, entries in terms.items():
            place = table.setdefault(members, {})
            for at, value in entries.items():
                place[at] = place.get(at, Fraction(0)) - value
        return replace(self, products=tuple(table), coefficients=tuple(table.values()))

    def slope(self, atom: int) -> AtomForm:
        """The derivative of T by one atom: again affine in each of the others."""
        kept = [
            (tuple(j for j in m if j != atom), c)
            for m, c in zip(self.products, self.coefficients, strict=True)
            if atom in m
        ]
        return AtomForm(
            self.shape, self.atoms, tuple(m for m, _ in kept), tuple(c for _, c in kept)
        )


def corners(lower: Array, upper: Array) -> Array:
    """All corners of boxes of atoms: (batch, k) -> (batch, 2^k, k)."""
    k = lower.shape[-1]
    choice = np.array(list(product((False, True), repeat=k)), dtype=bool).reshape(2**k, k)
    return np.where(choice, upper[:, None, :], lower[:, None, :])


def atom_form(matrix: Sequence[Sequence[sp.Expr]], derived: tuple[Derived, ...] = ()) -> AtomForm:
    """Multiply a matrix of expressions out into atoms, with symbols for linear terms in functions.

    Raises:
        UnsupportedError: If the products have more terms than ``LARGEST_TERMS``.
    """
    rows, columns = len(matrix), len(matrix[0]) if matrix else 0
    entries = {(i, j): entry for i, row in enumerate(matrix) for j, entry in enumerate(row)}
    return sparse_atom_form(entries, (rows, columns), derived)


def sparse_atom_form(
    entries: Mapping[tuple[int, int], sp.Expr],
    shape: tuple[int, int],
    derived: Sequence[Derived] = (),
) -> AtomForm:
    """As `atom_form`, of the entries of a matrix that are not zero; linear in their number."""
    read: dict[tuple[int, int], Polynomial] = {}
    for place, entry in entries.items():
        for d in derived:
            entry = d.put_into(entry)  # noqa: PLW2901 - the same entry, shortened
        read[place] = polynomial(entry)
    plain = _affine(read, shape, tuple(derived))
    if not any(k < 0 for p in read.values() for m in p for _, k in m):
        return plain
    merged = _affine({at: _merged(p) for at, p in read.items()}, shape, tuple(derived))
    return merged if len(merged.atoms) <= len(plain.atoms) else plain


def _affine(
    entries: Mapping[tuple[int, int], Polynomial],
    shape: tuple[int, int],
    derived: tuple[Derived, ...],
) -> AtomForm:
    """A matrix of polynomials, with atoms for the products of their generators."""
    atoms: dict[sp.Expr, int] = {}
    terms: defaultdict[tuple[int, ...], dict[tuple[int, int], Fraction]] = defaultdict(dict)
    for (i, j), entry in entries.items():
        for monomial, coefficient in entry.items():
            members = tuple(sorted(atoms.setdefault(a, len(atoms)) for a in _atoms_of(monomial)))
            # Monomials that differ as written may be one product of atoms: exp(x)^2, exp(2 x).
            place, value = terms[members], Fraction(int(coefficient.p), int(coefficient.q))
            place[i, j] = place.get((i, j), Fraction(0)) + value
    kept = {m: c for m, c in terms.items() if any(c.values())}
    return AtomForm(shape, tuple(atoms), tuple(kept), tuple(kept.values()), derived)


def _merged(p: Polynomial) -> Polynomial:
    """Fractions of the same symbols over one denominator, as one generator.

    They move together: x^2 / (1 + x^2) + 1 / (1 + x^2) is 1, and lies not in [0, 2].
    """
    groups: defaultdict[frozenset[Any], Polynomial] = defaultdict(dict)
    for monomial, c in p.items():
        symbols = {s for base, _ in monomial for s in base.free_symbols}
        groups[frozenset(symbols)][monomial] = c
    total: Polynomial = {}
    for group in groups.values():
        if len(group) > 1 and any(k < 0 for m in group for _, k in m):
            written: Any = sp.Add(*(c * sp.Mul(*(b**k for b, k in m)) for m, c in group.items()))
            quotient: Any = sp.factor(sp.together(written))
            c, one = quotient.as_coeff_Mul()
            total = _sum([total, {((one, 1),): c} if one.free_symbols else polynomial(c * one)])
        else:
            total |= group
    return total


def _atoms_of(monomial: Monomial) -> list[sp.Expr]:
    """A monomial's atoms: factors of the same symbols are one atom, whose range is tighter."""
    groups: dict[frozenset[Any], Any] = {}
    waiting = [base**exponent for base, exponent in monomial]
    while waiting:
        # A product may lose symbols, exp(x + y) exp(x - y), and then belongs to another group: no
        # two atoms of a monomial have the same symbols, so no atom comes twice in it.
        atom = waiting.pop()
        symbols = frozenset(atom.free_symbols)
        if symbols in groups:
            waiting.append(groups.pop(symbols) * atom)
        else:
            groups[symbols] = atom
    return [atom for atom in groups.values() if atom != 1]


def polynomial(e: Any) -> Polynomial:
    """An expression multiplied out over its sums and products; everything else is a generator."""
    if e.is_Rational:
        return {(): e} if e != 0 else {}
    if e.is_Add:
        return _sum([polynomial(a) for a in e.args])
    if e.is_Mul:
        result: Polynomial = {(): sp.S.One}
        for a in e.args:
            result = _times(result, polynomial(a))
        return result
    if isinstance(e, sp.Pow) and e.exp.is_Integer:
        if e.exp > 1 and (e.base.is_Add or e.base.is_Mul) and e.exp <= 16:
            factor, result = polynomial(e.base), {(): sp.S.One}
            for _ in range(int(e.exp)):
                result = _times(result, factor)
            return result
        return {((e.base, int(e.exp)),): sp.S.One}
    return {((e, 1),): sp.S.One}


def _sum(parts: Sequence[Polynomial]) -> Polynomial:
    total: Polynomial = {}
    for part in parts:
        for monomial, coefficient in part.items():
            total[monomial] = total.get(monomial, sp.S.Zero) + coefficient
    return {m: c for m, c in total.items() if c != 0}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    if len(a) * len(b) > LARGEST_TERMS:
        raise UnsupportedError(
            f"Multiplying the Jacobian out gives over {LARGEST_TERMS} terms. Certify the modules "
            "one by one and compose them (certify_network)."
        )
    total: Polynomial = {}
    for (m, c), (n, d) in product(a.items(), b.items()):
        powers: dict[Any, int] = dict(m)
        for base, exponent in n:
            powers[base] = powers.get(base, 0) + exponent
        key = tuple(
            sorted(
                ((x, k) for x, k in powers.items() if k),
                key=lambda pair: sp.default_sort_key(pair[0]),
            )
        )
        total[key] = total.get(key, sp.S.Zero) + c * d
    return {m: c for m, c in total.items() if c != 0}
