"""A claim in words and in symbols, derived from its numbers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.constraints import Constraints
from riemannian_modules.certify.norms import L1, L2, FactorL2, FieldL2, LInf, Norm
from riemannian_modules.certify.symmetry.horizontal import Horizontal
from riemannian_modules.region import Linear
from riemannian_modules.space import Array

_NAMES: dict[type, str] = {
    L2: "the l2 norm of a constant metric",
    FieldL2: "the distance of a metric M(x) that changes with the point",
    FactorL2: "the distance of the metric of given coordinates, Theta(x)^T Theta(x)",
    L1: "a weighted l1 norm",
    LInf: "a weighted linf norm",
}
_SYMBOLS: dict[type, tuple[str, str]] = {  # of flows, and of maps
    L2: ("M J + J^T M <= 2 b M", "J^T M J <= b^2 M"),
    FieldL2: ("dM/dt + M J + J^T M <= 2 b M", "J^T M(f) J <= b^2 M"),
    FactorL2: ("F + F^T <= 2 b I, F = (dTheta/dt + Theta J) Theta^-1", ""),
    L1: ("J_jj + sum_(i!=j) w_i |J_ij| / w_j <= b", "sum_i w_i |J_ij| / w_j <= b"),
    LInf: ("J_ii + sum_(j!=i) |J_ij| w_j / w_i <= b", "sum_j |J_ij| w_j / w_i <= b"),
}


def region_in_words(
    names: Sequence[str], lower: Array, upper: Array, constraints: Constraints
) -> str:
    """The region, with all digits: rounded ones would claim another region."""
    parts = [
        f"{name} in [{low!r}, {high!r}]"
        for name, low, high in zip(names, lower.tolist(), upper.tolist(), strict=True)
        if math.isfinite(low) or math.isfinite(high)
    ]
    for c in constraints.members:
        if isinstance(c, Linear):
            form = " + ".join(f"{a!r} {n}" for n, a in c.coefficients.items())
            parts.append(f"{c.lower!r} <= {form} <= {c.upper!r}")
        else:
            norm = "" if c.metric is None else "_M"
            parts.append(
                f"|({', '.join(c.names)}) - {tuple(c.center.tolist())}|{norm} <= {c.radius!r}"
            )
    return ", ".join(parts) or "everywhere"


def statement_of(
    kind: str,
    bound: Bound,
    norm: Norm,
    input_norm: Norm | None,
    overshoot: float,
    region: str,
    horizontal: Horizontal | None = None,
) -> str:
    """The claim in words; numbers with all their digits, for a rounded one could claim more."""
    name = _NAMES[type(norm)] + _less(horizontal)
    # Six digits are off by less than 5e-6: with 1e-5 more they stay above.
    tail = (
        f", overshoot at most {overshoot * (1 + 1e-5):.6g} in Euclidean distance"
        if isinstance(norm, L2)
        else ""
    )
    # A metric that changes with the point measures paths, and the bound is proved of paths in the
    # region alone: the shortest one between two points of a convex region may leave it.
    path = ", and the shortest path between them," if isinstance(norm, (FieldL2, FactorL2)) else ""
    if isinstance(bound, LogNormBound):
        verb = (
            f"shrinks at least as exp(-{-bound.rate!r} t)"
            if bound.rate < 0
            else f"grows at most as exp({bound.rate!r} t)"
        )
        return (
            f"With the same inputs and parameters, the distance of any two trajectories {verb} in "
            f"{name}{tail}, as long as both{path} stay in the region ({region}). Differential "
            "condition on the whole region, rounding included; that the region is invariant is "
            "not part of the claim."
        )
    if kind == "step":
        return (
            "With the same inputs and parameters, one step changes the distance of any two points "
            f"at most by the factor {bound.factor!r} in {name}{tail}, where both{path} lie in the "
            f"region ({region}). Rounding included."
        )
    source = "a given metric" if input_norm is not None else "Euclidean distance"
    source = source if isinstance(norm, L2) else "the same norm"
    return (
        f"With the same parameters, the outputs of any two points are apart, in {name}, by at most "
        f"{bound.factor!r} times the distance of the inputs, in {source}, where both{path} lie in "
        f"the region ({region}). Rounding included."
    )


def _less(horizontal: Horizontal | None) -> str:
    if horizontal is None:
        return ""
    if horizontal.kind == "conservation":
        return " of the free coordinates, for trajectories with the same conserved quantities"
    return " of the coordinates that the symmetry leaves unchanged"


def symbols_of_claim(kind: str, bound: Bound, norm: Norm, horizontal: Horizontal | None) -> str:
    """The inequality in symbols, with the number."""
    is_flow = isinstance(bound, LogNormBound)
    text = _SYMBOLS[type(norm)][0 if is_flow else 1]
    if kind == "map" and isinstance(norm, L2):
        text = "J^T M J <= b^2 M_in"
    number = bound.rate if is_flow else bound.factor
    jacobian = "dy/du" if kind == "map" else "df/dx"
    if horizontal is not None:
        jacobian = f"L ({jacobian}) R"
    return f"{text}, J = {jacobian}, b = {number!r}, at every point of the region"


def bound_of(kind: str, b: float) -> Bound:
    """The bound of a kind of claim."""
    return LogNormBound(b) if kind == "flow" else LipschitzBound(b)
