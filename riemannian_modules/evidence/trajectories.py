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

from typing_extensions import override

from riemannian_modules.claims.answer import Estimated
from riemannian_modules.claims.certificate import Certificate
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import ConstantNorm
from riemannian_modules.claims.part_norm import PartNorm, root_up
from riemannian_modules.claims.plain_data import array_from_data, number_from_data
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.drift import drift_squared
from riemannian_modules.evidence.invariant_ball import Wall, enclosure, in_words, room, walls
from riemannian_modules.modules.signature import Time
from riemannian_modules.shown import Facts, Shown, at_least, at_most, listed
from riemannian_modules.spaces import Array


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


def verify_trajectories(data: Mapping[str, Any], claim: Claim) -> Trajectories | Estimated:
    """Prove ``claim.trajectories`` of a certificate whose rate is proved, from its data.

    Raises:
        CertificateError: If the claim is incomplete or does not fit the certificate.
    """
    where, ball = "claim.trajectories", data["claim"].get("trajectories")
    if not isinstance(ball, dict) or set(ball) != {"center", "radius"}:
        raise CertificateError(f"{where}: expected a mapping of 'center' and 'radius'.")
    problem = claim.problem
    if problem.time is Time.STATIC:
        raise CertificateError(f"{where}: a static map has no trajectories.")
    c = array_from_data(ball["center"], (len(problem.variables),), f"{where}.center")
    r = number_from_data(ball["radius"], f"{where}.radius")
    norm, decay = constant_norm(claim), decay_of(claim)
    missing = _missing(norm, decay, r)
    if missing or norm is None:
        return Estimated(None, missing)
    for limit, wall in limits(norm, problem, c):
        if Fraction(r) ** 2 > limit:
            return Estimated(
                None, f"the ball does not lie in the region: {in_words(wall)} is not proved"
            )
    least = equilibrium_radius(norm, problem, c, decay)
    if least is None or least > r:
        return Estimated(None, _too_small(problem, least, r))
    sentences = _sentences(claim, c.tolist(), r, least)
    words = claim.to_data()
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


def constant_norm(claim: Claim) -> PartNorm | None:
    """The norm of the whole state that a claim is made in, None where it is no constant one."""
    if claim.system.horizontal is None and isinstance(claim.norm, ConstantNorm):
        return claim.norm.parts
    return None


def _sentences(
    claim: Claim, center: list[float], radius: float, equilibrium_radius: float
) -> tuple[str, ...]:
    """What ``claim.trajectories`` stands for; numbers with all their digits."""
    problem, b = claim.problem, claim.b
    at = ", ".join(f"{s.name} = {v!r}" for s, v in zip(problem.variables, center, strict=True))
    speed = f"as exp(-{-b!r} t)" if problem.is_flow else f"by the factor {b!r} at each step"
    sentences = (
        f"The ball of radius {radius!r} in this norm about ({at}) lies in the region, and "
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


def decay_of(claim: Claim) -> Fraction:
    """How fast distances shrink: lambda of a flow, 1 - rho of a step map."""
    b = Fraction(claim.b)
    return -b if claim.system.is_flow else 1 - b


def _missing(norm: object, decay: Fraction, radius: float) -> str:
    if norm is None:
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


def limits(norm: PartNorm, problem: Problem, c: Array) -> list[tuple[Fraction, Wall]]:
    """The squares of the radii up to which balls about c lie on the inner side of each wall."""
    center = {s.name: Fraction(v) for s, v in zip(problem.variables, c.tolist(), strict=True)}
    return [(room(norm, wall, center, problem), wall) for wall in walls(problem)]


def equilibrium_radius(norm: PartNorm, problem: Problem, c: Array, decay: Fraction) -> float | None:
    """``sup |f(c)| / lambda``, rounded up; None if it could not be bounded."""
    moved = drift_squared(norm, problem, c) if decay > 0 else None
    return None if moved is None else root_up(moved / decay**2)
