"""The metric of a claim, constant or of the point, and how it changes along the system.

For a flow ``x' = f`` with inputs of rates ``u' = r`` its derivative along the way is the
coefficient of a move dt in ``M(x + f dt, u + r dt)``. For a step ``M' = M(f(x, u), u)`` is the
metric at the successor. A factor Theta stands for ``M = Theta^T Theta`` (Lohmiller and Slotine,
Automatica 34, 1998).
"""

from dataclasses import dataclass

from contraction_checker.claim import Case, constant_metric
from contraction_checker.expressions import Expression
from contraction_checker.json_parts import are_distinct, fields, texts
from contraction_checker.matrices import Matrix, square
from contraction_checker.proof import Proof
from contraction_checker.range_values import RangeValues
from contraction_checker.refusals import MalformedError, NotProvedError
from contraction_checker.system import Expressions, System
from contraction_checker.term_values import TermValues
from contraction_checker.terms import Term, as_term, move

ALONG = "t"


@dataclass(frozen=True, slots=True, eq=False)
class MovingMetric:
    """A metric M with what becomes of it, n by n."""

    M: Matrix
    dot: Matrix  # of a flow, its derivative along the way
    after: Matrix  # of a step, M'
    later: TermValues  # what expressions become


def read_constant(case: Case, n: int) -> MovingMetric:
    """A constant metric, which does not move.

    Raises:
        NotProvedError: If the norm is no l2 norm, or its metric not positive definite.
    """
    if case.claim.norm["type"] != "l2":
        raise NotProvedError("metrics of the point are for whole states")
    M = constant_metric(case.claim.norm, n)
    return MovingMetric(M, Matrix(), M, case.proof.terms)


def read_point_metric(case: Case, system: System) -> MovingMetric:
    """A metric of the point.

    Raises:
        MalformedError: If it is not symmetric, or breaks the format.
        NotProvedError: If it may jump, has another size, or moves in a way that the file does not
            give.
    """
    claim, proof, written, n = case.claim, case.proof, system.written, system.rows
    if claim.norm["type"] != "l2" or claim.kind == "map" or claim.has("horizontal"):
        raise NotProvedError("metrics of the point are for whole states")
    sort = "factor_terms" if "factor_terms" in claim.norm else "metric_terms"
    norm = fields(claim.norm, f"type let {sort}", "rates")
    along = {s: proof.terms.evaluate(t) for s, t in zip(written.state, written.map, strict=True)}
    if norm.get("rates") is not None:
        along |= _rates_of_inputs(case, written)
    _require_size_and_rates(proof, written, along, n)
    still = {s: proof.terms[s] for s in proof.names}
    if claim.is_flow:
        way = {s: t + along[s] * move(ALONG) if s in along else t for s, t in still.items()}
    else:
        way = {**still, **along}
    later = TermValues(way, proof.definitions.bindings)
    here = proof.terms if not claim.is_flow else later
    on_the_way = _metric_of(here, sort, written.metric, n)
    dot = Matrix({place: as_term(t).slopes().get(ALONG, 0) for place, t in on_the_way.items()})
    M = Matrix({place: as_term(t).still() for place, t in on_the_way.items()})
    if not (M - M.T).vanishes():
        raise MalformedError("the metric is not symmetric")
    return MovingMetric(M, dot, _metric_of(later, sort, written.metric, n), later)


def _rates_of_inputs(case: Case, written: Expressions) -> dict[str, Term]:
    """The rates of inputs that the norm gives.

    They are one u(t) for all points of a path: of a rate that depends on the state, each point
    would have another.
    """
    part = fields(case.claim.norm["rates"], "names terms")
    names = texts(part["names"], "an input")
    is_step = case.claim.kind == "step"
    if (names and is_step) or not {*names} <= {*written.inputs} or not are_distinct(names):
        raise MalformedError("rates are those of a flow's inputs")
    proof = case.proof
    for rate in written.rates:
        if not proof.moving.evaluate(rate).slopes().keys().isdisjoint(written.state):
            raise NotProvedError("the rate of an input depends on the state")
    if len(names) != len(written.rates):
        raise MalformedError("rates: a term for each name")
    return {s: proof.terms.evaluate(t) for s, t in zip(names, written.rates, strict=True)}


def _require_size_and_rates(
    proof: Proof, written: Expressions, along: dict[str, Term], n: int
) -> None:
    moving = {s for t in written.metric for s in proof.moving.evaluate(t).slopes()}
    if moving & {*written.inputs} - along.keys() or len(written.metric) != n * n:
        raise NotProvedError("the metric depends on inputs without rates, or has another size")


def _metric_of(values: TermValues, sort: str, entries: list[Expression], n: int) -> Matrix:
    found = square([values.evaluate(t) for t in entries], n)
    return found.T @ found if sort == "factor_terms" else found


def successor_ranges(proof: Proof, written: Expressions) -> RangeValues:
    """Ranges over all successors of points of the region under a step.

    Raises:
        OutsideError: If no point of the region lies in its box.
        NotProvedError: If the map may be undefined.
    """
    whole = proof.whole()
    there = {s: whole.evaluate(t) for s, t in zip(written.state, written.map, strict=True)}
    return RangeValues({**whole.given, **there}, proof.definitions.bindings)
