"""The claim about a large system in blocks, in words and in symbols, from its numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.statement import region_in_words


def claim_of(problem: Problem, kind: str, b: float, norm: Mapping[str, Any]) -> dict[str, Any]:
    """The claim, its words and symbols derived from its numbers."""
    region = region_in_words(problem.coordinates, problem.lower, problem.upper, problem.constraints)
    is_l2 = norm["type"] == "l2"
    what = "the l2 norm of a constant block-diagonal metric" if is_l2 else _combination(norm)
    change = (
        f"changes at most as exp({b!r} t)"
        if kind == "flow"
        else f"changes at each step at most by the factor {b!r}"
    )
    statement = (
        f"With the same inputs and parameters, the distance of any two trajectories {change} in "
        f"{what}, as long as both stay in the region ({region}). Differential condition on the "
        "whole region, rounding included; that the region is invariant is not part of the claim."
    )
    if is_l2:
        text = "M J + J^T M <= 2 b M" if kind == "flow" else "J^T M J <= b^2 M"
    else:
        order = "C r <= b r" if norm["combine"] == "linf" else "l^T C <= b l^T"
        own = "log-norms" if kind == "flow" else "norms"
        text = f"{order}, C: {own} of J_ii and gains |P_i J_ij P_j^-1|, M_i = P_i^T P_i"
    symbols = f"{text}, J = df/dx, b = {b!r}, at every point of the region"
    return {"statement": statement, "symbols": symbols, "kind": kind, "bound": b, "norm": norm}


def _combination(norm: Mapping[str, Any]) -> str:
    if norm["combine"] == "linf":
        return "the norm max_i |z_i|_(M_i) / r_i over the blocks"
    return "the norm sum_i l_i |z_i|_(M_i) over the blocks"
