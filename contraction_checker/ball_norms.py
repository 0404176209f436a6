"""Norms in which a ball is asked to be invariant: its extent along a row, and the size of a motion.

The largest of ``a^T x`` on the ball ``|x| <= r`` is r times the dual norm of a.
"""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from contraction_checker.block_norm import read_block_norm
from contraction_checker.claim import Claim, constant_metric
from contraction_checker.corners import passes
from contraction_checker.forms import form_of
from contraction_checker.json_parts import reals
from contraction_checker.matrices import Matrix
from contraction_checker.refusals import NotProvedError
from contraction_checker.terms import Term

Row = Mapping[int, Fraction]  # coefficients by state


class BallNorm(abc.ABC):
    """A norm of the state."""

    @abc.abstractmethod
    def reaches_at_most(self, d: Fraction, row: Row, radius: Fraction) -> bool:
        """Whether ``a^T x <= d`` for all ``|x| <= radius``, where ``d >= 0``."""

    @abc.abstractmethod
    def at_most(self, room: Fraction, motion: Sequence[Term]) -> tuple[Matrix, int]:
        """A matrix, and its size, that is positive exactly where ``|motion| <= room``."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightedSum(BallNorm):
    """``sum of w_i |x_i|``, whose dual is the largest ``|a_i| / w_i``."""

    weights: list[Fraction]

    def reaches_at_most(self, d: Fraction, row: Row, radius: Fraction) -> bool:
        """By the largest ``|a_i| / w_i``."""
        return radius * max(abs(a) / self.weights[i] for i, a in row.items()) <= d

    def at_most(self, room: Fraction, motion: Sequence[Term]) -> tuple[Matrix, int]:
        """One row, ``room - sum of w_i |motion_i|``."""
        found = Matrix({(0, 0): room})
        for i, (w, t) in enumerate(zip(self.weights, motion, strict=True)):
            found[0, -1 - i] = t * w  # a magnitude
        return found, 1


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightedMaximum(BallNorm):
    """The largest ``|x_i| / w_i``, whose dual is ``sum of w_i |a_i|``."""

    weights: list[Fraction]

    def reaches_at_most(self, d: Fraction, row: Row, radius: Fraction) -> bool:
        """By the sum of ``w_i |a_i|``."""
        return radius * sum(abs(a) * self.weights[i] for i, a in row.items()) <= d

    def at_most(self, room: Fraction, motion: Sequence[Term]) -> tuple[Matrix, int]:
        """Rows ``room w_i - |motion_i|``."""
        found = Matrix()
        for i, (w, t) in enumerate(zip(self.weights, motion, strict=True)):
            found[i, i] = room * w
            found[i, -1 - i] = t
        return found, len(self.weights)


@final
@dataclass(frozen=True, slots=True, eq=False)
class LargestOfBlocks(BallNorm):
    """The largest ``|x_k|_{M_k}`` of groups of the state; of one group it is an l2 norm."""

    parts: list[tuple[list[int], Matrix]]

    def reaches_at_most(self, d: Fraction, row: Row, radius: Fraction) -> bool:
        """By Schur's complement ``a^T M^-1 a <= (d / r)^2`` is ``[[M, a], [a^T, (d / r)^2]] >= 0``.

        A row on several groups is left open.
        """
        met = [(group, M) for group, M in self.parts if not row.keys().isdisjoint(group)]
        if len(met) != 1:
            return False
        ((group, M),) = met
        a = {group.index(i): x for i, x in row.items()}
        linked = _linked(M, {*a})  # all that a quotient by M sees of the row
        place = {i: k for k, i in enumerate(sorted(linked))}
        last = len(linked)
        bordered = Matrix({(place[i], place[j]): x for (i, j), x in M.items() if i in linked})
        for i, x in a.items():
            bordered[place[i], last] = x
        bordered[last, last] = (d / radius) ** 2
        return passes(form_of(bordered, last + 1), {}, strict=False)

    def at_most(self, room: Fraction, motion: Sequence[Term]) -> tuple[Matrix, int]:
        """For each group ``[[room^2, (M f)^T], [M f, M]]``: so ``room^2 >= f^T M f``."""
        found, size = Matrix(), 0
        for group, M in self.parts:
            f = Matrix({(k, 0): motion[i] for k, i in enumerate(group)})
            found[size, size] = room**2
            found.update(M.shifted(size + 1, size + 1))
            found.update((M @ f).T.shifted(size, size + 1))
            size += 1 + len(group)
        return found, size


def read_ball_norm(claim: Claim, n: int) -> BallNorm:
    """The constant norm of a claim.

    Raises:
        NotProvedError: If it is none in which balls are proved to be invariant.
        MalformedError: If it breaks the format.
    """
    sort = claim.norm["type"]
    if sort == "l1":
        return WeightedSum(reals(claim.norm["weights"]))
    if sort == "linf":
        return WeightedMaximum(reals(claim.norm["weights"]))
    if sort != "blocks":
        return LargestOfBlocks([([*range(n)], constant_metric(claim.norm, n))])
    norm = read_block_norm(claim.norm, n)
    if not norm.is_largest:
        raise NotProvedError("trajectories: not in sums of blocks")
    # |x_k|_M / r_k is the norm of M / r_k^2.
    blocks = zip(norm.groups, norm.metrics, norm.weights, strict=True)
    return LargestOfBlocks([(group, M * (1 / w**2)) for group, M, w in blocks])


def _linked(M: Matrix, some: set[int]) -> set[int]:
    """All indices that M links to some of them, directly or over others."""
    found = set(some)
    while new := {j for i, j in M if i in found} - found:
        found |= new
    return found
