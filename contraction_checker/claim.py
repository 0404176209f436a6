"""The claim of a certificate, and the case that a rule has to prove.

What is said is derived from the numbers: the file's own words are not believed.
"""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction

from contraction_checker.json_parts import Json, fields, mapping, real, text
from contraction_checker.matrices import Matrix, identity
from contraction_checker.matrix_parts import metric
from contraction_checker.proof import Proof
from contraction_checker.refusals import MalformedError, NotProvedError

LONGEST_SHOWN = 4000  # characters of a part of the claim; of a longer one its fingerprint
BOUNDS = {"flow": "d|z|/dt <= {} |z|", "step": "|z+| <= {} |z|", "map": "|dy| <= {} |du|"}
PAIRS = {
    "flow": "any two trajectories with the same inputs and parameters, as long as both",
    "step": "one step from any two points with the same inputs and parameters, where both",
    "map": "the outputs of any two inputs with the same parameters, where both",
}
# What z is, by the kind of ``horizontal``.
DIFFERENCES = {
    None: "z their difference",
    "conservation": "their difference being R z, so that they conserve the same",
    "symmetry": "z being L times their difference",
}
OF_THE_POINT = {"metric_terms", "factor_terms"}


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A bound on how a distance changes, for a flow, a step or a map."""

    kind: str
    bound: Fraction
    norm: dict[str, Json]
    data: dict[str, Json]

    @property
    def is_flow(self) -> bool:
        """Whether the bound is a rate."""
        return self.kind == "flow"

    def has(self, *parts: str) -> bool:
        """Whether the claim has one of these optional parts."""
        return any(part in self.data for part in parts)

    def has_metric_of_the_point(self) -> bool:
        """Whether the norm changes from point to point."""
        return not OF_THE_POINT.isdisjoint(self.norm)

    def input_metric(self, size: int, default: Matrix) -> Matrix:
        """The metric of what the map is applied to, N: of its inputs, if it has one of its own.

        A map without one has the Euclidean norm on its inputs; flows and steps have one norm.
        """
        if "input_norm" in self.data:
            return constant_metric(mapping(self.data["input_norm"], "a norm"), size)
        return identity(size) if self.kind == "map" else default


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What a rule has to prove: a claim about a system, from its evidence."""

    claim: Claim
    system: dict[str, Json]
    evidence: dict[str, Json]
    proof: Proof


def read_claim(data: Json) -> Claim:
    """The claim, in whatever norm it is.

    Raises:
        MalformedError: If it breaks the format.
    """
    part = fields(data, "statement kind bound norm", "symbols input_norm horizontal trajectories")
    kind, bound = part["kind"], real(part["bound"])
    if not isinstance(kind, str) or kind not in BOUNDS or (kind != "flow" and bound < 0):
        raise MalformedError(f"no claim: {kind!r:.60}, {bound}")
    for words in ("statement", "symbols"):
        text(part.get(words, ""), "a text")
    claim = Claim(kind, bound, mapping(part["norm"], "a norm"), part)
    if claim.has("input_norm") and (kind != "map" or claim.norm["type"] != "l2"):
        raise MalformedError("an input_norm is for l2 norms of maps")
    return claim


def constant_metric(norm: dict[str, Json], n: int) -> Matrix:
    """The metric of an l2 norm on n coordinates.

    Raises:
        NotProvedError: If the norm is none, or the metric is not proved positive definite.
        MalformedError: If it breaks the format.
    """
    part = fields(norm, "type metric")
    if part["type"] != "l2":
        raise NotProvedError(f"a norm of type {part['type']!r} is none of this rule")
    return metric(part["metric"], n)


def claim_in_words(claim: Claim, region: Json, system: Json) -> list[str]:
    """The whole claim, a line each part."""
    what = BOUNDS[claim.kind].format(float(claim.bound))
    # A metric that changes with the point measures paths, and its bound holds along paths in the
    # region.
    path = (
        ", and with them the shortest path between them in the metric,"
        if claim.has_metric_of_the_point()
        else ""
    )
    horizontal = mapping(claim.data.get("horizontal", {"kind": None}), "a quotient")
    difference = _difference(horizontal["kind"])
    parts = {**claim.data, "region": region, "system": system}
    return [
        f"claim: {claim.kind}, {what}",
        f"of {PAIRS[claim.kind]}{path} lie in the region, {difference}, in the norm given here",
        *(
            _told(key, part)
            for key, part in parts.items()
            if key not in ("statement", "symbols", "kind", "bound")
        ),
    ]


def _difference(kind: Json) -> str:
    if kind is not None and not isinstance(kind, str):
        raise MalformedError(f"horizontal: {kind!r:.60} is no kind")
    return DIFFERENCES[kind]


def _told(key: str, value: Json) -> str:
    """A part of the claim, whole; where it is long, how long, and its fingerprint."""
    written = json.dumps(value, default=float, sort_keys=True)
    if len(written) <= LONGEST_SHOWN:
        return f"{key}: {written}"
    fingerprint = hashlib.sha256(written.encode()).hexdigest()
    return f"{key}: JSON of {len(written)} characters, SHA-256 {fingerprint}"
