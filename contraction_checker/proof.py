"""What is proved on the leaves of cuts of the region: that matrices in atoms are positive.

A `Proof` holds the region, the file's bindings as terms, the atoms with their ranges, and the
report of what was proved. Atoms are bindings, in whose products the file writes its matrices; that
a written matrix is the system's is proved by multiplying out both.
"""

from fractions import Fraction
from typing import final

from contraction_checker.corners import passes
from contraction_checker.expressions import Definitions, Expression, is_plain
from contraction_checker.forms import form_of
from contraction_checker.json_parts import Json, listed, tuple_of
from contraction_checker.leaves import Box, leaves
from contraction_checker.matrices import Matrix, Place
from contraction_checker.matrix_parts import place_within
from contraction_checker.mean_value import mean_value_range
from contraction_checker.range_values import RangeValues
from contraction_checker.ranges import INF, ONE, Range
from contraction_checker.refusals import MalformedError, NotProvedError, OutsideError
from contraction_checker.region import Region
from contraction_checker.term_values import TermValues
from contraction_checker.terms import GENERATORS, move, symbol


@final
class Proof:
    """Statements about all points of a region."""

    def __init__(self, region: Region, definitions: Definitions) -> None:
        self.region = region
        self.definitions = definitions
        self.names = [*region.names]
        self.sides: Box = [*region.box]
        self.report: list[str] = []
        self.slopes: dict[str, dict[str, Expression]] = {}  # of atoms, by coordinates
        # What has to be defined on every leaf; and ranges of names that hold on the region.
        self.defined: list[Expression] = []
        self.known: dict[str, Range] = {**region.constraints}
        bindings = definitions.bindings
        still = {name: symbol(name) for name in (*region.names, *region.constraints)}
        moving = {name: t + move(name) for name, t in still.items()}
        self.opaque = TermValues({}, bindings)  # atoms are letters
        self.terms = TermValues({s: still[s] for s in region.names}, bindings)
        self.moving = TermValues({s: moving[s] for s in region.names}, bindings)
        # With constraints as coordinates of their own, beside the symbols:
        self.free = TermValues(still, bindings)
        self.free_moving = TermValues(moving, bindings)
        self._whole: RangeValues | None = None

    def add_coordinates(self, ranges: dict[str, Range]) -> None:
        """Add coordinates to the box."""
        self.names += ranges.keys()
        self.sides = [*self.sides, *ranges.values()]
        self._whole = None

    def require_defined(self, expressions: list[Expression]) -> None:
        """Ask of each leaf that these are defined on it."""
        self.defined = [*self.defined, *expressions]
        self._whole = None

    def defined_everywhere(self) -> None:
        """Ask no leaf what was found to be defined on the whole box."""
        self.defined = []

    def know(self, name: str, limit: Range) -> None:
        """Use a range that is proved on the region."""
        self.known[name] = limit
        self._whole = None

    def box(self, sides: Box) -> RangeValues:
        """Ranges over a box.

        Raises:
            OutsideError: If no point of the region lies in it.
            NotProvedError: If what has to be defined may be undefined.
        """
        if sides is self.sides and self._whole is not None:
            return self._whole
        given = dict(zip(self.names, sides, strict=True))
        found = RangeValues(given, self.definitions.bindings, self.known)
        for name in self.region.constraints:
            found.evaluate(name)
        for expression in self.defined:
            found.evaluate(expression)
        if sides is self.sides:
            self._whole = found
        return found

    def whole(self) -> RangeValues:
        """Ranges over the whole box of the region; raises as `box` does."""
        return self.box(self.sides)

    def written(self, entries: Json, own: Matrix, n: int, m: int) -> Matrix:
        """A matrix n by m that the file writes in atoms, when it is proved to be ``own``.

        Raises:
            MalformedError: If an entry is not ``[i, j, sums and products of atoms]``.
            NotProvedError: If it is another matrix.
        """
        read: list[tuple[Place, Expression]] = []
        for i, j, written in (tuple_of(entry, 3) for entry in listed(entries)):
            expression = self.definitions.read(written)
            place = place_within(i, j, n, m)
            if place is None or not is_plain(expression):
                raise MalformedError(
                    f"entries [i, j, sums and products of atoms] of a matrix {n} x {m}"
                )
            read.append((place, expression))
        in_atoms = Matrix({place: self.opaque.evaluate(t) for place, t in read})
        multiplied_out = Matrix({place: self.terms.evaluate(t) for place, t in read})
        if len(in_atoms) < len(read) or not (own - multiplied_out).vanishes():
            raise NotProvedError("a matrix is not the system's")
        return in_atoms

    def proves(
        self, what: str, matrix: Matrix, n: int, cuts: Json, *, strict: bool = False
    ) -> None:
        """Prove that a symmetric n by n matrix in atoms is positive on every leaf of the cuts.

        Raises:
            NotProvedError: Naming the first leaf on which it is not.
            MalformedError: If the cuts are no tree.
        """
        self.proves_on(self.sides, what, matrix, n, cuts, strict=strict)

    def proves_on(
        self, sides: Box, what: str, matrix: Matrix, n: int, cuts: Json, *, strict: bool = False
    ) -> None:
        """The same on a part of the region's box."""
        form = form_of(matrix, n)
        atoms = {g: GENERATORS[g].name for product in form for g in product}
        tree, count = iter(listed(cuts)), 0
        for count, leaf in enumerate(leaves(tree, sides), 1):
            try:
                box = self.box(leaf)
                natural = {g: box[name] for g, name in atoms.items()}
                if passes(form, natural, strict=strict):
                    continue
                narrower = {g: self.narrower(name, box) for g, name in atoms.items()}
                if not passes(form, narrower, strict=strict):
                    raise NotProvedError("the test of the matrix fails")
            except OutsideError:
                continue
            except NotProvedError as fault:
                where = f"{what}: leaf {count}, {self.shown(leaf)}"
                raise NotProvedError(f"{where}: {fault}") from None
        if [*tree]:
            raise MalformedError("cuts: the tree goes on after its last leaf")
        self.report.append(f"{what}: on all of {count} leaves")

    def narrower(self, name: str, box: RangeValues) -> Range:
        """An atom's range over a box, cut with what its slopes say, if the file writes any."""
        slopes = self.slopes.get(name)
        if not slopes:
            return box[name]
        coordinates = {**box.given, **{c: box[c] for c in self.region.constraints}}
        return mean_value_range(name, slopes, coordinates, box)

    def shown(self, sides: Box) -> str:
        """A box in words."""
        bounded = [
            f"{name} in [{_end(x.lo)}, {_end(x.hi)}]"
            for name, x in zip(self.names, sides, strict=True)
            if x.lo > -INF or x.hi < INF
        ]
        return ", ".join(bounded) or "everywhere"


def _end(units: int) -> str:
    if abs(units) < INF:
        return f"{float(Fraction(units, ONE)):.17g}"
    return "inf" if units > 0 else "-inf"
