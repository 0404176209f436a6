"""A claim in words, derived from its numbers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from riemannian_modules.bound import LogNormBound
from riemannian_modules.claims.constraints import Constraints
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.kind import bound_of
from riemannian_modules.claims.norms import L2, Norm
from riemannian_modules.region import Linear
from riemannian_modules.spaces import Array


def sides_in_words(
    names: Sequence[str], lower: Array, upper: Array, constraints: Constraints | None = None
) -> str:
    """The region, with all digits: rounded ones would claim another region."""
    parts = [
        f"{name} in [{low!r}, {high!r}]"
        for name, low, high in zip(names, lower.tolist(), upper.tolist(), strict=True)
        if math.isfinite(low) or math.isfinite(high)
    ]
    for c in constraints.members if constraints is not None else ():
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
    b: float,
    norm: Norm,
    input_norm: Norm | None,
    region: str,
    horizontal: Horizontal | None,
) -> str:
    """The claim in words; numbers with all their digits, for a rounded one could claim more."""
    name = norm.in_words + _less(horizontal)
    # A metric that changes with the point measures paths, and the bound is proved of paths in the
    # region alone: the shortest one between two points of a convex region may leave it.
    path = "" if norm.is_constant else ", and the shortest path between them,"
    bound = bound_of(kind, b)
    if isinstance(bound, LogNormBound):
        verb = (
            f"shrinks at least as exp(-{-bound.rate!r} t)"
            if bound.rate < 0
            else f"grows at most as exp({bound.rate!r} t)"
        )
        return (
            f"With the same inputs and parameters, the distance of any two trajectories {verb} in "
            f"{name}{_overshoot(norm)}, as long as both{path} stay in the region ({region}). "
            "Differential condition on the whole region, rounding included; that the region is "
            "invariant is not part of the claim."
        )
    if kind == "step":
        return (
            "With the same inputs and parameters, one step changes the distance of any two points "
            f"at most by the factor {bound.factor!r} in {name}{_overshoot(norm)}, where both{path} "
            f"lie in the region ({region}). Rounding included."
        )
    source = "a given metric" if input_norm is not None else "Euclidean distance"
    source = source if isinstance(norm, L2) else "the same norm"
    return (
        f"With the same parameters, the outputs of any two points are apart, in {name}, by at most "
        f"{bound.factor!r} times the distance of the inputs, in {source}, where both{path} lie in "
        f"the region ({region}). Rounding included."
    )


def _overshoot(norm: Norm) -> str:
    if not isinstance(norm, L2):
        return ""
    # Six digits are off by less than 5e-6: with 1e-5 more they stay above.
    most = norm.parts.overshoot * (1 + 1e-5)
    return f", overshoot at most {most:.6g} in Euclidean distance"


def _less(horizontal: Horizontal | None) -> str:
    if horizontal is None:
        return ""
    if horizontal.kind == "conservation":
        return " of the free coordinates, for trajectories with the same conserved quantities"
    return " of the coordinates that the symmetry leaves unchanged"
