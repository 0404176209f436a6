"""Exact null spaces of rational matrices, and coordinates on them in integers or dyadics.

Source: Cohen (1993), *A Course in Computational Algebraic Number Theory*, section 2.4 (kernels and
unimodular transformations).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

FractionRow = Mapping[int, Fraction]
Vector = tuple[int, ...]
FractionRows = list[list[Fraction]]


def echelon(rows: Iterable[FractionRow]) -> dict[int, dict[int, Fraction]]:
    """The reduced row echelon form of sparse rows {column: value}: a row for each pivot column."""
    reduced: dict[int, dict[int, Fraction]] = {}
    for row in rows:
        left = remainder(row, reduced)
        if not left:
            continue
        pivot = min(left)
        new = {j: v / left[pivot] for j, v in left.items()}
        for p, other in reduced.items():
            if pivot in other:
                reduced[p] = _less(other, other[pivot], new)
        reduced[pivot] = new
    return reduced


def remainder(row: FractionRow, reduced: Mapping[int, FractionRow]) -> dict[int, Fraction]:
    """What is left of a row after elimination by `echelon` rows: empty if it depends on them."""
    left = {j: Fraction(v) for j, v in row.items() if v}
    for pivot, other in reduced.items():
        if pivot in left:
            left = _less(left, left[pivot], other)
    return left


def null_space(rows: Iterable[FractionRow], size: int) -> list[Vector]:
    """A basis of ``{c : A c = 0}`` in primitive integer vectors (size,), A given by sparse rows.

    Cost: the elimination of A in fractions, O(rank^2) sparse row operations.
    """
    reduced = echelon(rows)
    basis: list[Vector] = []
    for free in (j for j in range(size) if j not in reduced):
        solved = {p: -row[free] for p, row in reduced.items() if free in row}
        basis.append(primitive([solved.get(j, Fraction(int(j == free))) for j in range(size)]))
    return basis


def primitive(vector: Sequence[Fraction | int]) -> Vector:
    """The multiple of a vector whose entries are integers without a common divisor."""
    scale = lcm(*(Fraction(v).denominator for v in vector))
    integers = [int(v * scale) for v in vector]
    common = gcd(*integers) or 1
    return tuple(v // common for v in integers)


def kernel_coordinates(vectors: Sequence[Vector]) -> tuple[FractionRows, FractionRows]:
    """Coordinates on the kernel of independent rows C (m, n): R (n, k) with C R = 0 and L R = I.

    Columns are added to each other by whole or dyadic multiples until C stands in its first m
    columns: C U = [H, 0] with U invertible over the dyadic numbers. R is the rest of U's columns
    and L (k, n) the same rows of its inverse, so both hold dyadics. Where a row of C has an entry
    that is a power of two, only that coordinate is eliminated and L picks the others.

    Returns:
        (L, R) in fractions whose denominators are powers of two.
    """
    size = len(vectors[0])
    C = [[Fraction(v) for v in row] for row in vectors]
    U, inverse = _identity(size), _identity(size)  # inverse U = I throughout
    for i, row in enumerate(C):
        while True:
            _clear_denominators(row)
            found = [j for j in range(i, size) if row[j]]
            pivot = max(found, key=lambda j: _preference(row[j], j))
            others = [j for j in found if j != pivot]
            if not others:
                break
            for j in others:
                quotient = row[j] / row[pivot]
                if not _is_unit(row[pivot]):
                    quotient = Fraction(row[j] // row[pivot])
                _subtract_column(C, U, inverse, quotient, pivot, j)
        for matrix in (C, U):
            for line in matrix:
                line.insert(i, line.pop(pivot))
        inverse.insert(i, inverse.pop(pivot))
    m = len(C)
    return inverse[m:], [line[m:] for line in U]


def is_dyadic(value: Fraction) -> bool:
    """Whether the denominator is a power of two."""
    return value.denominator & (value.denominator - 1) == 0


def _less(row: FractionRow, factor: Fraction, other: FractionRow) -> dict[int, Fraction]:
    result = dict(row)
    for j, v in other.items():
        result[j] = result.get(j, Fraction(0)) - factor * v
    return {j: v for j, v in result.items() if v}


def _identity(size: int) -> FractionRows:
    return [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]


def _is_unit(value: Fraction) -> bool:
    return is_dyadic(value) and abs(value.numerator) & (abs(value.numerator) - 1) == 0


def _preference(value: Fraction, place: int) -> tuple[bool, Fraction, int]:
    # A power of two clears its row at once, a large one with small quotients; else the smallest
    # entry, as in Euclid's algorithm, whose remainders then fall at every turn.
    unit = _is_unit(value)
    return unit, abs(value) if unit else -abs(value), place


def _clear_denominators(row: list[Fraction]) -> None:
    # The kernel of C does not change; whole numbers keep Euclid's algorithm finite.
    scale = lcm(*(v.denominator for v in row))
    row[:] = [v * scale for v in row]


def _subtract_column(
    C: FractionRows, U: FractionRows, inverse: FractionRows, quotient: Fraction, pivot: int, j: int
) -> None:
    for matrix in (C, U):
        for line in matrix:
            line[j] -= quotient * line[pivot]
    inverse[pivot] = [a + quotient * b for a, b in zip(inverse[pivot], inverse[j], strict=True)]
