"""Layers of activations whose slopes lie in known bounds, and implicit ones.

``out = A x + B w`` and ``v = C x + D w`` with ``w = phi(v)``, entry by entry. Differences of two
evaluations obey the same equations with ``dw_i = s_i dv_i`` and ``alpha_i <= s_i <= beta_i``, so
that the system is its four matrices and the bounds of the slopes.
"""

from dataclasses import dataclass
from fractions import Fraction

from contraction_checker.claim import Case
from contraction_checker.json_parts import Json, fields, listed, real, tuple_of, whole
from contraction_checker.matrices import Matrix
from contraction_checker.matrix_parts import fraction, matrix
from contraction_checker.refusals import MalformedError

MOST_ACTIVATIONS = 10**6
UNIT = (Fraction(0), Fraction(1))
# The least and the greatest slope of each activation. Those that are no fractions are doubles next
# to them, outwards.
SLOPES: dict[str, tuple[Fraction, Fraction]] = {
    "abs": (Fraction(-1), Fraction(1)),
    "cos": (Fraction(-1), Fraction(1)),
    "sin": (Fraction(-1), Fraction(1)),
    "erf": (Fraction(0), Fraction(1.1283791670955128)),  # 2 / sqrt(pi)
    "sigmoid": (Fraction(0), Fraction(1, 4)),
    "gelu": (Fraction(-0.1289041451851548), Fraction(1.128904145185155)),
    "silu": (Fraction(-0.09983932012886693), Fraction(1.099839320128867)),
    "relu": UNIT,
    "tanh": UNIT,
    "softplus": UNIT,
    "softsign": UNIT,
    "saturation": UNIT,
    "arctan": UNIT,
}


@dataclass(frozen=True, slots=True, eq=False)
class SlopeSystem:
    """A maps n to q numbers, B m to q, C n to m, D m to m; m bounds of slopes."""

    n: int
    q: int
    m: int
    A: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    bounds: list[tuple[Fraction, Fraction]]


def read_slope_system(case: Case) -> SlopeSystem:
    """The system of a claim, in a norm of q coordinates.

    Raises:
        MalformedError: If it breaks the format, or does not fit the claim.
    """
    claim = case.claim
    part = fields(case.system, "type size A B C D activations")
    bounds = _bounds(listed(part["activations"]))
    given = claim.norm.get("metric", claim.norm.get("weights"))
    q, n, m = len(listed(given)), whole(part["size"], "the size"), len(bounds)
    if q < 1 or n < 1:
        raise MalformedError("slopes: nothing is bounded")
    if (
        part["type"] != "slopes"
        or any(low > high for low, high in bounds)
        or len(case.proof.names) < n
        or case.proof.region.constraints
        or (claim.kind != "map" and q != n)
        or claim.has("horizontal", "trajectories")
    ):
        raise MalformedError("slopes: the parts do not fit")
    return SlopeSystem(
        n=n,
        q=q,
        m=m,
        A=matrix(part["A"], q, n, fraction),
        B=matrix(part["B"], q, m, fraction),
        C=matrix(part["C"], m, n, fraction),
        D=matrix(part["D"], m, m, fraction),
        bounds=bounds,
    )


def _bounds(activations: list[Json]) -> list[tuple[Fraction, Fraction]]:
    """Bounds of all slopes; an entry is a name, ``[name, how often]`` or ``[least, greatest]``."""
    runs: list[tuple[tuple[Fraction, Fraction], int]] = []
    for entry in activations:
        first, second = [entry, 1] if isinstance(entry, str) else tuple_of(entry, 2)
        if isinstance(first, str):
            if first not in SLOPES:
                raise MalformedError(f"activations: {first!r:.60} is none of {[*SLOPES]}")
            runs.append((SLOPES[first], whole(second, "how often")))
        else:
            runs.append(((real(first), real(second)), 1))
    if any(count < 1 for _, count in runs) or sum(k for _, k in runs) > MOST_ACTIVATIONS:
        raise MalformedError("activations: from 1 to a million")
    return [pair for pair, count in runs for _ in range(count)]
