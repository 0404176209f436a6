"""A system of expressions: its map, its Jacobian, and what has to be defined.

The Jacobian is the exact derivative of the map as it is written. With ``horizontal`` it is that of
what is left of a difference after a conservation law or a symmetry (Forni and Sepulchre, IEEE
Trans. Automat. Control 59, 2014): with ``L R = I``,

- conservation: ``(I - R L) J = 0``, so that differences ``R z`` stay such, and ``z' = L J R z``;
- symmetry: ``J (I - R L) = 0``, so that ``z = L`` times the difference has ``z' = L J R z``.

For steps ``J - I`` stands for J in these conditions.
"""

from dataclasses import dataclass

from contraction_checker.atoms import read_atoms
from contraction_checker.claim import Case
from contraction_checker.expressions import Expression, Operation, as_power
from contraction_checker.json_parts import Json, fields, list_in, listed, mapping, tuple_of
from contraction_checker.matrices import Matrix, identity
from contraction_checker.matrix_parts import matrix
from contraction_checker.refusals import MalformedError, NotProvedError, OutsideError

METRIC_PARTS = ("metric_terms", "factor_terms")


@dataclass(frozen=True, slots=True, eq=False)
class Expressions:
    """What the file writes of a system, its norm and its evidence, as expressions."""

    state: list[str]
    inputs: list[str]
    map: list[Expression]  # of a flow the rates, of a step what comes next, of a map its outputs
    variables: list[str]  # by which it is differentiated
    metric: list[Expression]  # of a metric of the point, or of its factor
    rates: list[Expression]  # of inputs, in such a metric
    guards: list[tuple[Json, Expression]]  # of what the map needs to be defined


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A map with the Jacobian of differences, rows by columns."""

    written: Expressions
    jacobian: Matrix
    rows: int
    columns: int


def read_system(case: Case) -> System:
    """Read the system, prove the atoms, and derive the Jacobian of differences.

    Raises:
        MalformedError: If it breaks the format.
        NotProvedError: If the map may jump, an atom is not proved, or ``horizontal`` is no
            identity of the system.
    """
    written = _read(case)
    proof = case.proof
    derivatives = [proof.moving.evaluate(t).slopes() for t in written.map]
    place = {s: j for j, s in enumerate(written.variables)}
    jacobian = Matrix(
        {
            (i, place[s]): slope
            for i, slopes in enumerate(derivatives)
            for s, slope in slopes.items()
            if s in place
        }
    )
    read_atoms(proof, case.evidence.get("atoms", []))
    # Where all is defined on the whole box, it is on its parts, and no leaf has to be asked.
    guards = [_condition(sort, t) for sort, t in written.guards]
    proof.require_defined([*written.map, *guards, *written.metric, *written.rates])
    try:
        proof.whole()
    except (NotProvedError, OutsideError):
        pass
    else:
        proof.defined_everywhere()
    rows, columns = len(written.map), len(written.variables)
    if case.claim.has("horizontal"):
        jacobian, rows = _horizontal(case, jacobian, rows)
        columns = rows
    return System(written, jacobian, rows, columns)


def _read(case: Case) -> Expressions:
    """All expressions of the file but those of the evidence; each in names that stand before it."""
    claim, proof, norm = case.claim, case.proof, case.claim.norm
    system = fields(case.system, "type symbols let dx y guards")
    groups = fields(system["symbols"], "state inputs parameters")
    state, inputs, parameters = (listed(groups[g]) for g in ("state", "inputs", "parameters"))
    dx, y, guards = (listed(system[part]) for part in ("dx", "y", "guards"))
    is_map = claim.kind == "map"
    n, m = len(state), len(inputs)
    if (
        system["type"] != "expressions"
        or proof.names != state + inputs + parameters
        or len(dx) != n
        or not (y if is_map else dx)
        or not (inputs if is_map else state)
        or is_map == bool(state)
    ):
        raise MalformedError("the system does not fit the claim or the region")
    definitions = proof.definitions
    definitions.define(system)
    rates = [definitions.read(t) for t in dx]
    outputs = [definitions.read(t) for t in y]
    pairs = (tuple_of(guard, 2) for guard in guards)
    conditions = [(sort, definitions.read(t)) for sort, t in pairs]
    definitions.define(norm)
    entries = [definitions.read(t) for part in METRIC_PARTS for t in list_in(norm, part)]
    rates_of_inputs = norm.get("rates") or {}
    along = definitions.read_all(mapping(rates_of_inputs, "rates").get("terms", []))
    definitions.depths.update(dict.fromkeys(proof.region.constraints, 0))
    definitions.define(case.evidence)
    return Expressions(
        state=proof.names[:n],
        inputs=proof.names[n : n + m],
        map=outputs if is_map else rates,
        variables=proof.names[n : n + m] if is_map else proof.names[:n],
        metric=entries,
        rates=along,
        guards=conditions,
    )


def _condition(sort: Json, term: Expression) -> Expression:
    """What is defined exactly where a guard holds."""
    if sort == "nonnegative":
        return as_power(term, "1/2")
    if sort == "positive":
        return Operation("log", (term,))
    if sort == "nonzero":
        return as_power(term, "-1")
    raise MalformedError(f"guards: {sort!r:.60} is none")


def _horizontal(case: Case, jacobian: Matrix, n: int) -> tuple[Matrix, int]:
    """``L J R`` and its size, when ``L R = I`` and the identity of its kind are proved."""
    claim = case.claim
    part = fields(claim.data["horizontal"], "L R kind")
    k, kind = len(listed(part["L"])), part["kind"]
    L, R = matrix(part["L"], k, n), matrix(listed(part["R"]), n, k)
    Z = jacobian if claim.is_flow else jacobian - identity(n)
    lost = identity(n) - R @ L
    if kind == "conservation":
        gap = lost @ Z
    elif kind == "symmetry":
        gap = Z @ lost
    else:
        raise MalformedError(f"horizontal: {kind!r:.60} is no kind")
    is_identity = k > 0 and identity(k) == L @ R and gap.vanishes()
    if not is_identity or claim.kind == "map" or claim.has("trajectories"):
        raise NotProvedError(f"horizontal: the {kind} is no identity of the system")
    return L @ jacobian @ R, k
