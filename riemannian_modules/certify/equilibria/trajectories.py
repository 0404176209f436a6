"""From a rate to trajectories: an invariant ball, its one equilibrium, and the overshoot.

Let a flow contract with rate ``lambda > 0`` in a constant norm on a convex region that holds the
ball ``B = {|x - c| <= r}``, and let ``|f(c, u, p)| <= lambda r`` for all inputs and parameters of
the region. With ``D+ |x - c| <= -lambda |x - c| + |f(c, u, p)|`` no trajectory leaves B, whatever
inputs and parameters do in the region. While they are constant, two trajectories in B approach each
other as ``exp(-lambda t)``: B holds exactly one equilibrium x*, ``|x* - c| <= |f(c)| / lambda``,
and every trajectory from B converges to it. Step maps: ``|F(c) - c| <= (1 - rho) r`` (Banach).

Source: Lohmiller and Slotine (1998), Automatica 34, theorem 2; THEORY section 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.certify.answer import Estimated, Proved
from riemannian_modules.certify.certificate import Certificate
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    norm_from_data,
    number_from_data,
)
from riemannian_modules.certify.claim import claim_to_data
from riemannian_modules.certify.equilibria.invariant_ball import (
    Wall,
    enclosure,
    in_words,
    room,
    walls,
)
from riemannian_modules.certify.equilibria.part_norm import (
    PartNorm,
    block_norm,
    part_norm,
    root_down,
    root_up,
    sparse_l2,
)
from riemannian_modules.certify.equilibria.rest import approximate_equilibrium, drift_squared
from riemannian_modules.certify.networks.network_claim import claim_of
from riemannian_modules.certify.networks.network_data import block_norm_from_data
from riemannian_modules.certify.networks.signed_data import sparse_metric_from_data
from riemannian_modules.certify.norms import L1, L2, LInf
from riemannian_modules.certify.overflow import within_floats
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.problem_data import problem_from_data
from riemannian_modules.door import number, number_array, require, require_mapping
from riemannian_modules.errors import CertificateError, SignatureError
from riemannian_modules.modules.module import Time
from riemannian_modules.shown import Facts, Shown, at_least, at_most, listed
from riemannian_modules.space import Array, Port, Space


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Trajectories(Shown):
    """What is proved of trajectories; all of it for every input and parameter of the region.

    Attributes:
        center: The ball's centre (n,).
        radius: Its radius in the norm of the certificate.
        equilibrium_radius: The equilibrium lies within this distance of the centre, in that norm.
        equilibrium: For each coordinate of the state an interval that holds it.
        overshoot: Euclidean distances in the ball never exceed this times their first value.
        statements: What is proved, a sentence each.
        certificate: The certificate of the rate, which now claims these statements as well.
    """

    center: Array
    radius: float
    equilibrium_radius: float
    equilibrium: Mapping[str, tuple[float, float]]
    overshoot: float
    statements: tuple[str, ...]
    certificate: Certificate

    @override
    def facts(self) -> Facts:
        sides = [
            f"{name} in [{at_least(a)}, {at_most(b)}]" for name, (a, b) in self.equilibrium.items()
        ]
        rows = (("one equilibrium", listed(sides)), ("overshoot at most", at_most(self.overshoot)))
        return Facts(f"Trajectories: proved in an invariant ball of radius {self.radius!r}", rows)


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
    data, problem, norm = _opened(answer)
    c = _center(problem, center)
    if radius is not None:
        return _claimed(data, problem, c, number("prove_trajectories: radius", radius))
    limits = _limits(norm, problem, c)
    if limits:
        return _claimed(data, problem, c, root_down(max(Fraction(0), min(v for v, _ in limits))))
    least = _equilibrium_radius(norm, problem, c, _decay(data, problem))
    return _claimed(data, problem, c, 1.0 if least is None else max(1.0, 2.0 * least))


@within_floats("enclose_equilibrium")
def enclose_equilibrium(
    answer: Proved, *, center: ArrayLike | Mapping[str, float] | None = None
) -> Trajectories | Estimated:
    """As `prove_trajectories`, for the smallest invariant ball: the tightest enclosure of x*.

    Args:
        answer: A proved rate or factor, as for `prove_trajectories`.
        center: The ball's centre, likewise.
    """
    data, problem, norm = _opened(answer)
    c = _center(problem, center)
    least = _equilibrium_radius(norm, problem, c, _decay(data, problem))
    return _claimed(data, problem, c, 1.0 if least is None else least)


def verify_trajectories(data: Mapping[str, Any], problem: Problem) -> Trajectories | Estimated:
    """Prove ``claim.trajectories`` of a certificate whose rate is proved, from its data.

    Raises:
        CertificateError: If the claim is incomplete or does not fit the certificate.
    """
    claim = data["claim"]
    ball = claim.get("trajectories")
    if not isinstance(ball, dict) or set(ball) != {"center", "radius"}:
        raise CertificateError("claim.trajectories: expected a mapping of 'center' and 'radius'.")
    if problem.time is Time.STATIC:
        raise CertificateError("claim.trajectories: a static map has no trajectories.")
    size = len(problem.variables)
    c = array_from_data(ball["center"], (size,), "claim.trajectories.center")
    r = number_from_data(ball["radius"], "claim.trajectories.radius")
    norm = _constant_norm(claim, size)
    decay = _decay(data, problem)
    missing = _missing(claim, norm, decay, r)
    if missing or norm is None:
        return Estimated(None, missing)
    for limit, wall in _limits(norm, problem, c):
        if Fraction(r) ** 2 > limit:
            return Estimated(
                None, f"the ball does not lie in the region: {in_words(wall)} is not proved"
            )
    least = _equilibrium_radius(norm, problem, c, decay)
    if least is None or least > r:
        return Estimated(None, _too_small(problem, least, r))
    sentences = trajectories_in_words(claim, problem, least)
    words = _claim(data, problem)
    whole = {
        **words,
        "statement": " ".join((words["statement"], *sentences)),
        "symbols": f"{words['symbols']}; {_symbols(problem)}",
        "trajectories": {"center": c.tolist(), "radius": r},
    }
    names = [s.name for s in problem.variables]
    return Trajectories(
        c, r, least, enclosure(norm, names, c, least), norm.overshoot, sentences,
        Certificate({**data, "claim": whole}),
    )  # fmt: skip


def trajectories_in_words(
    claim: Mapping[str, Any], problem: Problem, equilibrium_radius: float
) -> tuple[str, ...]:
    """The sentences that ``claim.trajectories`` stands for; numbers with all their digits."""
    b, ball = number_from_data(claim["bound"], "claim.bound"), claim["trajectories"]
    at = ", ".join(
        f"{s.name} = {v!r}" for s, v in zip(problem.variables, ball["center"], strict=True)
    )
    speed = f"as exp(-{-b!r} t)" if problem.is_flow else f"by the factor {b!r} at each step"
    sentences = (
        f"The ball of radius {ball['radius']!r} in this norm about ({at}) lies in the region, and "
        "no trajectory that starts in it leaves it, whatever the inputs and parameters do in the "
        "region.",
        "For constant inputs and parameters it holds exactly one equilibrium, at a distance of at "
        f"most {equilibrium_radius!r} from its centre in this norm.",
        "Every trajectory from the ball converges to that equilibrium, its distance shrinking at "
        f"least {speed} in this norm.",
    )
    if not walls(problem):
        sentences += ("The same holds for every ball of a larger radius: nothing bounds it.",)
    return sentences


def _symbols(problem: Problem) -> str:
    moved = "|f(c, u, p)| <= -b r" if problem.is_flow else "|F(c, u, p) - c| <= (1 - b) r"
    return f"{moved} for the ball |x - c| <= r inside of the region"


def _opened(answer: Proved) -> tuple[Mapping[str, Any], Problem, PartNorm]:
    where = "prove_trajectories"
    require(where, answer, Proved, "what `certify` or `verify` proved (Proved)")
    data = answer.certificate.data
    claim = data["claim"]
    if claim["kind"] == "map":
        raise SignatureError(f"{where}: a static map has no trajectories; pass a flow or step map.")
    if data["system"].get("type") != "expressions":
        raise SignatureError(f"{where}: expected a system written as expressions.")
    problem = problem_from_data(data, claim["kind"])
    norm = _constant_norm(claim, len(problem.variables))
    if norm is None:
        raise SignatureError(
            f"{where}: expected a constant norm; in metrics that change with the point, or across "
            "conservation laws, this theorem does not hold. Certify in l2(), l1() or linf() first."
        )
    return data, problem, norm


def _claimed(
    data: Mapping[str, Any], problem: Problem, center: Array, radius: float
) -> Trajectories | Estimated:
    ball = {"center": center.tolist(), "radius": radius}
    return verify_trajectories(
        {**data, "claim": {**_claim(data, problem), "trajectories": ball}}, problem
    )


def _decay(data: Mapping[str, Any], problem: Problem) -> Fraction:
    """How fast distances shrink: lambda of a flow, 1 - rho of a step map."""
    b = Fraction(number_from_data(data["claim"].get("bound"), "claim.bound"))
    return -b if problem.is_flow else 1 - b


def _missing(claim: Mapping[str, Any], norm: object, decay: Fraction, radius: float) -> str:
    if norm is None or "horizontal" in claim:
        return "trajectories need a constant norm of the whole state"
    if decay <= 0:
        return "the proved bound does not contract: a flow needs a rate > 0, a step a factor < 1"
    if not (radius > 0 and math.isfinite(radius)):
        return (
            f"the ball needs a positive, finite radius, not {radius}: the centre may lie on the "
            "region's border or outside of it. Give another centre, or enlarge the region"
        )
    return ""


def _too_small(problem: Problem, least: float | None, radius: float) -> str:
    if least is None:
        free = [
            name
            for name, low, high in zip(
                problem.coordinates, problem.lower, problem.upper, strict=True
            )
            if name not in {s.name for s in problem.variables}
            and (math.isinf(low) or math.isinf(high))
        ]
        said = f" Bound {', '.join(free)} in the region." if free else ""
        return f"how far the map moves the centre could not be bounded.{said}"
    return (
        f"the map moves the centre too far: balls of radius {least:.6g} or more are proved "
        f"invariant, this one has {radius:.6g}. Enlarge the region, narrow the inputs and "
        "parameters, or give a centre nearer to the equilibrium"
    )


def _constant_norm(claim: Mapping[str, Any], size: int) -> PartNorm | None:
    given = claim.get("norm")
    if not isinstance(given, dict) or "horizontal" in claim:
        return None
    if given.get("type") == "blocks":
        return block_norm(block_norm_from_data(given, size))
    if given.get("type") not in ("l1", "l2", "linf") or {"metric_terms", "factor_terms"} & set(
        given
    ):
        return None
    if isinstance(given.get("metric"), dict):
        return sparse_l2(size, sparse_metric_from_data(given, size))
    norm = norm_from_data(given, size, "claim.norm")
    return part_norm(norm) if isinstance(norm, (L2, L1, LInf)) else None


def _claim(data: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """The claim of the rate, its words derived again: no file says more than is proved."""
    claim = data["claim"]
    b, norm = number_from_data(claim["bound"], "claim.bound"), claim["norm"]
    if norm["type"] == "blocks" or isinstance(norm.get("metric"), dict):
        return claim_of(problem, claim["kind"], b, norm)
    return claim_to_data(problem, norm_from_data(norm, problem.size, "claim.norm"), None, b)


def _limits(norm: PartNorm, problem: Problem, c: Array) -> list[tuple[Fraction, Wall]]:
    center = {s.name: Fraction(v) for s, v in zip(problem.variables, c.tolist(), strict=True)}
    return [(room(norm, wall, center, problem), wall) for wall in walls(problem)]


def _equilibrium_radius(
    norm: PartNorm, problem: Problem, c: Array, decay: Fraction
) -> float | None:
    """``sup |f(c)| / lambda``, rounded up; None if it could not be bounded."""
    moved = drift_squared(norm, problem, c) if decay > 0 else None
    return None if moved is None else root_up(moved / decay**2)


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
