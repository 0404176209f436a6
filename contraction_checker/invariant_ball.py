"""The claim ``trajectories``: a ball that no trajectory leaves, with exactly one equilibrium in it.

Let the bound hold on the ball ``|x - c| <= r`` in the norm of the claim. A flow with
``|f(c)| <= -b r`` points inwards on its border, since ``d|x - c|/dt <= b |x - c| + |f(c)|``; a step
with ``|F(c) - c| <= (1 - b) r`` maps it into itself, and is a contraction there (Banach). The ball
has to lie in the region, for all inputs and parameters: the largest of ``a^T x`` on it is
``a^T c + r |a|``, in the dual norm.
"""

from collections.abc import Iterator
from fractions import Fraction

from contraction_checker.ball_norms import BallNorm, Row, read_ball_norm
from contraction_checker.claim import Case
from contraction_checker.json_parts import Json, fields, real, reals
from contraction_checker.leaves import Box
from contraction_checker.proof import Proof
from contraction_checker.range_values import RangeValues
from contraction_checker.ranges import ONE, near
from contraction_checker.refusals import NotProvedError
from contraction_checker.system import Expressions
from contraction_checker.terms import Term, atom


def prove_trajectories(case: Case, written: Expressions) -> None:
    """Prove what the claim says of trajectories, if it says anything.

    Raises:
        MalformedError: If it breaks the format.
        NotProvedError: If the ball is not proved to be invariant, or to lie in the region.
    """
    claim, proof, n = case.claim, case.proof, len(written.state)
    if not claim.has("trajectories"):
        return
    part = fields(claim.data["trajectories"], "center radius")
    center, radius = reals(part["center"]), real(part["radius"])
    room = -claim.bound * radius if claim.is_flow else (1 - claim.bound) * radius
    has_ball = any(not {*ball.symbols}.isdisjoint(written.state) for ball in proof.region.balls)
    if room <= 0 or radius <= 0 or claim.kind == "map" or len(center) != n or has_ball:
        raise NotProvedError("trajectories: no claim that can be proved")
    norm = read_ball_norm(claim, n)
    start = [*map(near, center), *proof.sides[n:]]
    _require_inside(proof, written, norm, start, radius)
    motion = _motion(case, written, center)
    inequality, size = norm.at_most(room, motion)
    what = "the ball is invariant and holds one equilibrium"
    proof.proves_on(start, what, inequality, size, [None])


def _motion(case: Case, written: Expressions, center: list[Fraction]) -> list[Term]:
    """Atoms of what the map does to the centre: ``f(c)`` of a flow, ``F(c) - c`` of a step."""
    found: list[Term] = []
    for i, (expression, c) in enumerate(zip(written.map, center, strict=True)):
        name = f"~f{i}"  # no name of the file begins so
        case.proof.definitions.bindings[name] = expression
        found.append(atom(name) - (0 if case.claim.is_flow else c))
    return found


def _require_inside(
    proof: Proof, written: Expressions, norm: BallNorm, start: Box, radius: Fraction
) -> None:
    """Require that the ball lies in the region, whatever inputs and parameters are in it."""
    values = RangeValues(dict(zip(proof.names, start, strict=True)), proof.definitions.bindings)
    for row, d in _distances(proof, written, values):
        if d < 0 or not norm.reaches_at_most(d, row, radius):
            raise NotProvedError("the ball leaves the region")


def _distances(
    proof: Proof, written: Expressions, at_center: RangeValues
) -> Iterator[tuple[Row, Fraction]]:
    """Rows of sides and linear constraints, with how far the centre is from their ends at least."""
    place = {s: i for i, s in enumerate(written.state)}
    for side in proof.region.sides:
        if side.symbol in place:
            row = {place[side.symbol]: Fraction(1)}
            yield from _of_ends(row, side.symbol, side.lo, side.hi, at_center)
    for k, linear in enumerate(proof.region.linear):
        row = {place[s]: c for s, c in linear.row if s in place}
        if row:
            yield from _of_ends(row, f"linear[{k}]", linear.lo, linear.hi, at_center)


def _of_ends(
    row: Row, name: str, lo: Json, hi: Json, at_center: RangeValues
) -> Iterator[tuple[Row, Fraction]]:
    x = at_center[name]
    if lo != "-inf":
        yield row, Fraction(x.lo, ONE) - real(lo)
    if hi != "inf":
        yield row, real(hi) - Fraction(x.hi, ONE)
