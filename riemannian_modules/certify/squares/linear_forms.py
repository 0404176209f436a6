"""Linear forms with rational coefficients, and the vectors that they annul, exact."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from riemannian_modules.certify.deadline import require_time

Row = dict[int, Fraction]  # a linear form: its nonzero coefficients by place


def nullspace(rows: Sequence[Row], size: int) -> list[list[Fraction]]:
    """A basis of the vectors (size,) that all rows annul, exact.

    Raises:
        OutOfTime: When the request's time is over.
    """
    pivots: dict[int, Row] = {}  # each row solved for its pivot: row[pivot] == 1
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
    basis: list[list[Fraction]] = []
    for free in (k for k in range(size) if k not in pivots):
        v = [Fraction(0)] * size
        v[free] = Fraction(1)
        for p, row in pivots.items():
            v[p] = -row.get(free, Fraction(0))
        basis.append(v)
    return basis


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
