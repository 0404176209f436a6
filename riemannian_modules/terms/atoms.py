"""Matrices of expressions as polynomials in atoms, affine in each: cancellations happen here.

Every entry is multiplied out exactly. What is left is a sum of products of *atoms* (tanh(w x)^2,
y^2, 1/(1 + p^2)^2, ...) with exact rational coefficients, affine in each atom alone. Over a box
each atom ranges over an interval, so the matrix lies in the convex hull of its values at the
corners of those
intervals: a convex test (a log-norm, definiteness) that holds at the corners holds on the box.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property, reduce
from itertools import product
from operator import mul
from typing import Any, final

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from riemannian_modules.arithmetic.affine_matrix import linear_combinations, nearest_doubles
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.quotients import factored
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.claims.constraints import Derived
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import require_time
from riemannian_modules.terms.multiplying_out import (
    Monomial,
    Polynomial,
    fewer_squares,
    polynomial,
    product_of,
    sum_of,
)
from riemannian_modules.terms.ranges import RangeLemma, atom_ranges, range_lemma
from riemannian_modules.terms.shares import in_shares

MOST_CORNERS = 4096
MANY = 100  # terms from which a matrix is summed in products of matrices
MOST_ORDER = 40  # of matrices that are compared exactly
MOST_REFINED = 24  # atoms of a bounded box whose ranges are refined before the search


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
        result = np.array(atom_ranges(self.atoms, every, low, high))
        for j, lemma in self.known.items():
            # Both enclose the atom where it is defined, so their intersection does.
            undefined = np.isnan(result[:, :, j])
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
        for term, size in zip(self.terms(low, high), self._sizes, strict=True):
            total = total + term.magnitude * size
        return total

    @cached_property
    def _sizes(self) -> list[float]:
        return [max(abs(nearest_float(v)) for v in c.values()) for c in self.coefficients]

    def with_known(self, known: Mapping[int, RangeLemma]) -> AtomForm:
        """This matrix with ranges of atoms that are proved to hold on the whole region."""
        return replace(self, known=known)

    def lemmas(
        self, symbols: tuple[sp.Symbol, ...], lower: Array, upper: Array, deadline: float = np.inf
    ) -> dict[int, RangeLemma]:
        """Tight ranges on one box (dim,) of the atoms for which a cut box gives a tighter one.

        None of many atoms on a bounded box: there the search's own cuts are worth more. Atoms that
        are not reached before the ``deadline`` (of `time.monotonic`) are left out.
        """
        found: dict[int, RangeLemma] = {}
        if len(self.atoms) > MOST_REFINED and np.isfinite([*lower, *upper]).all():
            return found
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
        if len(self.products) > MANY and np.isfinite(lower).all() and np.isfinite(upper).all():
            return self._over_at_once(lower, upper)
        batch = lower.shape[:-1]
        total = Interval.point(np.zeros((*batch, *self.shape)))
        for members, coefficient in zip(self.products, self._enclosures, strict=True):
            factor = Interval.point(np.ones((*batch, 1, 1)))
            for j in members:
                factor = factor * Interval(lower[..., j, None, None], upper[..., j, None, None])
            total = total + coefficient * factor
        return total

    def values(self, places: Array) -> Array:
        """T at atom values (batch, atoms) in plain floats, (batch, rows, columns): untrusted."""
        if not np.isfinite(places).all():  # whose products with zeros are zero here
            return self.at(places).midpoint
        terms = np.ones((len(places), len(self.products)))
        for k, members in enumerate(self.products):
            terms[:, k] = places[:, list(members)].prod(1)
        return (terms @ self._doubles[0]).reshape(len(places), *self.shape)

    def _over_at_once(self, lower: Array, upper: Array) -> Interval:
        """As `over`, in two products of matrices: for many terms."""
        batch, k = lower.shape[:-1], lower.shape[-1]
        flat = [end.reshape(-1, k) for end in (lower, upper)]
        terms = [t.broadcast_to((len(flat[0]),)) for t in self.terms(*flat)]
        ends = [np.stack([t.bounds[end] for t in terms]) for end in (0, 1)]
        found = linear_combinations(*self._doubles, *ends)
        return Interval(*(end.reshape(*batch, *self.shape) for end in found.bounds))

    @cached_property
    def _doubles(self) -> tuple[Array, Array]:
        """Nearest doubles of the coefficients (terms, entries), and their magnitudes."""
        columns = self.shape[1]
        rows = [{i * columns + j: v for (i, j), v in c.items()} for c in self.coefficients]
        return nearest_doubles(rows, math.prod(self.shape))

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

    def congruent(self, K: Sequence[Sequence[Fraction]]) -> AtomForm:
        """``K^T B K`` for each of the square blocks B that this matrix is stacked of."""
        n = self.shape[1]
        basis, scale = _over_one_denominator({(i, j): K[i][j] for i in range(n) for j in range(n)})
        right = _dense(basis, (n, n))
        kept: dict[tuple[int, ...], dict[tuple[int, int], Fraction]] = {}
        for members, entries in zip(self.products, self.coefficients, strict=True):
            whole, common = _over_one_denominator(entries)
            blocks = _dense(whole, self.shape).reshape(-1, n, n)
            changed = np.concatenate([right.T @ block @ right for block in blocks])
            found = {place: v for place, v in np.ndenumerate(changed) if v}
            if found:
                kept[members] = {k: Fraction(v, common * scale**2) for k, v in found.items()}
        return replace(self, products=tuple(kept), coefficients=tuple(kept.values()))

    def multiplied(self, M: Mapping[tuple[int, int], Fraction]) -> AtomForm:
        """``M T`` in the same atoms, for a square M by its entries; linear in those that meet."""
        left, scale = _over_one_denominator(M)
        used: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for (i, j), v in left.items():
            used[j].append((i, v))
        kept: list[dict[tuple[int, int], Fraction]] = []
        for entries in self.coefficients:
            whole, common = _over_one_denominator(entries)
            total: defaultdict[tuple[int, int], int] = defaultdict(int)
            for (j, k), v in whole.items():
                for i, m in used[j]:
                    total[i, k] += m * v
            kept.append({place: Fraction(v, common * scale) for place, v in total.items() if v})
        return self._with(kept, self.shape)

    def symmetric_sum(self) -> AtomForm:
        """``T + T^T``."""
        kept: list[dict[tuple[int, int], Fraction]] = []
        for entries in self.coefficients:
            total = dict(entries)
            for (i, j), v in entries.items():
                total[j, i] = total.get((j, i), Fraction(0)) + v
            kept.append({place: v for place, v in total.items() if v})
        return self._with(kept, self.shape)

    def bordered(self) -> AtomForm:
        """``-[[0, T^T], [T, 0]]``."""
        m, total = self.shape[1], sum(self.shape)
        kept = [
            {at: -v for (i, j), v in entries.items() for at in ((m + i, j), (j, m + i))}
            for entries in self.coefficients
        ]
        return self._with(kept, (total, total))

    def upper(self) -> AtomForm:
        """The entries on and above the diagonal."""
        kept = [{(i, j): v for (i, j), v in c.items() if i <= j} for c in self.coefficients]
        return self._with(kept, self.shape)

    def without_unused(self) -> AtomForm:
        """Without atoms that stand in no product any more; before anything is known of them."""
        used = sorted({j for members in self.products for j in members})
        place = {j: k for k, j in enumerate(used)}
        return replace(
            self,
            atoms=tuple(self.atoms[j] for j in used),
            products=tuple(tuple(place[j] for j in m) for m in self.products),
        )

    def _with(
        self, coefficients: Sequence[dict[tuple[int, int], Fraction]], shape: tuple[int, int]
    ) -> AtomForm:
        """Other coefficients of the same products, those that are not zero."""
        kept = [(m, c) for m, c in zip(self.products, coefficients, strict=True) if c]
        return replace(
            self,
            shape=shape,
            products=tuple(m for m, _ in kept),
            coefficients=tuple(c for _, c in kept),
        )

    def centred(self, centres: Mapping[sp.Expr, sp.Expr]) -> AtomForm:
        """The same matrix, multiplied out in terms ``g - c`` for its atoms' factors g, near c.

        ``cos(y) tanh(x)`` with a cosine near 1 varies as ``tanh(x)`` does: about 1, their shares in
        an entry stand in one atom.
        """
        collected = _Terms()
        for members, entries in zip(self.products, self.coefficients, strict=True):
            powers = sp.Mul(*(self.atoms[k] for k in members)).as_powers_dict()
            about = (_about(g, e, centres.get(g, sp.S.Zero)) for g, e in powers.items())
            expanded = reduce(product_of, about, {(): sp.S.One})
            for monomial, coefficient in expanded.items():
                collected.add(monomial, coefficient, entries)
        return collected.form(self.shape, self.derived)

    def linearised(self, lines: Mapping[sp.Expr, Mapping[sp.Expr, sp.Expr]]) -> AtomForm:
        """The same matrix with atoms a that stand alone as ``sum_l c_l l + (a - sum_l c_l l)``."""
        collected = _Terms()
        for members, entries in zip(self.products, self.coefficients, strict=True):
            atoms = [self.atoms[k] for k in members]
            line = lines.get(atoms[0], {}) if len(atoms) == 1 else {}
            rest = [atoms[0] - sp.Add(*(c * t for t, c in line.items()))] if line else atoms
            collected.add(tuple((a, 1) for a in rest), sp.S.One, entries)
            for term, c in line.items():
                collected.add(((term, 1),), c, entries)
        return collected.form(self.shape, self.derived)

    def block(self, k: int) -> AtomForm:
        """The k-th of the square blocks that this matrix is stacked of."""
        n = self.shape[1]
        parts = [
            {(i - k * n, j): v for (i, j), v in entries.items() if k * n <= i < (k + 1) * n}
            for entries in self.coefficients
        ]
        return self._with(parts, (n, n))

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


def _over_one_denominator(
    entries: Mapping[tuple[int, int], Fraction],
) -> tuple[dict[tuple[int, int], int], int]:
    """Whole numbers and the denominator of all: products of matrices of them need no reduction."""
    common = math.lcm(*(v.denominator for v in entries.values()))
    return {place: int(v * common) for place, v in entries.items()}, common


def _dense(entries: Mapping[tuple[int, int], int], shape: tuple[int, int]) -> NDArray[Any]:
    """Whole numbers of any length as an array of objects: their sums and products are exact."""
    matrix = np.zeros(shape, dtype=object)
    for place, value in entries.items():
        matrix[place] = value
    return matrix


def corners(lower: Array, upper: Array) -> Array:
    """All corners of boxes of atoms: (batch, k) -> (batch, 2^k, k)."""
    k = lower.shape[-1]
    choice = np.array(list(product((False, True), repeat=k)), dtype=bool).reshape(2**k, k)
    return np.where(choice, upper[:, None, :], lower[:, None, :])


def atom_form(matrix: Sequence[Sequence[sp.Expr]], derived: tuple[Derived, ...] = ()) -> AtomForm:
    """Multiply a matrix of expressions out into atoms.

    Linear terms that the region bounds stand as symbols, quotients as shares.

    Raises:
        UnsupportedError: If the products have too many terms.
    """

    def short(e: Any) -> Any:
        for d in derived:
            e = d.put_into(e)
        return in_shares(e, polynomial)

    rows, columns = len(matrix), len(matrix[0]) if matrix else 0
    entries = {(i, j): short(e) for i, row in enumerate(matrix) for j, e in enumerate(row)}
    return sparse_atom_form(entries, (rows, columns), derived)


def sparse_atom_form(
    entries: Mapping[tuple[int, int], sp.Expr],
    shape: tuple[int, int],
    derived: Sequence[Derived] = (),
) -> AtomForm:
    """As `atom_form`, of the entries of a matrix that are not zero; linear in their number."""
    each = cache(polynomial)  # a symmetric matrix has most of its entries twice
    read = {place: each(entry) for place, entry in entries.items()}
    plain = _collected(read, shape, tuple(derived))
    for trial in fewer_squares(read):
        form = _collected(trial, shape, tuple(derived))
        if len(form.atoms) < len(plain.atoms):
            read, plain = trial, form
    if not any(k < 0 for p in read.values() for m in p for _, k in m):
        return plain
    merged = _collected({at: _merged(p) for at, p in read.items()}, shape, tuple(derived))
    joined = _collected({at: _joined_quotients(p) for at, p in read.items()}, shape, tuple(derived))
    return min((merged, plain, joined), key=lambda form: len(form.atoms))


def _collected(
    entries: Mapping[tuple[int, int], Polynomial],
    shape: tuple[int, int],
    derived: tuple[Derived, ...],
) -> AtomForm:
    """A matrix of polynomials, with atoms for the products of their generators."""
    collected = _Terms()
    for place, entry in entries.items():
        for monomial, coefficient in entry.items():
            collected.add(monomial, coefficient, {place: Fraction(1)})
    return collected.form(shape, derived)


@final
class _Terms:
    """The terms of an `AtomForm`, collected monomial by monomial."""

    def __init__(self) -> None:
        self._atoms: dict[sp.Expr, int] = {}
        self._members: dict[Monomial, tuple[int, ...]] = {}
        self._entries: defaultdict[tuple[int, ...], dict[tuple[int, int], Fraction]] = defaultdict(
            dict
        )

    def add(
        self, monomial: Monomial, coefficient: Any, entries: Mapping[tuple[int, int], Fraction]
    ) -> None:
        """Add a monomial times a rational coefficient times a matrix."""
        if monomial not in self._members:
            atoms = (self._atoms.setdefault(a, len(self._atoms)) for a in _atoms_of(monomial))
            self._members[monomial] = tuple(sorted(atoms))
        # Monomials that differ as written may be one product of atoms: exp(x)^2, exp(2 x).
        table, c = self._entries[self._members[monomial]], Fraction(coefficient.p, coefficient.q)
        for place, value in entries.items():
            table[place] = table.get(place, 0) + c * value

    def form(self, shape: tuple[int, int], derived: tuple[Derived, ...]) -> AtomForm:
        """What was collected."""
        kept = {m: c for m, c in self._entries.items() if any(c.values())}
        return AtomForm(shape, tuple(self._atoms), tuple(kept), tuple(kept.values()), derived)


def _about(g: Any, exponent: Any, c: Any) -> Polynomial:
    """``g^exponent`` as a polynomial in ``g - c``."""
    if c == 0 or not exponent.is_Integer or exponent < 0:
        return {((g, exponent),): sp.S.One}
    m = int(exponent)
    return {
        ((g - c, k),) if k else (): sp.Integer(math.comb(m, k)) * c ** (m - k) for k in range(m + 1)
    }


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
            require_time()
            written: Any = sp.Add(*(c * sp.Mul(*(b**k for b, k in m)) for m, c in group.items()))
            quotient: Any = factored(written)
            c, one = quotient.as_coeff_Mul()
            total = sum_of([total, {((one, 1),): c} if one.free_symbols else polynomial(c * one)])
        else:
            total |= group
    return total


def _joined_quotients(p: Polynomial) -> Polynomial:
    """Each quotient with all factors of its symbols as one generator.

    y / (x^2 + y^2) is small for a large y, where y itself and the rest have no common bound.
    """
    total: list[Polynomial] = []
    for monomial, c in p.items():
        symbols: set[Any] = {s for base, k in monomial if k < 0 for s in base.free_symbols}
        inside = [(b, k) for b, k in monomial if b.free_symbols <= symbols]
        others = tuple(pair for pair in monomial if pair not in inside)
        one = sp.Mul(*(b**k for b, k in inside))
        total.append({(*others, (one, 1)) if inside else monomial: c})
    return sum_of(total)


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
