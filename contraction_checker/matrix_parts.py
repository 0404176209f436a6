"""Matrices of numbers as the file writes them: rows, or ``{"entries": [[i, j, number], ...]}``."""

from collections.abc import Callable
from fractions import Fraction

from contraction_checker.corners import passes
from contraction_checker.expressions import number
from contraction_checker.forms import form_of
from contraction_checker.json_parts import Json, fields, listed, real, tuple_of, whole
from contraction_checker.matrices import Matrix, Place
from contraction_checker.refusals import MalformedError, NotProvedError


def fraction(data: Json) -> Fraction:
    """A double, or a fraction as a text.

    Raises:
        MalformedError: If it is neither.
    """
    exact = number(data) if isinstance(data, str) else None
    return real(data) if exact is None else exact


def matrix(data: Json, n: int, m: int, entry: Callable[[Json], Fraction] = real) -> Matrix:
    """A matrix n by m.

    Raises:
        MalformedError: If it has another size, a place twice, or an entry that is no number.
    """
    found = _rows(data, n, m, entry) if isinstance(data, list) else _entries(data, n, m, entry)
    return Matrix({place: x for place, x in found.items() if x})


def _rows(
    data: list[Json], n: int, m: int, entry: Callable[[Json], Fraction]
) -> dict[Place, Fraction]:
    rows = [listed(row) for row in data]
    if [len(row) for row in rows] != [m] * n:
        raise MalformedError(f"expected a matrix {n} x {m}")
    return {(i, j): entry(x) for i, row in enumerate(rows) for j, x in enumerate(row)}


def _entries(
    data: Json, n: int, m: int, entry: Callable[[Json], Fraction]
) -> dict[Place, Fraction]:
    part = fields(data, "entries", "shape")
    found: dict[Place, Fraction] = {}
    for row in listed(part["entries"]):
        i, j, x = tuple_of(row, 3)
        place = place_within(i, j, n, m)
        if place is None or place in found:
            raise MalformedError(f"expected a matrix {n} x {m}")
        found[place] = entry(x)
    if "shape" in part and [whole(k, "a size") for k in listed(part["shape"])] != [n, m]:
        raise MalformedError(f"expected a matrix {n} x {m}")
    return found


def place_within(i: Json, j: Json, n: int, m: int) -> Place | None:
    """A place of a matrix n by m; None for what is none, among that a truth value."""
    if type(i) is not int or type(j) is not int:
        return None
    return (i, j) if 0 <= i < n and 0 <= j < m else None


def metric(data: Json, n: int) -> Matrix:
    """A constant metric: a symmetric positive definite matrix n by n.

    Raises:
        NotProvedError: If it is another one.
        MalformedError: If it is no matrix n by n.
    """
    found = matrix(data, n, n)
    if found != found.T or not passes(form_of(found, n), {}, strict=True):
        raise NotProvedError("a metric is not symmetric and positive definite")
    return found
