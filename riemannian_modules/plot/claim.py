"""What a picture reads of a proof: its region, its test, and how fast distances shrink by it."""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.bound import LogNormBound
from riemannian_modules.claims.answer import Proved
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.region_data import region_from_data
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.evidence.block_checks import BlockChecks
from riemannian_modules.evidence.boxes import Boxes
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.evidence.verify import read_evidence
from riemannian_modules.spaces import Array


def sides_of(answer: Proved) -> tuple[Array, Array]:
    """Lower and upper sides of a proof's box, states first, then inputs, then parameters."""
    rows = answer.certificate.data["region"]["sides"]
    return np.array([float(r[1]) for r in rows]), np.array([float(r[2]) for r in rows])


def inside(answer: Proved, states: Array, inputs: Array) -> Mask:
    """Whether points with states (T, n) and inputs (T, m) lie in a proof's region, in floats.

    Constraints on uncertain parameters are left out: a module has one value of them.
    """
    rows = answer.certificate.data["region"]["sides"]
    names = [str(row[0]) for row in rows]
    lower, upper, constraints, _ = region_from_data(answer.certificate.data["region"], names)
    points = np.concatenate([states, inputs], axis=1)
    size = points.shape[1]
    result: Mask = np.asarray(((points >= lower[:size]) & (points <= upper[:size])).all(1))
    place = {name: i for i, name in enumerate(names[:size])}
    for row in constraints.rows:
        if set(row.coefficients) <= set(place):
            value = sum(c * points[:, place[n]] for n, c in row.coefficients.items())
            result &= (row.lower <= value) & (value <= row.upper)
    for ball in constraints.balls:
        if set(ball.names) <= set(place):
            away = points[:, [place[n] for n in ball.names]] - ball.center
            M = np.eye(len(ball.names)) if ball.metric is None else ball.metric
            result &= np.einsum("ti,ij,tj->t", away, M, away) <= ball.radius**2
    return result


def logarithmic_rate(answer: Proved) -> float:
    """The b with distances at most ``exp(b t)``: a log-norm, or a step factor's logarithm."""
    bound = answer.bound
    with np.errstate(divide="ignore"):
        return bound.rate if isinstance(bound, LogNormBound) else float(np.log(bound.factor))


def directions_of(answer: Proved) -> Horizontal | None:
    """The directions that a proof counts, None where all do."""
    data = answer.certificate.data["claim"].get("horizontal")
    if data is None:
        return None
    L, R = (np.array(data[key], dtype=np.float64) for key in ("L", "R"))
    return Horizontal(L, R, data["kind"])


def opened(answer: Proved) -> tuple[Problem, Criterion]:
    """The problem and the test of a proof, as its certificate tells them.

    Raises:
        UnsupportedError: For a proof by another rule than boxes of the whole region.
    """
    claim, evidence = read_evidence(answer.certificate)
    if not isinstance(evidence, Boxes):
        parts = " Draw the parts with network_graph." if isinstance(evidence, BlockChecks) else ""
        raise UnsupportedError(
            f"A slice: this proof, by the rule {evidence.word!r}, has one bound of the whole "
            f"region and none for a box of it.{parts} Draw its bound with bound_curve, or prove "
            "one in a norm of the whole state."
        )
    return claim.problem, evidence.test
