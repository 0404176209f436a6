"""Symmetric matrices that are affine in each of their atoms, with bounds over ranges of these.

``{atoms multiplied: {place: whole number}}``, places on and above the diagonal. A place (i, -1 - j)
is a *magnitude*: its entry's size is taken off the diagonal at i. So weighted sums of magnitudes
are matrices, too: they are at most a bound exactly if what is left on the diagonal is nonnegative.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from typing import TypeAlias

from contraction_checker.definiteness import Bounds
from contraction_checker.matrices import Matrix, Place
from contraction_checker.ranges import ONE, Range
from contraction_checker.refusals import NotProvedError
from contraction_checker.terms import as_term

Atoms = tuple[int, ...]  # the numbers of generators, each once
Form: TypeAlias = dict[Atoms, dict[Place, int]]


def form_of(matrix: Matrix, n: int) -> Form:
    """A symmetric n by n matrix of terms, times a positive whole number.

    Raises:
        NotProvedError: If it is not affine in each of its atoms.
    """
    form: dict[Atoms, dict[Place, Fraction]] = {(): {(i, i): Fraction(0) for i in range(n)}}
    for (i, j), t in matrix.items():
        if 0 <= j < i:
            continue  # below the diagonal the same stands as above
        for monomial, c in as_term(t).parts.items():
            if any(e != 1 for _, e in monomial):
                raise NotProvedError("a matrix is not affine in each of its atoms")
            form.setdefault(tuple(g for g, _ in monomial), {})[i, j] = Fraction(c)
    scale = lcm(*(c.denominator for entries in form.values() for c in entries.values()))
    return {
        atoms: {place: int(c * scale) for place, c in entries.items()}
        for atoms, entries in form.items()
    }


def enclosure(form: Form, ranges: Mapping[int, Range]) -> dict[Place, Bounds]:
    """Bounds of the entries over a box of atoms, in a common unit; exact where atoms are points."""
    degree = max(map(len, form))
    found: dict[Place, Bounds] = {}
    for atoms, entries in form.items():
        least = most = ONE ** (degree - len(atoms))
        for a in atoms:
            x = ranges[a]
            ends = least * x.lo, least * x.hi, most * x.lo, most * x.hi
            least, most = min(ends), max(ends)
        for place, c in entries.items():
            lo, hi = found.get(place, (0, 0))
            if c < 0:
                found[place] = lo + c * most, hi + c * least
            else:
                found[place] = lo + c * least, hi + c * most
    for i, j in [place for place in found if place[1] < 0]:
        lo, hi = found.pop((i, j))
        below, above = found[i, i]
        found[i, i] = below - max(-lo, hi), above
    return found
