"""The rule ``sums``: weighted l1 and linf norms of layers of activations of bounded slope.

``J = A + B U`` with ``U = S (C + D U)`` for the diagonal matrix S of the slopes, which is solved
one layer after another. Each entry of J is affine in each slope, and a weighted sum of magnitudes
convex, so that it is largest at corners of the slopes (after Davydov, Proskurnikov and Bullo 2022,
arXiv:2110.08298).
"""

from contraction_checker.claim import Case
from contraction_checker.json_parts import fields
from contraction_checker.matrices import Matrix
from contraction_checker.ranges import Range, near
from contraction_checker.refusals import NotProvedError
from contraction_checker.rules.slope_system import SlopeSystem, read_slope_system
from contraction_checker.rules.weighted_sums import prove_weighted_sums
from contraction_checker.terms import atom


def prove_by_layer_sums(case: Case) -> None:
    """Prove the bound row by row.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If a row exceeds the bound, or the neurons are no layers.
    """
    claim, proof = case.claim, case.proof
    system = read_slope_system(case)
    fields(case.evidence, "rule")
    U = _of_layers(system)
    if U is None or claim.kind == "map" or claim.norm["type"] not in ("l1", "linf"):
        raise NotProvedError("sums of slopes are those of layers, in l1 or linf")
    ranges = {
        _slope(k): Range(near(low).lo, near(high).hi) for k, (low, high) in enumerate(system.bounds)
    }
    proof.add_coordinates(ranges)
    J = system.A + system.B @ U
    rows = J if claim.norm["type"] == "linf" else J.T
    for i in range(system.q):
        prove_weighted_sums(case, rows, system.q, [None], (i,))


def _slope(k: int) -> str:
    return f"~{k}"  # no name of the file begins so


def _of_layers(system: SlopeSystem) -> Matrix | None:
    """U in atoms of the slopes; None where some neurons feed back on each other."""
    found, left = Matrix(), {*range(system.m)}
    feeds: dict[int, set[int]] = {}
    for k, j in system.D:
        feeds.setdefault(k, set()).add(j)
    while ready := {k for k in left if left.isdisjoint(feeds.get(k, ()))}:
        S = Matrix({(k, k): atom(_slope(k)) for k in ready})
        found = found + S @ (system.C + system.D @ found)
        left -= ready
    return None if left else found
