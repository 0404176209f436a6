"""From a proved rate to trajectories: which ball is claimed to be invariant.

Whatever is claimed is then proved, see `evidence.trajectories`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.claims.answer import Estimated, Proved
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.claim_data import claim_from_data
from riemannian_modules.claims.part_norm import PartNorm, root_down
from riemannian_modules.claims.problem import Problem
from riemannian_modules.door import number, number_array, require, require_mapping
from riemannian_modules.errors import SignatureError
from riemannian_modules.evidence.trajectories import (
    Trajectories,
    constant_norm,
    decay_of,
    equilibrium_radius,
    limits,
    verify_trajectories,
)
from riemannian_modules.modules.module import Time
from riemannian_modules.search.rest import approximate_equilibrium
from riemannian_modules.spaces import Array, Port, Space
from riemannian_modules.terms.overflow import within_floats


@within_floats("prove_trajectories")
def prove_trajectories(
    answer: Proved,
    *,
    center: ArrayLike | Mapping[str, float] | None = None,
    radius: float | None = None,
) -> Trajectories | Estimated:
    """Prove that a ball is invariant and holds one equilibrium, to which all in it converges.

    Args:
        answer: A proved rate of a flow or factor of a step map, in a constant norm.
        center: The ball's centre (n,), or by coordinate, zero where not named; None for an
            approximate equilibrium at the middle of inputs and parameters.
        radius: Its radius in the proved norm; None for the largest ball that the region holds, or
            where nothing bounds it, for one of twice the equilibrium's distance, at least 1.

    Returns:
        `Trajectories`, or `Estimated` with what is missing.

    Raises:
        SignatureError: If the answer is no proof, or speaks of a static map.
    """
    data, claim, norm = _opened(answer)
    problem = claim.problem
    c = _center(problem, center)
    if radius is not None:
        return _claimed(data, claim, c, number("prove_trajectories: radius", radius))
    found = limits(norm, problem, c)
    if found:
        return _claimed(data, claim, c, root_down(max(Fraction(0), min(v for v, _ in found))))
    least = equilibrium_radius(norm, problem, c, decay_of(claim))
    return _claimed(data, claim, c, 1.0 if least is None else max(1.0, 2.0 * least))


@within_floats("enclose_equilibrium")
def enclose_equilibrium(
    answer: Proved, *, center: ArrayLike | Mapping[str, float] | None = None
) -> Trajectories | Estimated:
    """As `prove_trajectories`, for the smallest invariant ball: the tightest enclosure of x*.

    Args:
        answer: A proved rate or factor, as for `prove_trajectories`.
        center: The ball's centre, likewise.
    """
    data, claim, norm = _opened(answer)
    problem = claim.problem
    c = _center(problem, center)
    least = equilibrium_radius(norm, problem, c, decay_of(claim))
    return _claimed(data, claim, c, 1.0 if least is None else least)


def _opened(answer: Proved) -> tuple[Mapping[str, Any], Claim, PartNorm]:
    where = "prove_trajectories"
    require(where, answer, Proved, "what `certify` or `verify` proved (Proved)")
    claim = claim_from_data(answer.certificate.data)
    if claim.system.time is Time.STATIC:
        raise SignatureError(f"{where}: a static map has no trajectories; pass a flow or step map.")
    if not isinstance(claim.system, Problem):
        raise SignatureError(f"{where}: expected a system written as expressions.")
    norm = constant_norm(claim)
    if norm is None:
        raise SignatureError(
            f"{where}: expected a constant norm; in metrics that change with the point, or across "
            "conservation laws, this theorem does not hold. Certify in l2(), l1() or linf() first."
        )
    return answer.certificate.data, claim, norm


def _claimed(
    data: Mapping[str, Any], claim: Claim, center: Array, radius: float
) -> Trajectories | Estimated:
    ball = {"center": center.tolist(), "radius": radius}
    return verify_trajectories({**data, "claim": {**claim.to_data(), "trajectories": ball}}, claim)


def _center(problem: Problem, given: ArrayLike | Mapping[str, float] | None) -> Array:
    """The centre that was given, or an approximate equilibrium; untrusted."""
    names = [s.name for s in problem.variables]
    if given is None:
        return approximate_equilibrium(problem)
    if isinstance(given, Mapping):
        require_mapping("center", given, "coordinates and numbers")
        space = Space(tuple(Port(name) for name in names))
        given = space.pack(given, "center", np.zeros(len(names)))
    c = number_array("center", given).ravel()
    if c.shape != (len(names),) or not np.isfinite(c).all():
        raise SignatureError(f"center: expected {len(names)} finite numbers ({', '.join(names)}).")
    return c
