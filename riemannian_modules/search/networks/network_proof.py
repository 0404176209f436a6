"""Proofs of a large system in blocks: the network rule, and the signed rule, cheapest first.

The network rule compares the nodes' own bounds with the gains between them, which takes a second
for a thousand nodes. Where there are loops, the signed rule may see more: couplings that cancel and
loops whose sign helps. A proof holds everything that its certificate says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from riemannian_modules.arithmetic.sparse_definite import is_definite_by_entries
from riemannian_modules.claims.kind import limit_of
from riemannian_modules.claims.norms import L2, BlockNorm, SparseL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import FreeL2
from riemannian_modules.claims.weights import Weights
from riemannian_modules.errors import ConvergenceError, MetricError
from riemannian_modules.evidence.block_checks import BlockChecks
from riemannian_modules.evidence.blocks import BlockBound, Blocks
from riemannian_modules.evidence.comparison import Comparison, sparse_comparison_bound
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.sparse_box import SparseBox
from riemannian_modules.evidence.sparse_test import sparse_proves, sparse_test
from riemannian_modules.search.networks.block_bounds import AlikeNodes, BlockBounds
from riemannian_modules.search.networks.comparison_weights import abscissa, find_weights
from riemannian_modules.search.networks.signed import (
    AtomBox,
    atom_box,
    block_metric,
    signed_bound,
    signed_estimate,
)
from riemannian_modules.search.networks.signed_weights import signed_weights
from riemannian_modules.search.norms.find_norm import find_norm
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cuts import NO_CUTS
from riemannian_modules.terms.sparse_form import Entries

# Parts of the best rate given up, for weights whose base-2 logarithms spread at most so far.
TRADES = ((1e-4, 40.0), (1e-3, 40.0), (5e-3, np.inf))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a rule proves of a system in blocks.

    Attributes:
        rule: "network" or "signed".
        bound: b.
        norm: In which norm.
        evidence: Why.
    """

    rule: str
    bound: float
    norm: BlockNorm | SparseL2
    evidence: Evidence


@final
@dataclass(frozen=True, eq=False)
class NetworkProofs:
    """The proofs of a system in blocks.

    Attributes:
        blocks: The system.
        names: The nodes' names.
        given: For some nodes, the metric.
    """

    blocks: Blocks
    names: tuple[str, ...]
    given: Mapping[str, Array]

    @cached_property
    def metrics(self) -> tuple[Array, ...]:
        """The nodes' metrics: given, or found once for all alike."""
        alike = AlikeNodes(self.blocks, _found_metric)
        return tuple(
            self.given[name] if name in self.given else _node_metric(alike, a)
            for a, name in enumerate(self.names)
        )

    @cached_property
    def checks(self) -> dict[tuple[int, int], BlockBound]:
        """The bounds of all blocks; a node's own comes first, zero where it has none."""
        places = [(a, a) for a in range(len(self.names))]
        places += [p for p in self.blocks.forms if p[0] != p[1]]
        M, bounds = self.metrics, BlockBounds(self.blocks)
        return {(a, b): bounds.best(a, b, M[a], M[b]) for a, b in places}

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison matrix."""
        numbers = {place: check.bound for place, check in self.checks.items()}
        return Comparison(len(self.names), {p: v for p, v in numbers.items() if v})

    @property
    def limit(self) -> float:
        """The bound below which the system contracts."""
        return limit_of(self.blocks.problem.time)

    @property
    def has_loops(self) -> bool:
        """Whether some nodes feed each other, at once or through others."""
        from scipy.sparse.csgraph import connected_components

        count, _ = connected_components(self.comparison.matrix, connection="strong")
        return count < len(self.names)

    def rules(self, target: float | None) -> Iterator[Found]:
        """The rules' proofs, cheapest first; of a target, or of the best bound found."""
        is_finite = all(np.isfinite(v) for v in self.comparison.entries.values())
        if is_finite:
            yield from _network_rule(self, target)
        if self.has_loops or not is_finite or self.blocks.problem.size <= 64:
            yield from _signed_rule(self, target, is_finite=is_finite)


def _network_rule(proofs: NetworkProofs, target: float | None) -> Iterator[Found]:
    C = proofs.comparison
    weights = _weights(C, proofs.limit, target)
    if weights is not None:
        norm = BlockNorm("linf", proofs.blocks.groups, proofs.metrics, weights)
        evidence = BlockChecks(proofs.blocks, proofs.checks)
        yield Found("network", sparse_comparison_bound(C, weights), norm, evidence)


def _weights(C: Comparison, limit: float, target: float | None) -> Weights | None:
    """Weights for a target, the better conditioned the farther it is from the best."""
    best = abscissa(C, limit)
    room = max(abs(limit - best), 1e-9)
    found: Weights | None = None
    for part, spread in ((0.0, np.inf),) if target is not None else TRADES:
        try:
            found = find_weights(C, best + part * room if target is None else target)
        except ConvergenceError:
            continue
        if found.spread <= spread:
            return found
    if target is None or found is not None:
        return found
    # The target is out of reach; what is in reach says by how much.
    return _weights(C, limit, None)


def _signed_rule(
    proofs: NetworkProofs, target: float | None, *, is_finite: bool
) -> Iterator[Found]:
    blocks = proofs.blocks
    atoms = atom_box(blocks)
    if np.isnan(atoms.low).any():
        return
    n = len(blocks.problem.map)
    best: tuple[float, Entries] | None = None
    for d in signed_weights(blocks, proofs.metrics, proofs.comparison, atoms, is_finite=is_finite):
        metric = block_metric(blocks.groups, proofs.metrics, d)
        guess = signed_estimate(sparse_test(blocks, metric), atoms.low, atoms.high)
        if best is None or guess < best[0] - 1e-9 * abs(best[0]):
            best = guess, metric
    if best is None or not np.isfinite(best[0]) or not is_definite_by_entries(n, best[1]):
        return
    _, metric = best
    test, evidence = sparse_test(blocks, metric), _sparse_box(blocks, atoms)
    if target is not None and sparse_proves(test, atoms.low, atoms.high, target):
        yield Found("signed", target, SparseL2(n, metric), evidence)
        return
    bound = signed_bound(test, atoms.low, atoms.high)
    if np.isfinite(bound):
        yield Found("signed", bound, SparseL2(n, metric), evidence)


def _sparse_box(blocks: Blocks, atoms: AtomBox) -> SparseBox:
    pairs = zip(blocks.jacobian.atoms, atoms.ranges, strict=True)
    cut = tuple((atom, known) for atom, known in pairs if known.cuts != NO_CUTS)
    return SparseBox(blocks, atoms.low, atoms.high, cut)


def _node_metric(alike: AlikeNodes, node: int) -> Array:
    """A metric for one node, by its own Jacobian alone; the identity where none is found."""
    return _ONE if len(alike.blocks.groups[node]) == 1 else alike.found(node)


def _found_metric(problem: Problem) -> Array:
    identity = np.eye(len(problem.map))
    try:
        norm = find_norm(problem, FreeL2()).proved()
    except (ConvergenceError, MetricError):
        return identity
    return norm.metric if isinstance(norm, L2) else identity


_ONE = np.eye(1)
_ONE.setflags(write=False)
