"""Definiteness of a matrix for all values of its atoms in their ranges.

The positive semidefinite matrices are a closed convex cone, and a matrix is affine in each atom. So
along an edge of the box of atoms it is positive where it is at both ends, and on the box where it
is at all corners. Magnitudes, which are taken off, are convex in each atom, and do no harm. The
cheap tests come first:

1. all atoms together, as an interval matrix;
2. one atom after another at the end where the matrix is least, which is known where its slope by
   the atom has one sign: without that, nothing is said of an atom without a bound;
3. the corners, of up to twelve atoms;
4. the corners of the interval matrix that matter: ``x^T (C + D) x`` is least over ``|D| <= R`` at
   ``D = -S R S`` with S the signs of x (Hertz, IEEE Trans. Automat. Control 37, 1992; Rohn, SIAM J.
   Matrix Anal. Appl. 15, 1994), of up to ten rows.
"""

from collections.abc import Mapping
from itertools import product
from typing import final

from contraction_checker.definiteness import Bounds, is_positive
from contraction_checker.forms import Form, enclosure
from contraction_checker.limits import MOST_TESTS
from contraction_checker.matrices import Place
from contraction_checker.ranges import INF, Range, point

MOST_CORNER_ATOMS = 12
MOST_ROWS_OF_SIGNS = 10


def passes(form: Form, ranges: Mapping[int, Range], *, strict: bool) -> bool:
    """Whether the matrix is positive semidefinite (or definite) for all values in the ranges.

    Gives up after 2^15 tests of one matrix: what is not tested is not shown.
    """
    return _Tests().passes(form, ranges, strict=strict)


@final
class _Tests:
    """The tests of matrices for one question, with their number."""

    def __init__(self) -> None:
        self.left = MOST_TESTS

    def is_positive(self, entries: Mapping[Place, Bounds], *, strict: bool) -> bool:
        if self.left == 0:
            return False
        self.left -= 1
        return is_positive(entries, strict=strict)

    def passes(self, form: Form, ranges: Mapping[int, Range], *, strict: bool) -> bool:
        moving = sorted({a for atoms in form for a in atoms if ranges[a].lo < ranges[a].hi})
        endless = [a for a in moving if ranges[a].lo == -INF or ranges[a].hi == INF]
        if endless:
            return self._passes_at_one_end(form, ranges, endless, strict=strict) is True
        around = enclosure(form, ranges)
        if self.is_positive(around, strict=strict):
            return True
        if not moving:
            return False
        if len(moving) <= MOST_CORNER_ATOMS:
            x = ranges[moving[0]]
            return all(
                self.passes(form, {**ranges, moving[0]: point(e)}, strict=strict)
                for e in (x.lo, x.hi)
            )
        found = self._passes_at_one_end(form, ranges, moving, strict=strict)
        return self._passes_for_all_signs(form, around, strict=strict) if found is None else found

    def _passes_at_one_end(
        self, form: Form, ranges: Mapping[int, Range], atoms: list[int], *, strict: bool
    ) -> bool | None:
        """Whether it passes where it is least by one of the atoms; None if that is known of none.

        ``A + a B`` is least at the lower end of a if ``B >= 0``, at the upper one if ``-B >= 0``,
        for all values of the other atoms. That is first asked at one of them, for it is cheap.
        """
        inside = {a: point(max(x.lo, min(x.hi, 0))) for a, x in ranges.items()}
        for a in atoms:
            slope = _slope(form, a)
            for way, end in ((1, ranges[a].lo), (-1, ranges[a].hi)):
                if abs(end) == INF:
                    continue
                signed = _times(slope, way)
                if not self.is_positive(enclosure(signed, inside), strict=False):
                    continue
                if self.passes(signed, ranges, strict=False):
                    return self.passes(form, {**ranges, a: point(end)}, strict=strict)
        return None

    def _passes_for_all_signs(
        self, form: Form, around: Mapping[Place, Bounds], *, strict: bool
    ) -> bool:
        n = 1 + max(i for i, _ in form[()])
        if n > MOST_ROWS_OF_SIGNS:
            return False
        for signs in product((0, 1), repeat=n):
            if signs[0]:
                continue  # x and -x give the same
            vertex: dict[Place, Bounds] = {}
            for (i, j), (lo, hi) in around.items():
                end = lo if signs[i] == signs[j] else hi
                vertex[i, j] = end, end
            if not self.is_positive(vertex, strict=strict):
                return False
        return True


def _slope(form: Form, a: int) -> Form:
    """The derivative of a matrix by an atom."""
    slope = {
        tuple(b for b in atoms if b != a): entries for atoms, entries in form.items() if a in atoms
    }
    slope[()] = dict.fromkeys(form[()], 0) | slope.get((), {})
    return slope


def _times(form: Form, way: int) -> Form:
    return {
        atoms: {place: way * c for place, c in entries.items()} for atoms, entries in form.items()
    }
