"""Exact definiteness of rational matrices, for decisions that fall on a hair line.

Symmetric elimination in fractions, on a diagonal pivot at each step: Sylvester's law of inertia
makes it exact.

Source: Golub and Van Loan (2013), Matrix Computations, section 4.2.8 (semidefinite matrices with
pivoting).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from riemannian_modules.errors import DomainError

RationalMatrix = Sequence[Sequence[Fraction | int]]


def is_negative_semidefinite_rational(matrix: RationalMatrix) -> bool:
    """Whether ``x^T S x <= 0`` for all ``x``, exactly; S symmetric. O(n^3) fractions."""
    return _positive_rank(matrix) is not None


def is_negative_definite_rational(matrix: RationalMatrix) -> bool:
    """Whether ``x^T S x < 0`` for all ``x != 0``, exactly; S symmetric. O(n^3) fractions."""
    return _positive_rank(matrix) == len(matrix)


def _positive_rank(matrix: RationalMatrix) -> int | None:
    """The rank of ``-S`` if that is positive semidefinite, else None."""
    left = _negated(matrix)
    rank = 0
    while left:
        n = len(left)
        if any(left[i][i] < 0 for i in range(n)):
            return None
        p = max(range(n), key=lambda i: left[i][i])
        pivot = left[p][p]
        if pivot == 0:
            # A semidefinite matrix with a zero diagonal is zero: x^T S x on e_i + t e_j changes
            # sign else.
            return rank if not any(any(row) for row in left) else None
        others = [i for i in range(n) if i != p]
        left = [[left[i][j] - left[i][p] * left[p][j] / pivot for j in others] for i in others]
        rank += 1
    return rank


def _negated(matrix: RationalMatrix) -> list[list[Fraction]]:
    n = len(matrix)
    if any(len(row) != n for row in matrix):
        raise DomainError(f"Expected a square matrix, got {n} rows of {[len(r) for r in matrix]}.")
    asymmetric = [(i, j) for i in range(n) for j in range(i) if matrix[i][j] != matrix[j][i]]
    if asymmetric:
        raise DomainError(
            f"Expected a symmetric matrix, but entry {asymmetric[0]} differs from its mirror. "
            "Pass the symmetric part (S + S^T) / 2."
        )
    return [[-Fraction(entry) for entry in row] for row in matrix]
