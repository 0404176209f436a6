"""Linear forms with rational coefficients, and the vectors that they annul, exact."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from riemannian_modules.terms.deadline import require_time

Row = dict[int, Fraction]  # a linear form: its nonzero coefficients by place


def nullspace(rows: Sequence[Row], size: int) -> list[list[Fraction]]:
    """A basis of the vectors (size,) that all rows annul, exact.

    Raises:
        OutOfTime: When the request's time is over.
    """
    pivots = _solved_rows(rows)
    basis: list[list[Fraction]] = []
    for free in (k for k in range(size) if k not in pivots):
        v = [Fraction(0)] * size
        v[free] = Fraction(1)
        for p, row in pivots.items():
            v[p] = -row.get(free, Fraction(0))
        basis.append(v)
    return basis


def solved(rows: Sequence[Row], given: Sequence[Fraction]) -> list[Fraction]:
    """Values for which all rows vanish, with most of the given ones kept.

    Each row is a form in the values and, at the place after the last of them, a constant. Rows that
    contradict those before them are left out.
    """
    size = len(given)
    found = [*given, Fraction(1)]
    for p, row in _solved_rows(rows).items():
        if p < size:
            found[p] = -sum((v * found[k] for k, v in row.items() if k != p), Fraction(0))
    return found[:size]


def _solved_rows(rows: Sequence[Row]) -> dict[int, Row]:
    """The rows solved for their pivots, by pivot: ``row[pivot] == 1``, and zero in all others."""
    pivots: dict[int, Row] = {}
    for given in rows:
        require_time()
        row = {k: v for k, v in given.items() if v}
        for p in [p for p in row if p in pivots]:
            _eliminate(row, pivots[p], p)
        if not row:
            continue
        p = min(row)
        scale = row[p]
        row = {k: v / scale for k, v in row.items()}
        for other in pivots.values():
            _eliminate(other, row, p)
        pivots[p] = row
    return pivots


def _eliminate(row: Row, by: Row, pivot: int) -> None:
    factor = row.get(pivot)
    if not factor:
        return
    for k, v in by.items():
        left = row.get(k, Fraction(0)) - factor * v
        if left:
            row[k] = left
        else:
            row.pop(k, None)
