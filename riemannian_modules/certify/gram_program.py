"""The search for Gram matrices: polynomial matrices, affine in parameters, as sums of squares.

A matrix ``T(x) = sum_p theta_p T_p(x)`` is written over a basis of monomials that its exponents
allow, and each coefficient gives one equation between parameters and Gram entries. Coefficients
that no product of basis elements reaches have to vanish; that is imposed on the parameters exactly,
so that parameters rounded to rationals keep the identity.

Source: Parrilo (2003); Loefberg (2009), *Pre- and post-processing sum-of-squares programs in
practice*, for the pruning of the basis; Peyrl and Parrilo (2008) for rounding.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any, final

import numpy as np

from riemannian_modules.certify.cone_program import ConeProgram
from riemannian_modules.certify.polynomial_ring import Poly, Powers, Ring, plus, times
from riemannian_modules.certify.sums_of_squares import Gram, PolyMatrix, Side, SumOfSquares
from riemannian_modules.space import Array

Place = tuple[int, int, Powers]  # row, column, monomial: one coefficient of the upper triangle
Element = tuple[int, Powers]  # a basis element: direction and monomial
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
    count = len(ring.generators)
    total = max(sum(m) for _, _, m in support)
    each = [max(m[k] for _, _, m in support) for k in range(count)]
    if sides:  # multipliers work with even degrees
        total, each = total + total % 2, [e + e % 2 for e in each]
    degrees = [s.polynomial(ring) for s in sides]
    half = [e // 2 for e in each]
    extra = tuple(
        tuple((i, m) for i in range(n) for m in _cofactors(g, total, half)) for g in degrees
    )
    basis = [(i, m) for i in range(n) for m in monomials(count, total // 2, half)]
    reached_by_extra = {
        (*sorted((a[0], b[0])), tuple(map(sum, zip(a[1], b[1], m, strict=True))))
        for g, elements in zip(degrees, extra, strict=True)
        for a, b in combinations_with_replacement(elements, 2)
        for m in g
    }
    kept = _pruned(basis, support | reached_by_extra)  # type: ignore[arg-type]
    reached = {_place(a, b) for a, b in combinations_with_replacement(kept, 2)} | reached_by_extra
    return Shape(tuple(kept), extra, frozenset(support - reached))  # type: ignore[arg-type]


def _cofactors(g: Poly, total: int, half: list[int]) -> list[Powers]:
    """Monomials whose squares times g stay within the degrees of the main basis' products."""
    own = [max(m[k] for m in g) for k in range(len(half))]
    room = [(2 * h - d) // 2 for h, d in zip(half, own, strict=True)]
    left = (total - max(sum(m) for m in g)) // 2
    return monomials(len(half), left, room) if min(room) >= 0 and left >= 0 else []


def monomials(count: int, degree: int, each: list[int]) -> list[Powers]:
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
        cross = {_place(a, b) for k, a in enumerate(kept) for b in kept[:k]}
        left = [a for a in kept if _place(a, a) in support or _place(a, a) in cross]
        if len(left) == len(kept):
            return kept
        kept = left


@final
class GramBlock:
    """A Gram matrix among the variables of a cone program, from column ``offset`` on."""

    def __init__(self, elements: tuple[Element, ...], offset: int) -> None:
        self.elements, self.offset = elements, offset
        self.pairs = [(k, j) for j in range(len(elements)) for k in range(j + 1)]  # packed order

    def coefficients(self, factor: Poly, ring: Ring) -> dict[Place, dict[int, float]]:
        """How each coefficient of ``factor z^T G z`` depends on the packed entries of G."""
        table: defaultdict[Place, dict[int, float]] = defaultdict(dict)
        for column, (k, j) in enumerate(self.pairs, self.offset):
            a, b = self.elements[k], self.elements[j]
            low, high, m = _place(a, b)
            # Packed entries are sqrt 2 G_kj off the diagonal; both G_kj and G_jk count in T_ii.
            weight = 1.0 if k == j else (2.0 if low == high else 1.0) / np.sqrt(2.0)
            for q, c in factor.items():
                place = (low, high, tuple(map(int.__add__, m, q)))
                row = table[place]
                row[column] = row.get(column, 0.0) + weight * float(c)
        return table

    def matrix(self, x: Array) -> Array:
        """G in floats, from a solution."""
        size = len(self.elements)
        G = np.zeros((size, size))
        for column, (k, j) in enumerate(self.pairs, self.offset):
            G[k, j] = G[j, k] = x[column] / (1.0 if k == j else np.sqrt(2.0))
        return G


def prove_sos(
    matrix: PolyMatrix, ring: Ring, sides: tuple[Side, ...] = ()
) -> SumOfSquares | None:
    """A sum of squares that proves a polynomial matrix to be >= 0 on a region; None if none found.

    Args:
        matrix: Exact symmetric polynomial matrix (n, n) over the ring.
        ring: Its ring.
        sides: The generators' ranges, with at least one finite end each.
    """
    n = len(matrix)
    shape = shape_of(places(matrix), n, ring, sides)
    if shape.unreached:
        return None
    grams = solve_grams(matrix, ring, shape, sides)
    return None if grams is None else rounded_sos(matrix, ring, shape, sides, grams)


def solve_grams(
    matrix: PolyMatrix, ring: Ring, shape: Shape, sides: tuple[Side, ...]
) -> list[Array] | None:
    """Gram matrices in floats, as far inside the semidefinite cone as the identity lets them."""
    blocks, size = gram_blocks([shape.main, *shape.extra], 1)
    factors = [{ring.one: Fraction(1)}, *(s.polynomial(ring) for s in sides)]
    rows: defaultdict[Place, dict[int, float]] = defaultdict(dict)
    for block, factor in zip(blocks, factors, strict=True):
        for place, row in block.coefficients(factor, ring).items():
            rows[place].update(row)
    scale = max((abs(float(c)) for r in matrix for p in r for c in p.values()), default=1.0)
    program = ConeProgram(np.append(-1.0, np.zeros(size - 1)))
    order = list(rows)
    right = np.array([float(matrix[i][j].get(m, Fraction(0))) / scale for i, j, m in order])
    program.require_zero(sparse_rows([rows[p] for p in order], size), -right)
    for k, block in enumerate(blocks):  # multipliers may lie on the boundary
        require_interior(program, block, size, np.full(len(block.elements), float(k == 0)))
    program.require_nonnegative(sparse_rows([{0: -1.0}], size), np.ones(1))
    x = program.solve()
    return None if x is None else [scale * block.matrix(x) for block in blocks]


def gram_blocks(bases: list[tuple[Element, ...]], offset: int) -> tuple[list[GramBlock], int]:
    """Blocks of variables one after the other, and the number of variables then."""
    blocks: list[GramBlock] = []
    for elements in bases:
        blocks.append(GramBlock(elements, offset))
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
    n = len(block.elements)
    if not n:
        return
    rows: list[dict[int, float]] = []
    for column, (k, j) in enumerate(block.pairs, block.offset):
        rows.append({column: 1.0, **({0: -float(weights[k])} if k == j else {})})
    program.require_semidefinite_entries(sparse_rows(rows, size), np.zeros(len(rows)), n)


def rounded_sos(
    matrix: PolyMatrix, ring: Ring, shape: Shape, sides: tuple[Side, ...], grams: list[Array]
) -> SumOfSquares | None:
    """Exact Gram matrices next to those in floats, or None where these are not semidefinite.

    Multipliers are rounded freely; what they leave of each coefficient is shared out evenly among
    the main Gram entries that reach it, which is the orthogonal projection onto the identity.
    """
    n = len(matrix)
    multipliers: list[tuple[Side, Gram]] = []
    rest: list[list[Poly]] = [list(row) for row in matrix]
    for side, elements, G in zip(sides, shape.extra, grams[1:], strict=True):
        gram = _gram(elements, _dyadic(_lifted(G)))
        if not elements or not any(c for row in gram.entries for c in row):
            continue
        g, extra = side.polynomial(ring), gram.matrix(n)
        rest = [[plus(rest[i][j], times(g, extra[i][j]), -1) for j in range(n)] for i in range(n)]
        multipliers.append((side, gram))
    exact = _dyadic(grams[0])
    left = {p: rest[p[0]][p[1]][p[2]] for p in places(rest)}
    users: defaultdict[Place, list[tuple[int, int]]] = defaultdict(list)
    for k, a in enumerate(shape.main):
        for j in range(k + 1):
            users[_place(a, shape.main[j])].append((k, j))
    for place, pairs in users.items():
        # In T_ii an entry off the diagonal counts twice, G_kj and G_jk.
        counts = [2 if k != j and place[0] == place[1] else 1 for k, j in pairs]
        sums = sum((c * exact[k][j] for c, (k, j) in zip(counts, pairs, strict=True)), Fraction(0))
        share = (left.pop(place, Fraction(0)) - sums) / sum(counts)
        for k, j in pairs:
            exact[k][j] += share
    found = SumOfSquares(ring, _gram(shape.main, exact), tuple(multipliers))
    if left or not all(g.is_semidefinite() for g in (found.main, *(g for _, g in multipliers))):
        return None
    return found


def _gram(elements: tuple[Element, ...], entries: list[list[Fraction]]) -> Gram:
    return Gram(
        tuple(i for i, _ in elements),
        tuple(m for _, m in elements),
        tuple(tuple(row) for row in entries),
    )


def _lifted(G: Array) -> Array:
    """Moved into the cone by more than rounding moves it out again."""
    if not G.size:
        return G
    values = np.linalg.eigvalsh(G)
    return G + (max(0.0, -values[0]) + 1e-10 * max(values[-1], 0.0)) * np.eye(len(G))


def _dyadic(G: Array) -> list[list[Fraction]]:
    """The lower triangle rounded to multiples of a power of two."""
    scale = Fraction(2) ** (int(np.ceil(np.log2(np.abs(G).max()))) - BITS) if G.any() else Fraction(1)
    return [[round(Fraction(float(G[k, j])) / scale) * scale for j in range(k + 1)] for k in range(len(G))]
