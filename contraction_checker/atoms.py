"""Atoms: bindings in which matrices are written, with slopes and ranges, all of which are proved.

That the slopes are the atom's derivatives is proved by multiplying out, with constraints of the
region as coordinates beside its symbols. A range is proved like any other statement, on cuts of the
region. It is one wherever the atom is defined; that it is defined is asked of each leaf on which it
is used.
"""

from contraction_checker.expressions import Expression
from contraction_checker.json_parts import (
    Json,
    between,
    fields,
    list_in,
    listed,
    real,
    text,
    tuple_of,
)
from contraction_checker.matrices import Matrix
from contraction_checker.proof import Proof
from contraction_checker.refusals import MalformedError, NotProvedError
from contraction_checker.term_powers import vanishes
from contraction_checker.terms import atom


def read_atoms(proof: Proof, entries: Json) -> None:
    """Read the atoms: names of bindings, with slopes, and ranges on the region's box.

    Raises:
        MalformedError: If an entry breaks the format, or an atom comes twice.
        NotProvedError: If slopes or a range are not the atom's.
    """
    for entry in listed(entries):
        part = fields(entry, "name", "slopes range")
        name = text(part["name"], "a name")
        is_binding = name[:1] == "$" and name in proof.definitions.bindings
        if not is_binding or name in proof.slopes:
            raise MalformedError(f"atoms: {name!r:.60} is no binding, or comes twice")
        proof.slopes[name] = _proved_slopes(proof, name, list_in(part, "slopes"))
        proof.opaque[name] = atom(name)
        if "range" in part:
            _prove_range(proof, name, part["range"])


def _proved_slopes(proof: Proof, name: str, pairs: list[Json]) -> dict[str, Expression]:
    """The slopes that the file writes, when they are the atom's; none where it writes none."""
    written: dict[str, Expression] = {}
    for coordinate, slope in (tuple_of(pair, 2) for pair in pairs):
        expression = proof.definitions.read(slope)
        known = text(coordinate, "a coordinate")
        if known in written or known not in proof.free.given:
            raise MalformedError("atoms: slopes by coordinates, each once")
        written[known] = expression
    if not written:
        return {}
    own = proof.free_moving[name].slopes()
    for coordinate in own.keys() | written.keys():
        expected = own.get(coordinate, 0)
        found = proof.free.evaluate(written.get(coordinate, "0"))
        if not vanishes(expected - found):
            raise NotProvedError(f"{name} has other slopes")
    return written


def _prove_range(proof: Proof, name: str, data: Json) -> None:
    """Prove ``lower <= atom <= upper``, and use it from here on.

    An interval without a number in it is refused first: of what follows from an empty set nothing
    is proved.
    """
    part = fields(data, "lower upper cuts")
    lower, upper, cuts = part["lower"], part["upper"], listed(part["cuts"])
    limit = between(lower, upper)
    letter = proof.opaque[name]
    sides = Matrix()
    if lower != "-inf":
        sides[0, 0] = letter - real(lower)
    if upper != "inf":
        sides[1, 1] = real(upper) - letter
    proof.proves(f"the range of {name}", sides, 2, cuts)
    proof.know(name, limit)
