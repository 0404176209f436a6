"""Certification of networks by composition: nodes' own bounds, gains between them, signs."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.bound import Bound
from riemannian_modules.claims.answer import Answer, Estimated, Proved, with_step
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.kind import bound_of, target_of
from riemannian_modules.claims.norms import BlockNorm
from riemannian_modules.door import require, require_mapping
from riemannian_modules.errors import (
    ConvergenceError,
    RegionError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.evidence.blocks import Blocks
from riemannian_modules.evidence.comparison import comparison_rows
from riemannian_modules.evidence.registry import certificate_of
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.search.networks.compose import node_metrics
from riemannian_modules.search.networks.network_proof import Found, NetworkProofs
from riemannian_modules.search.refute import refute_in_any_metric
from riemannian_modules.search.traced_problem import make_problem
from riemannian_modules.terms.overflow import within_floats

CLEARLY = 1e-3  # relative
MOST_REFUTED = 64  # coordinates up to which a violation is sought with dense matrices


@within_floats("certify_network")
def certify_network(
    graph: RiemannianModule,
    region: Box | None = None,
    *,
    metrics: Mapping[str, ArrayLike] | None = None,
    rate: float | None = None,
    factor: float | None = None,
) -> Answer:
    """Prove that a network contracts, by composition, cheapest rule first.

    The network rule compares nodes' own bounds with the gains between them; it is exact for
    cascades, at the price of weights that spread far: asking for less rate narrows them. Where
    there are loops, the signed rule keeps the couplings' signs. Cost and memory grow about linearly
    with nodes and edges; alike nodes are looked at once.

    Args:
        graph: A composite with a state, whose nodes are the blocks; or one module, whose
            coordinates are.
        region: States, inputs and uncertain parameters; other parameters are fixed.
        metrics: For some nodes, their metric; the others' are found.
        rate: For flows, the rate to prove, negative for a bound of growth; None for the best found.
        factor: For steps, the Lipschitz constant to prove.

    Returns:
        `Proved`, in ``max_i |z_i|_{M_i} / r_i`` or in the l2 norm of ``blkdiag(d_i M_i)``;
        `network_table` tells which rule gave which number. `Refuted` with a witness, or
        `Estimated`, which names the nodes and gains that are too large.

    Raises:
        UnsupportedError: If the system has no state or may jump.
        TraceError: If a leaf is too large for exact terms; `network_bound` encloses it.
    """
    _require_state(graph)
    target = target_of("certify_network", graph.signature.time, rate, factor)
    answer = prove_network(graph, region, target, metrics)
    return with_step(answer, graph.signature.sampling_time)


def prove_network(
    graph: RiemannianModule,
    region: Box | None,
    target: float | None,
    metrics: Mapping[str, ArrayLike] | None = None,
) -> Answer:
    """As `certify_network`, for a bound b."""
    proofs = _proofs(graph, region, metrics)
    if not proofs.blocks.problem.is_defined:
        return Estimated(
            None, "the map may be undefined on part of the region (a root or quotient); shrink it"
        )
    best = _best(proofs, target)
    asked = proofs.limit if target is None else target
    if best is not None and (best.bound <= asked if target is not None else best.bound < asked):
        b = best.bound if target is None else target
        claim = Claim(proofs.blocks.problem, best.norm, b)
        return Proved(claim.bound, certificate_of(claim, best.evidence))
    if len(proofs.blocks.problem.map) <= MOST_REFUTED:
        beyond = asked if target is None else float(np.nextafter(asked, np.inf))
        refuted = refute_in_any_metric(proofs.blocks.problem, beyond)
        if refuted is not None:
            return refuted
    return Estimated(None, _reason(proofs, best, asked))


@within_floats("network_rate")
def network_rate(
    graph: RiemannianModule,
    region: Box | None = None,
    *,
    metrics: Mapping[str, ArrayLike] | None = None,
) -> Bound:
    """The best bound proved by composition: a flow's log-norm or a step's Lipschitz constant.

    A log-norm above zero bounds growth. Arguments as those of `certify_network`.

    Args:
        graph: A composite with a state, or one module.
        region: States, inputs and uncertain parameters; None is everywhere.
        metrics: For some nodes, their metric; the others' are found.

    Raises:
        ConvergenceError: If nothing finite could be proved.
    """
    _require_state(graph)
    proofs = _proofs(graph, region, metrics)
    best = _best(proofs, None) if proofs.blocks.problem.is_defined else None
    if best is None or not np.isfinite(best.bound):
        raise ConvergenceError(
            "Nothing finite could be proved on this region. Bound its unbounded sides."
        )
    return bound_of("flow" if proofs.blocks.problem.is_flow else "step", best.bound)


def _require_state(system: RiemannianModule) -> None:
    require("certify_network", system, RiemannianModule, "a composite with a state")
    if system.signature.time is Time.STATIC:
        raise UnsupportedError(
            "certify_network needs a system with a state; use certify, or dag_gain for maps."
        )


def _proofs(
    system: RiemannianModule, region: Box | None, metrics: Mapping[str, ArrayLike] | None
) -> NetworkProofs:
    require(
        "certify_network", region, (Box, NoneType), "a region such as box(q=(-1, 1))", RegionError
    )
    given = {} if metrics is None else metrics
    require_mapping("certify_network: metrics", given, "matrices by node")
    problem = make_problem(system, region if region is not None else Box())
    n = len(problem.map)
    if isinstance(system, ModuleGraph):
        leaves = [leaf for leaf in system.plan.leaves if not leaf.is_static]
        groups = tuple(tuple(range(n)[leaf.state]) for leaf in leaves)
        names = tuple(leaf.name for leaf in leaves)
        own = node_metrics(system, given)
    else:
        if given:
            raise SignatureError("metrics: one module has no nodes to give metrics for.")
        groups, own = tuple((i,) for i in range(n)), {}
        names = problem.coordinates[:n]
    blocks = Blocks(problem, tuple(g for g in groups if g))
    kept = tuple(name for name, g in zip(names, groups, strict=True) if g)
    return NetworkProofs(blocks, kept, own)


def _best(proofs: NetworkProofs, target: float | None) -> Found | None:
    """The first proof of the target, or the best; a later rule has to win `CLEARLY`."""
    best: Found | None = None
    for rule in proofs.rules(target):
        if best is None or rule.bound < best.bound - CLEARLY * abs(best.bound):
            best = rule
        if target is not None and best.bound <= target:
            break
    return best


def _reason(proofs: NetworkProofs, best: Found | None, asked: float) -> str:
    worst = "no rule gives a finite bound"
    if best is not None:
        worst = f"the {best.rule} rule gives {best.bound:.6g}, not below {asked:.6g}"
    return f"{worst}: {_blame(proofs, best)}"


def _blame(proofs: NetworkProofs, best: Found | None) -> str:
    """The row of the comparison matrix that is worst, in words."""
    C, names = proofs.comparison, proofs.names
    infinite = [i for (i, _), v in C.entries.items() if not np.isfinite(v)]
    if infinite:
        i = infinite[0]
    elif best is not None and isinstance(best.norm, BlockNorm):
        i = int(np.argmax([float(row) for row in comparison_rows(C, best.norm.weights)]))
    else:
        i = int(np.argmax(C.matrix.sum(axis=1)))
    gains = [f"{names[k]} -> {names[j]}: {g:.4g}" for (j, k), g in C.entries.items() if j == i != k]
    own = C.entries.get((i, i), 0.0)
    return (
        f"{names[i]} has {own:.4g} of its own against the gains {'; '.join(gains) or 'none'}. "
        "Lower a gain, or certify the composite as one system."
    )
