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

from riemannian_modules.certify.networks.blocks import BlockBound, Blocks
from riemannian_modules.certify.networks.comparison import (
    Comparison,
    Weights,
    abscissa,
    find_weights,
    sparse_comparison_bound,
)
from riemannian_modules.certify.networks.signed import (
    AtomBox,
    atom_box,
    block_metric,
    is_sparse_metric,
    signed_bound,
    signed_estimate,
    signed_proves,
    signed_test,
)
from riemannian_modules.certify.networks.signed_weights import signed_weights
from riemannian_modules.certify.networks.sparse_form import Entries
from riemannian_modules.certify.norms import L2, FreeL2, proved_norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.searching.search import find_norm
from riemannian_modules.errors import ConvergenceError, MetricError
from riemannian_modules.space import Array

# Parts of the best rate given up, for weights whose base-2 logarithms spread at most so far.
TRADES = ((1e-4, 40.0), (1e-3, 40.0), (5e-3, np.inf))


@final
@dataclass(frozen=True, eq=False)
class NetworkRule:
    """``C r <= b r`` for the comparison matrix of the blocks.

    Attributes:
        metrics: The nodes' metrics M_i.
        checks: For each block (to, from) its proved bound.
        weights: r.
        bound: b.
    """

    metrics: tuple[Array, ...]
    checks: Mapping[tuple[int, int], BlockBound]
    weights: Weights
    bound: float

    name = "network"


@final
@dataclass(frozen=True, eq=False)
class SignedRule:
    """``2 b M - M J - J^T M >= 0`` for a sparse block-diagonal metric M.

    Attributes:
        metric: M by all of its entries.
        atoms: The ranges of the Jacobian's atoms that it rests on.
        weights: The d_i of ``blkdiag(d_i M_i)``.
        bound: b.
    """

    metric: Entries
    atoms: AtomBox
    weights: Array
    bound: float

    name = "signed"


Rule = NetworkRule | SignedRule


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
        return tuple(
            self.given[name] if name in self.given else _node_metric(self.blocks, a)
            for a, name in enumerate(self.names)
        )

    @cached_property
    def checks(self) -> dict[tuple[int, int], BlockBound]:
        """The bounds of all blocks; a node's own comes first, zero where it has none."""
        places = [(a, a) for a in range(len(self.names))]
        places += [p for p in self.blocks.forms if p[0] != p[1]]
        M = self.metrics
        return {(a, b): self.blocks.bound(a, b, M[a], M[b]) for a, b in places}

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison matrix."""
        numbers = {place: check.bound for place, check in self.checks.items()}
        return Comparison(len(self.names), {p: v for p, v in numbers.items() if v})

    @property
    def limit(self) -> float:
        """The bound below which the system contracts."""
        return 0.0 if self.blocks.problem.is_flow else 1.0

    @property
    def has_loops(self) -> bool:
        """Whether some nodes feed each other, at once or through others."""
        from scipy.sparse.csgraph import connected_components

        count, _ = connected_components(self.comparison.matrix, connection="strong")
        return count < len(self.names)

    def rules(self, target: float | None) -> Iterator[Rule]:
        """The rules' proofs, cheapest first; of a target, or of the best bound found."""
        is_finite = all(np.isfinite(v) for v in self.comparison.entries.values())
        if is_finite:
            yield from _network_rule(self, target)
        if self.has_loops or not is_finite or self.blocks.problem.size <= 64:
            yield from _signed_rule(self, target, is_finite=is_finite)


def _network_rule(proofs: NetworkProofs, target: float | None) -> Iterator[NetworkRule]:
    C = proofs.comparison
    weights = _weights(C, proofs.limit, target)
    if weights is not None:
        bound = sparse_comparison_bound(C, weights)
        yield NetworkRule(proofs.metrics, proofs.checks, weights, bound)


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
) -> Iterator[SignedRule]:
    blocks = proofs.blocks
    atoms = atom_box(blocks)
    if np.isnan(atoms.low).any():
        return
    n = len(blocks.problem.map)
    best: tuple[float, Array, Entries] | None = None
    for d in signed_weights(blocks, proofs.metrics, proofs.comparison, atoms, is_finite=is_finite):
        metric = block_metric(blocks.groups, proofs.metrics, d)
        guess = signed_estimate(signed_test(blocks, metric), atoms.low, atoms.high)
        if best is None or guess < best[0] - 1e-9 * abs(best[0]):
            best = guess, d, metric
    if best is None or not np.isfinite(best[0]) or not is_sparse_metric(n, best[2]):
        return
    _, d, metric = best
    test = signed_test(blocks, metric)
    if target is not None and signed_proves(test, atoms.low, atoms.high, target):
        yield SignedRule(metric, atoms, d, target)
        return
    bound = signed_bound(test, atoms.low, atoms.high)
    if np.isfinite(bound):
        yield SignedRule(metric, atoms, d, bound)


def _node_metric(blocks: Blocks, node: int) -> Array:
    """A metric for one node, by its own Jacobian alone; the identity where none is found."""
    size = len(blocks.groups[node])
    return _ONE if size == 1 else blocks.alike(node, _found_metric)


def _found_metric(problem: Problem) -> Array:
    identity = np.eye(len(problem.map))
    try:
        norm = proved_norm(find_norm(problem, FreeL2()))
    except (ConvergenceError, MetricError):
        return identity
    return norm.metric if isinstance(norm, L2) else identity


_ONE = np.eye(1)
_ONE.setflags(write=False)
