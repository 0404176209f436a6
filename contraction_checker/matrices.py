"""Sparse matrices of numbers and terms, ``{(row, column): entry}``; what is not there is zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import TypeAlias, final

from contraction_checker.term_powers import vanishes
from contraction_checker.terms import Term

Place = tuple[int, int]
Number: TypeAlias = "Fraction | int"
Entry: TypeAlias = "Term | Fraction | int"


@final
class Matrix(dict[Place, Entry]):
    """A matrix whose size is known to those who use it."""

    @property
    def T(self) -> Matrix:
        """The transpose."""
        return Matrix({(j, i): t for (i, j), t in self.items()})

    def vanishes(self) -> bool:
        """Whether every entry is zero wherever it is defined."""
        return all(map(vanishes, self.values()))

    def shifted(self, rows: int, columns: int) -> Matrix:
        """The matrix as a block whose first entry is at (rows, columns)."""
        return Matrix({(i + rows, j + columns): t for (i, j), t in self.items()})

    def __add__(self, other: Matrix) -> Matrix:
        return Matrix({p: self.get(p, 0) + other.get(p, 0) for p in self.keys() | other.keys()})

    def __sub__(self, other: Matrix) -> Matrix:
        return self + other * -1

    def __mul__(self, factor: Entry) -> Matrix:
        return Matrix({p: factor * t for p, t in self.items()})

    __rmul__ = __mul__

    def __matmul__(self, other: Matrix) -> Matrix:
        left, right = self.rationals(), other.rationals()
        if left is None or right is None:
            return _product(self, other)
        # Whole numbers over common denominators are faster than fractions.
        a, b = _denominator(left), _denominator(right)
        found = _product(_whole(left, a), _whole(right, b))
        return Fraction(1, a * b) * found

    def rationals(self) -> dict[Place, Number] | None:
        """The entries, if they are numbers."""
        found: dict[Place, Number] = {}
        for place, t in self.items():
            if isinstance(t, Term):
                return None
            found[place] = t
        return found


def _denominator(numbers: Mapping[Place, Number]) -> int:
    return lcm(*(t.denominator for t in numbers.values()))


def _whole(numbers: Mapping[Place, Number], scale: int) -> Matrix:
    return Matrix({p: int(scale * t) for p, t in numbers.items()})


def _product(left: Matrix, right: Matrix) -> Matrix:
    rows: dict[int, list[tuple[int, Entry]]] = {}
    for (k, j), t in right.items():
        rows.setdefault(k, []).append((j, t))
    found: dict[Place, Entry] = {}
    for (i, k), s in left.items():
        for j, t in rows.get(k, ()):
            found[i, j] = found.get((i, j), 0) + s * t
    return Matrix({p: t for p, t in found.items() if t})


def square(entries: Sequence[Entry], n: int) -> Matrix:
    """The matrix n by n of its entries, row by row."""
    return Matrix({divmod(k, n): t for k, t in enumerate(entries)})


def diagonal(numbers: Iterable[Number]) -> Matrix:
    """The matrix with these numbers on its diagonal."""
    return Matrix({(i, i): Fraction(x) for i, x in enumerate(numbers) if x})


def identity(n: int) -> Matrix:
    """The identity."""
    return diagonal([1] * n)
