"""The search for Gram matrices: polynomial matrices, affine in parameters, as sums of squares.

A matrix ``T(x) = sum_p theta_p T_p(x)`` is written over a basis of monomials that its exponents
allow, and each coefficient gives one equation between parameters and Gram entries. Coefficients
that no product of basis elements reaches have to vanish; that is imposed on the parameters exactly,
so that parameters rounded to rationals keep the identity.

Source: Parrilo (2003); Loefberg (2009), *Pre- and post-processing sum-of-squares programs in
practice*, for the pruning of the basis; Peyrl and Parrilo (2008) for rounding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.arithmetic.spectra import symmetric_eigenpairs, symmetric_eigenvalues
from riemannian_modules.evidence.sums_of_squares import (
    NO_SIDE,
    Gram,
    PolyMatrix,
    Side,
    SumOfSquares,
)
from riemannian_modules.search.linear_forms import nullspace
from riemannian_modules.search.metrics.cone_program import ConeProgram
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import require_time
from riemannian_modules.terms.polynomial_ring import Poly, Powers, Ring

Place = tuple[int, int, Powers]  # row, column, monomial: one coefficient of the upper triangle
Element = tuple[int, Powers]  # a basis element: direction and monomial
Form = dict[Element, Fraction]  # a combination of elements
FACES = 4  # times that a singular Gram matrix leads to a smaller basis
SINGULAR = 1e-5  # part of the largest eigenvalue below which one counts as zero
SIMPLE = 32  # bits of a form's coefficients; a kernel that needs more is no kernel of rationals
OUTSIDE = 1e-6  # relative margin below zero that no Gram matrix on the boundary shows
MOST_EXACT = 2_000  # entries of Gram matrices up to which all of them are mended together
LARGEST = 8_000  # entries of Gram matrices up to which a program is solved
BITS = 40  # Gram entries are rounded to this many bits below the largest


@final
@dataclass(frozen=True, eq=False)
class Shape:
    """Which coefficients a matrix may have, and the bases that reach them.

    Attributes:
        main: The basis of the Gram matrix.
        extra: A basis for each side's multiplier.
        unreached: Coefficients that have to vanish.
    """

    main: tuple[Element, ...]
    extra: tuple[tuple[Element, ...], ...]
    unreached: frozenset[Place]


def places(matrix: PolyMatrix) -> set[Place]:
    """The coefficients of a symmetric matrix that are not zero."""
    n = len(matrix)
    return {(i, j, m) for i in range(n) for j in range(i, n) for m in matrix[i][j]}


def shape_of(support: set[Place], n: int, ring: Ring, sides: tuple[Side, ...]) -> Shape:
    """Bases for a matrix with these coefficients, without elements that can only be zero."""
    if not support:
        return Shape((), tuple(() for _ in sides), frozenset())
    total = max(sum(m) for _, _, m in support)
    each = [max(m[k] for _, _, m in support) for k in range(len(ring.generators))]
    degrees = [s.polynomial(ring) for s in sides]
    if sides:  # multipliers work with even degrees, in all that they bound
        own = [max((m[k] for g in degrees for m in g), default=0) for k in range(len(each))]
        each = [max(e, min(d, 2)) for e, d in zip(each, own, strict=True)]
        total, each = total + total % 2, [e + e % 2 for e in each]
    half = [e // 2 for e in each]
    extra = tuple(
        tuple((i, m) for i in range(n) for m in _cofactors(g, total, half)) for g in degrees
    )
    basis = [(i, m) for i in range(n) for m in monomials(total // 2, half)]
    require_time()
    reached_by_extra = {
        (*sorted((a[0], b[0])), tuple(map(sum, zip(a[1], b[1], m, strict=True))))
        for g, elements in zip(degrees, extra, strict=True)
        for a, b in combinations_with_replacement(elements, 2)
        for m in g
    }
    require_time()
    kept = _pruned(basis, support | reached_by_extra)  # type: ignore[arg-type]
    reached = {_place(a, b) for a, b in combinations_with_replacement(kept, 2)} | reached_by_extra
    return Shape(tuple(kept), extra, frozenset(support - reached))  # type: ignore[arg-type]


def _cofactors(g: Poly, total: int, half: list[int]) -> list[Powers]:
    """Monomials whose squares times g stay within the degrees of the main basis' products."""
    if not g:  # a side that is zero everywhere shows nothing
        return []
    own = [max(m[k] for m in g) for k in range(len(half))]
    room = [(2 * h - d) // 2 for h, d in zip(half, own, strict=True)]
    left = (total - max(sum(m) for m in g)) // 2
    return monomials(left, room) if min(room) >= 0 and left >= 0 else []


def monomials(degree: int, each: list[int]) -> list[Powers]:
    """Exponents of a total degree, and of a degree in each generator, of at most so much."""
    ranges = (range(min(degree, e) + 1) for e in each)
    found = [m for m in product(*ranges) if sum(m) <= degree]
    return sorted(found, key=lambda m: (sum(m), tuple(-k for k in m)))


def _place(a: Element, b: Element) -> Place:
    low, high = sorted((a[0], b[0]))
    return low, high, tuple(map(int.__add__, a[1], b[1]))


def _pruned(basis: list[Element], support: set[Place]) -> list[Element]:
    """Without elements whose squares neither occur nor cancel: their Gram rows are zero."""
    kept = list(basis)
    while True:
        require_time()
        cross = {_place(a, b) for k, a in enumerate(kept) for b in kept[:k]}
        left = [a for a in kept if _place(a, a) in support or _place(a, a) in cross]
        if len(left) == len(kept):
            return kept
        kept = left


@final
class GramBlock:
    """A Gram matrix over forms, among the variables of a cone program, from ``offset`` on."""

    def __init__(self, forms: Sequence[Form], offset: int) -> None:
        self.forms, self.offset = tuple(forms), offset
        self.pairs = [(k, j) for j in range(len(self.forms)) for k in range(j + 1)]  # packed order

    def exact(self, factor: Poly) -> list[dict[Place, Fraction]]:
        """For each pair, how much its entry of G adds to each coefficient of ``factor z^T G z``."""
        return [
            _times_poly(pair_coefficients(self.forms[k], self.forms[j], once=k == j), factor)
            for k, j in self.pairs
        ]

    def coefficients(self, factor: Poly) -> dict[Place, dict[int, float]]:
        """How each coefficient depends on the packed entries of G, in floats, by column."""
        table: defaultdict[Place, dict[int, float]] = defaultdict(dict)
        exact = zip(self.pairs, self.exact(factor), strict=True)
        for column, ((k, j), row) in enumerate(exact, self.offset):
            # Packed entries are sqrt 2 G_kj off the diagonal.
            weight = 1.0 if k == j else 1.0 / np.sqrt(2.0)
            for place, c in row.items():
                table[place][column] = weight * nearest_float(c)
        return table

    def matrix(self, x: Array) -> Array:
        """G in floats, from a solution."""
        size = len(self.forms)
        G = np.zeros((size, size))
        for column, (k, j) in enumerate(self.pairs, self.offset):
            G[k, j] = G[j, k] = x[column] / (1.0 if k == j else np.sqrt(2.0))
        return G


def pair_coefficients(p: Form, q: Form, *, once: bool) -> dict[Place, Fraction]:
    """The upper triangle of T with ``v^T T v = z_p z_q`` (once), or twice that."""
    require_time()
    found: defaultdict[Place, Fraction] = defaultdict(Fraction)
    for (i, m), a in p.items():
        for (j, n), b in q.items():
            # v_i v_j with i != j is 2 T_ij; all counts twice where G_pq and G_qp both do.
            low, high = (i, j) if i <= j else (j, i)
            share = a * b * (1 if once else 2) / (1 if i == j else 2)
            found[low, high, tuple(map(int.__add__, m, n))] += share
    return {place: c for place, c in found.items() if c}


def _times_poly(row: dict[Place, Fraction], factor: Poly) -> dict[Place, Fraction]:
    require_time()
    found: defaultdict[Place, Fraction] = defaultdict(Fraction)
    for (i, j, m), c in row.items():
        for q, d in factor.items():
            found[i, j, tuple(map(int.__add__, m, q))] += c * d
    return {place: c for place, c in found.items() if c}


def prove_sos(matrix: PolyMatrix, ring: Ring, sides: tuple[Side, ...] = ()) -> SumOfSquares | None:
    """A sum of squares that proves a polynomial matrix to be >= 0 on a region; None if none found.

    Args:
        matrix: Exact symmetric polynomial matrix (n, n) over the ring.
        ring: Its ring.
        sides: The generators' ranges, with at least one finite end each.
    """
    shape = shape_of(places(matrix), len(matrix), ring, sides)
    if shape.unreached:
        return None
    main = unit_forms(shape.main)
    extra = [unit_forms(elements) for elements in shape.extra]
    for _ in range(FACES):
        solved = solve_grams(matrix, ring, [main, *extra], sides)
        if solved is None or solved[0] < -OUTSIDE:
            return None
        grams = solved[1]
        found = rounded_sos(matrix, ring, [main, *extra], sides, grams)
        if found is not None:
            return found
        # A Gram matrix of the largest rank is singular: all are, along the same directions.
        smaller = face(main, grams[0])
        if len(smaller) in (0, len(main)):
            return None
        main = smaller
    return None


def prove_inside(matrix: PolyMatrix, ring: Ring, sides: tuple[Side, ...]) -> SumOfSquares | None:
    """As `prove_sos`, of a matrix inside the cone of such sums: by one program, without faces."""
    shape = shape_of(places(matrix), len(matrix), ring, sides)
    sizes = sizes_of(ring, sides)
    bases = [scaled_forms(elements, sizes) for elements in (shape.main, *shape.extra)]
    if shape.unreached or gram_blocks(bases, 0)[1] > LARGEST:
        return None
    solved = solve_grams(matrix, ring, bases, sides)
    return None if solved is None else rounded_sos(matrix, ring, bases, sides, solved[1])


def unit_forms(elements: Sequence[Element]) -> list[Form]:
    """The elements of a basis as forms."""
    return [{e: Fraction(1)} for e in elements]


def scaled_forms(elements: Sequence[Element], sizes: Sequence[Fraction]) -> list[Form]:
    """The elements of a basis, divided by their sizes."""
    return [{e: 1 / _size(e[1], sizes)} for e in elements]


def _size(m: Powers, sizes: Sequence[Fraction]) -> Fraction:
    return math.prod((s**k for s, k in zip(sizes, m, strict=True)), start=Fraction(1))


def sizes_of(ring: Ring, sides: Sequence[Side]) -> list[Fraction]:
    """Powers of two near the largest generators that the sides allow, 1 where they do not say."""
    sizes = [Fraction(1)] * len(ring.generators)
    for k in range(len(sizes)):
        found: list[float] = []
        for p in (s.polynomial(ring) for s in sides):
            own = max((m for m in p if sum(m) == m[k]), default=ring.one)
            constant = abs(float(p.get(ring.one, 0)))
            if own != ring.one and constant:
                found.append((constant / abs(float(p[own]))) ** (1 / own[k]))
        if found:
            sizes[k] = Fraction(2) ** round(math.log2(max(found)))
    return sizes


def face(forms: list[Form], G: Array) -> list[Form]:
    """Forms that span what a singular Gram matrix leaves of ``forms``; its kernel in rationals.

    All forms where the kernel is not one of simple rationals: then an eigenvalue is only small.
    """
    values, vectors = symmetric_eigenpairs(G)
    kernel = vectors[:, values < SINGULAR * max(values[-1], 1e-300)].T
    if not len(kernel):
        return forms
    rows = [
        {k: Fraction(float(v)).limit_denominator(64) for k, v in enumerate(row) if abs(v) > 1e-3}
        for row in _echelon(kernel)
    ]
    smaller = combined(forms, nullspace(rows, len(forms)))
    numbers = [n for form in smaller for c in form.values() for n in (c.numerator, c.denominator)]
    return smaller if all(n.bit_length() <= SIMPLE for n in numbers) else forms


def combined(forms: list[Form], vectors: Sequence[Sequence[Fraction]]) -> list[Form]:
    """The forms ``sum_k u_k forms[k]`` for each vector u."""
    result: list[Form] = []
    for u in vectors:
        total: defaultdict[Element, Fraction] = defaultdict(Fraction)
        for c, form in zip(u, forms, strict=True):
            for e, value in form.items() if c else ():
                total[e] += c * value
        result.append({e: c for e, c in total.items() if c})
    return result


def _echelon(rows: Array) -> Array:
    """Reduced by Gauss and Jordan with the largest pivots, which makes simple vectors simple."""
    left = rows.copy()
    for k in range(len(left)):
        i, j = divmod(int(np.abs(left[k:]).argmax()), left.shape[1])
        left[[k, k + i]] = left[[k + i, k]]
        left[k] /= left[k, j]
        for other in range(len(left)):
            if other != k:
                left[other] -= left[other, j] * left[k]
    return left


def solve_grams(
    matrix: PolyMatrix, ring: Ring, bases: list[list[Form]], sides: tuple[Side, ...]
) -> tuple[float, list[Array]] | None:
    """The relative margin, and Gram matrices as far inside the cone as the identity lets them."""
    blocks, size = gram_blocks(bases, 1)
    rows = _coefficients(blocks, ring, sides)
    if not places(matrix) <= set(rows):
        return None
    order = list(rows)
    right = _values(matrix, order, sizes_of(ring, sides))
    scale = float(np.abs(right).max(initial=0.0)) or 1.0
    right /= scale
    program = ConeProgram(np.append(-1.0, np.zeros(size - 1)))
    program.require_zero(sparse_rows([rows[p] for p in order], size), -right)
    for k, block in enumerate(blocks):  # multipliers may lie on the boundary
        require_interior(program, block, size, np.full(len(block.forms), float(k == 0)))
    program.require_nonnegative(sparse_rows([{0: -1.0}], size), np.ones(1))
    x = program.solve()
    if x is None or not np.isfinite(scale * x).all():
        return None
    return float(x[0]), [scale * block.matrix(x) for block in blocks]


def smallest_multiple(
    W: PolyMatrix, T: PolyMatrix, ring: Ring, sides: tuple[Side, ...]
) -> float | None:
    """The smallest c for which ``c W + T`` is such a sum of squares, in floats: untrusted."""
    support = places(W) | places(T)
    shape = shape_of(support, len(W), ring, sides)
    sizes = sizes_of(ring, sides)
    blocks, size = gram_blocks([scaled_forms(e, sizes) for e in (shape.main, *shape.extra)], 1)
    rows = _coefficients(blocks, ring, sides)
    if not support <= set(rows) or size > LARGEST:
        return None
    order = list(rows)
    for place, value in zip(order, _values(W, order, sizes).tolist(), strict=True):
        rows[place][0] = -value
    rest = _values(T, order, sizes)
    scale = float(np.abs(rest).max(initial=0.0)) or 1.0
    program = ConeProgram(np.append(1.0, np.zeros(size - 1)))
    program.require_zero(sparse_rows([rows[p] for p in order], size), -rest / scale)
    for block in blocks:
        require_interior(program, block, size, np.zeros(len(block.forms)))
    x = program.solve()
    return None if x is None else scale * float(x[0])


def _coefficients(
    blocks: Sequence[GramBlock], ring: Ring, sides: tuple[Side, ...]
) -> dict[Place, dict[int, float]]:
    """How each coefficient, times its monomial's size, depends on the entries of Gram matrices."""
    rows: defaultdict[Place, dict[int, float]] = defaultdict(dict)
    sizes = sizes_of(ring, sides)
    for block, side in zip(blocks, (NO_SIDE, *sides), strict=True):
        for place, row in block.coefficients(side.polynomial(ring)).items():
            size = float(_size(place[2], sizes))
            rows[place].update({column: size * v for column, v in row.items()})
    return dict(rows)


def _values(matrix: PolyMatrix, order: Sequence[Place], sizes: Sequence[Fraction]) -> Array:
    """A matrix' coefficients, times their monomials' sizes."""
    return np.array(
        [nearest_float(matrix[i][j].get(m, Fraction(0)) * _size(m, sizes)) for i, j, m in order]
    )


def gram_blocks(bases: Sequence[Sequence[Form]], offset: int) -> tuple[list[GramBlock], int]:
    """Blocks of variables one after the other, and the number of variables then."""
    blocks: list[GramBlock] = []
    for forms in bases:
        blocks.append(GramBlock(forms, offset))
        offset += len(blocks[-1].pairs)
    return blocks, offset


def sparse_rows(rows: list[dict[int, float]], size: int) -> Any:
    """A sparse matrix (rows, size) from dicts of columns."""
    from scipy import sparse

    i = [k for k, row in enumerate(rows) for _ in row]
    j = [c for row in rows for c in row]
    v = [c for row in rows for c in row.values()]
    return sparse.csr_matrix((v, (i, j)), shape=(len(rows), size))


def require_interior(program: ConeProgram, block: GramBlock, size: int, weights: Array) -> None:
    """``G >= x_0 diag(weights)``."""
    n = len(block.forms)
    if not n:
        return
    rows: list[dict[int, float]] = []
    for column, (k, j) in enumerate(block.pairs, block.offset):
        rows.append({column: 1.0, **({0: -float(weights[k])} if k == j else {})})
    program.require_semidefinite_entries(sparse_rows(rows, size), np.zeros(len(rows)), n)


def rounded_sos(
    matrix: PolyMatrix,
    ring: Ring,
    bases: list[list[Form]],
    sides: tuple[Side, ...],
    grams: list[Array],
) -> SumOfSquares | None:
    """Exact Gram matrices next to those in floats, or None where these are not semidefinite.

    Rounded entries x are projected onto the identity ``A x = t``: ``x + A^T y`` with the rational
    solution of ``A A^T y = t - A x``.
    """
    blocks, _ = gram_blocks(bases, 0)
    factors = [s.polynomial(ring) for s in (NO_SIDE, *sides)]
    lifted = [grams[0], *map(_lifted, grams[1:])]
    columns: list[dict[Place, Fraction]] = []
    entries: list[Fraction] = []
    for block, factor, G in zip(blocks, factors, lifted, strict=True):
        columns += block.exact(factor)
        exact = _dyadic(G)
        entries += [exact[j][k] for k, j in block.pairs]
    rest = {p: matrix[p[0]][p[1]][p[2]] for p in places(matrix)}
    for value, column in zip(entries, columns, strict=True):
        for place, c in column.items():
            rest[place] = rest.get(place, Fraction(0)) - c * value
    rest = {p: r for p, r in rest.items() if r}
    # The main Gram matrix lies inside its cone and multipliers may not: it takes all where it can.
    shift = smallest_solution(columns[: len(blocks[0].pairs)], rest)
    if shift is None and len(columns) <= MOST_EXACT:
        shift = smallest_solution(columns, rest)
    if shift is None:
        return None
    shift += [Fraction(0)] * (len(entries) - len(shift))
    entries = [v + d for v, d in zip(entries, shift, strict=True)]
    found: list[Gram] = []
    for block in blocks:
        own = entries[block.offset : block.offset + len(block.pairs)]
        gram = _gram(block, own)
        if gram is None:
            return None
        found.append(gram)
    multipliers = tuple(
        (s, g) for s, g in zip(sides, found[1:], strict=True) if any(map(any, g.entries))
    )
    return SumOfSquares(ring, ((NO_SIDE, found[0]), *multipliers))


def smallest_solution(
    columns: Sequence[dict[Place, Fraction]], right: dict[Place, Fraction]
) -> list[Fraction] | None:
    """The shortest x with ``sum_k x_k columns[k] = right``, exact; None if there is none."""
    rows: defaultdict[Place, dict[int, Fraction]] = defaultdict(dict)
    for k, column in enumerate(columns):
        for place, c in column.items():
            rows[place][k] = c
    if not set(right) <= set(rows):
        return None
    number = {p: i for i, p in enumerate(rows)}
    last = len(rows)
    normal: list[dict[int, Fraction]] = []
    for place, row in rows.items():
        require_time()
        total: defaultdict[int, Fraction] = defaultdict(Fraction)
        for k, c in row.items():
            for other, d in columns[k].items():
                total[number[other]] += c * d
        total[last] = -right.get(place, Fraction(0))
        normal.append({i: v for i, v in total.items() if v})
    # A vector of the nullspace that ends in 1 is a solution; the free unknowns may be zero.
    y = nullspace(normal, last + 1)[-1:]
    if not y or y[0][last] != 1:
        return None
    x = [Fraction(0)] * len(columns)
    for k, column in enumerate(columns):
        x[k] = sum((c * y[0][number[p]] for p, c in column.items()), Fraction(0))
    return x


def _gram(block: GramBlock, entries: list[Fraction]) -> Gram | None:
    """The Gram matrix over monomials, or None if that over forms is not semidefinite."""
    size = len(block.forms)
    table = dict(zip(block.pairs, entries, strict=True))
    G = [[table[min(k, j), max(k, j)] for j in range(size)] for k in range(size)]
    if not is_negative_semidefinite_rational([[-v for v in row] for row in G]):
        return None
    return spread(block.forms, G)


def spread(forms: Sequence[Form], G: Sequence[Sequence[Fraction]]) -> Gram:
    """The Gram matrix over monomials that is G over some forms: ``U G U^T``."""
    elements = sorted({e for form in forms for e in form}, key=lambda e: (sum(e[1]), e))
    U = [[form.get(e, Fraction(0)) for form in forms] for e in elements]
    half = [
        [sum((u * g for u, g in zip(row, col, strict=True) if u), Fraction(0)) for col in G]
        for row in U
    ]
    whole = tuple(
        tuple(
            sum((h * u for h, u in zip(half[i], U[j], strict=True) if u), Fraction(0))
            for j in range(i + 1)
        )
        for i in range(len(elements))
    )
    return Gram(tuple(i for i, _ in elements), tuple(m for _, m in elements), whole)


def _lifted(G: Array) -> Array:
    """Moved into the cone by more than rounding moves it out again."""
    if not G.size:
        return G
    values = symmetric_eigenvalues(G)
    return G + (max(0.0, -values[0]) + 1e-10 * max(values[-1], 0.0)) * np.eye(len(G))


def _dyadic(G: Array) -> list[list[Fraction]]:
    """The lower triangle rounded to multiples of a power of two."""
    size = float(np.abs(G).max()) if G.size else 0.0
    step = Fraction(2) ** (int(np.ceil(np.log2(size))) - BITS) if size > 0 else Fraction(1)
    return [
        [round(Fraction(float(v)) / step) * step for v in row[: k + 1]] for k, row in enumerate(G)
    ]
