"""Norms of blocks: largest ``|z_k|_{M_k} / r_k`` (linf), or sum of ``l_k |z_k|_{M_k}`` (l1)."""

from dataclasses import dataclass
from fractions import Fraction

from contraction_checker.json_parts import Json, fields, list_in, listed, real, whole
from contraction_checker.matrices import Matrix
from contraction_checker.matrix_parts import metric
from contraction_checker.refusals import MalformedError

LARGEST_BINARY_EXPONENT = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class BlockNorm:
    """Groups of the state, each with its metric and its weight."""

    is_largest: bool
    groups: list[list[int]]
    metrics: list[Matrix]
    weights: list[Fraction]


def read_block_norm(norm: Json, n: int) -> BlockNorm:
    """A norm of blocks on n coordinates; a weight is a double times a power of two.

    Raises:
        MalformedError: If it is none.
        NotProvedError: If a metric is not proved positive definite.
    """
    part = fields(norm, "type combine groups metrics weights", "exponents")
    groups = [[whole(i, "a state's number") for i in listed(g)] for g in listed(part["groups"])]
    numbers, metrics = listed(part["weights"]), listed(part["metrics"])
    exponents = [whole(e, "an exponent") for e in list_in(part, "exponents")]
    if "exponents" not in part:
        exponents = [0] * len(groups)
    is_complete = len(groups) == len(numbers) == len(metrics) == len(exponents)
    if not is_complete or any(abs(e) > LARGEST_BINARY_EXPONENT for e in exponents):
        raise MalformedError("blocks: a metric, a weight and a whole exponent for each")
    weights = [real(x) * Fraction(2) ** e for x, e in zip(numbers, exponents, strict=True)]
    if (
        sorted(i for group in groups for i in group) != [*range(n)]
        or not all(groups)
        or min(weights, default=0) <= 0
        or part["type"] != "blocks"
        or part["combine"] not in ("linf", "l1")
    ):
        raise MalformedError("blocks: every state in one group, with a positive weight")
    return BlockNorm(
        is_largest=part["combine"] == "linf",
        groups=groups,
        metrics=[metric(M, len(group)) for M, group in zip(metrics, groups, strict=True)],
        weights=weights,
    )
