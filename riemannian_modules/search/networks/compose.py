"""Composition: a network's bound from its nodes' bounds and its edges' gains.

Each node i has a state with a metric M_i. On the diagonal of C stand the nodes' own bounds
(log-norms of flows, Lipschitz constants of steps) plus the gain with which they feed themselves;
off it the gains ``g_ij = |P_i (d f_i / d x_j) P_j^{-1}|``. If ``C r <= b r`` for some r > 0, then
the network has the bound b in the norm ``max_i |z_i|_{M_i} / r_i``. That is one rule for cascades
(C triangular), feedback loops (small gain) and any network. Maps without state in a row or DAG have
the gains multiplied and added.

Source: Strom (1975); Russo, di Bernardo and Sontag, *A contraction approach to the hierarchical
    analysis and design of networked systems*, IEEE TAC 58 (2013); THEORY section 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.definite import spectral_norm_bound
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matmul
from riemannian_modules.claims.norms import L2
from riemannian_modules.claims.problem import Problem, require_continuous
from riemannian_modules.claims.wanted_norms import FreeL2, l2
from riemannian_modules.door import number_array, require, require_mapping
from riemannian_modules.errors import (
    ConvergenceError,
    MetricError,
    RegionError,
    SignatureError,
    TraceError,
    UnsupportedError,
)
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.graph.enclose import LeafEnclosures, enclose_leaves
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Piece
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.structured_map import StructuredMap
from riemannian_modules.search.boxes.budget import Budget
from riemannian_modules.search.boxes.subdivide import partition
from riemannian_modules.search.networks.gain import exact, product_up, weighted_gain
from riemannian_modules.search.norms.find_norm import find_norm
from riemannian_modules.search.prepared import prepared_criterion
from riemannian_modules.shown import Facts, Shown, at_most, counted, listed
from riemannian_modules.spaces import Array
from riemannian_modules.terms.overflow import within_floats

NODE_BUDGET = Budget(boxes=2_000, seconds=5.0)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkBound(Shown):
    """A network's comparison matrix and what follows from it; every number is rounded upwards.

    Attributes:
        nodes: Names of the nodes with a state.
        metrics: Each node's metric M_i.
        matrix: C (nodes, nodes): bounds on the diagonal, gains off it.
        weights: r > 0 with ``C r <= bound r``.
        bound: The network's log-norm (flows) or Lipschitz constant (steps).
    """

    nodes: tuple[str, ...]
    metrics: tuple[Array, ...]
    matrix: Array
    weights: Array
    bound: float

    def table(self) -> list[tuple[str, str, float]]:
        """Rows (from, to, number) with which a reader can compute the bound by hand.

        Numbers below 1e-60 are rounding of exact zeros; the bound includes them, the table leaves
        them out.
        """
        places = zip(*np.nonzero(np.abs(self.matrix) > 1e-60), strict=True)
        return [(self.nodes[j], self.nodes[i], float(self.matrix[i, j])) for i, j in places]

    @override
    def facts(self) -> Facts:
        title = f"NetworkBound: at most {at_most(self.bound)}"
        return Facts(f"{title}, of {counted(len(self.nodes), 'node')}", (("", listed(self.nodes)),))


@within_floats("network_bound")
def network_bound(
    graph: ModuleGraph,
    lower: Array,
    upper: Array,
    metrics: Mapping[str, ArrayLike] | None = None,
    weights: Array | None = None,
) -> NetworkBound:
    """The bound of a composite from those of its nodes.

    Args:
        graph: A composite with a state; continuous or discrete.
        lower: Lower sides of the box of states and inputs, in the order of the signature.
        upper: Upper sides.
        metrics: For some nodes, the metric; the others' are searched.
        weights: r > 0 to be checked; None for those found here.

    Returns:
        The comparison matrix and bound; a bound that does not contract is returned as it is.

    Raises:
        UnsupportedError: If a leaf has no exact form or the graph has no state.
        MetricError: If weights are not positive, or a metric is not proved to be one of its node.
        SignatureError: If a metric is given for a node that does not exist.
    """
    require("network_bound", graph, ModuleGraph, "a composite")
    require_mapping(
        "network_bound: metrics", {} if metrics is None else metrics, "matrices by node"
    )
    if graph.time is Time.STATIC:
        raise UnsupportedError("A network of maps has gains, not rates; use dag_gain.")
    _check_box(graph, lower, upper)
    given = node_metrics(graph, metrics or {})
    plan = graph.plan
    n = graph.state.size
    theta = Interval.point(graph.theta)
    box = Interval(lower, upper)
    swept = enclose_leaves(plan, box[:n], box[n:], theta)
    nodes = [i for i, leaf in enumerate(plan.leaves) if not leaf.is_static]
    _refuse_jumps(plan.leaves)
    chosen: list[Array] = []
    C = np.zeros((len(nodes), len(nodes)))
    for a, i in enumerate(nodes):
        leaf = plan.leaves[i]
        M, own = _node_bound(graph, leaf, box[leaf.state], swept.inputs[i], given.get(leaf.name))
        chosen.append(M)
        C[a, a] = own
    for a, i in enumerate(nodes):
        through = matmul(swept.leaves[i].B, swept.tangents[i][:, :n])
        for b, j in enumerate(nodes):
            place = plan.leaves[j].state
            gain = weighted_gain(through[:, place], chosen[a], chosen[b])
            C[a, b] = np.nextafter(C[a, b] + gain, np.inf) if gain else C[a, b]
    # A static leaf may be undefined where no node's own bound sees it.
    if not all(_is_defined(graph, i, swept, box[leaf.state]) for i, leaf in enumerate(plan.leaves)):
        C[:] = np.inf
    r = (
        _perron_weights(C, graph.time)
        if weights is None
        else number_array("network_bound: weights", weights)
    )
    if r.shape != (len(nodes),) or not ((r > 0) & np.isfinite(r)).all():
        raise MetricError(
            f"Network weights: expected {len(nodes)} positive numbers, got {r.tolist()}."
        )
    return NetworkBound(
        tuple(plan.leaves[i].name for i in nodes), tuple(chosen), C, r, comparison_bound(C, r)
    )


def node_metrics(graph: ModuleGraph, metrics: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The metrics that are given, each proved symmetric, definite and of its node's size.

    All that follows rests on it: a Cholesky factor reads one triangle of whatever it is given.
    """
    unknown = sorted(set(metrics) - set(graph.nodes))
    if unknown:
        raise SignatureError(
            f"metrics: there are no nodes {unknown}; known are: {', '.join(graph.nodes)}."
        )
    given: dict[str, Array] = {}
    for name, matrix in metrics.items():
        norm, size = l2(matrix), graph.nodes[name].signature.state.size
        if not isinstance(norm, L2) or len(norm.metric) != size:
            raise MetricError(f"metrics: the metric of node {name!r} must be ({size}, {size}).")
        given[name] = norm.metric
    return given


def comparison_bound(C: Array, r: Array) -> float:
    """The smallest b with ``C r <= b r``, rounded upwards; inf where C is not finite."""
    if not np.isfinite(C).all():
        return np.inf
    # Interval products of exact floats, then the upper ends: outward rounding throughout.
    rows = matmul(Interval.point(C), Interval.point(r[:, None]))[:, 0] / Interval.point(r)
    return float(rows.upper.max())


def _node_bound(
    graph: ModuleGraph, leaf: Leaf, x: Interval, u: Interval, metric: Array | None
) -> tuple[Array, float]:
    """A node's metric and its own proved bound on its states and the inputs that can reach it."""
    expressions = leaf.module.expressions_at(graph.theta[leaf.theta])
    problem = Problem(graph.time, expressions, *_sides(x, u))
    norm = L2(metric) if metric is not None else _node_norm(problem)
    criterion = prepared_criterion(problem, norm)
    return norm.metric, float(partition(problem, criterion, None, NODE_BUDGET).bounds.max())


def _node_norm(problem: Problem) -> L2:
    try:
        norm = find_norm(problem, FreeL2()).proved()
    except (ConvergenceError, MetricError):
        norm = None
    return norm if isinstance(norm, L2) else L2(np.eye(len(problem.map)))


def _refuse_jumps(leaves: Sequence[Leaf]) -> None:
    for leaf in leaves:
        try:
            require_continuous(leaf.module.expressions, leaf.name)
        except TraceError:
            # Of the modules too large for exact terms, those that are affine are continuous.
            m = leaf.module
            if not isinstance(m, StructuredMap) or m.input_matrix(m.theta) is None:
                raise


def _perron_weights(C: Array, time: Time) -> Array:
    """Weights r > 0 with ``C r <= b r`` for a b slightly above the best; else ones.

    ``r = (b I - C)^{-1} 1`` is positive whenever b exceeds the spectral abscissa of a Metzler
    matrix.
    """
    n = len(C)
    if not np.isfinite(C).all():
        return np.ones(n)
    best = float(np.linalg.eigvals(C).real.max())
    limit = 0.0 if time is Time.CONTINUOUS else 1.0
    for part in (1e-4, 1e-3, 1e-2, 0.1):
        r = np.linalg.solve(
            (best + part * max(abs(limit - best), 1e-9)) * np.eye(n) - C, np.ones(n)
        )
        if (r > 0).all() and r.max() / r.min() < 1e12:
            return r / r.min()
    return np.ones(n)


@within_floats("dag_gain")
def dag_gain(graph: ModuleGraph, lower: Array, upper: Array) -> float:
    """An upper bound of a DAG of maps' gain (l2, inputs to outputs), from its leaves' gains.

    A leaf's inputs come from several sources; the gain to them is the root of the sum of squares,
    each counted as often as its ports are read.

    Args:
        graph: A composite without state.
        lower: The lower side of each coordinate of the inputs, (m,).
        upper: The upper side, likewise.

    Raises:
        UnsupportedError: If the graph has a state.
    """
    require("dag_gain", graph, ModuleGraph, "a composite")
    if graph.time is not Time.STATIC:
        raise UnsupportedError("A network with a state has a rate or factor; use network_bound.")
    _check_box(graph, lower, upper)
    plan = graph.plan
    swept = enclose_leaves(
        plan, Interval.point(np.zeros(0)), Interval(lower, upper), Interval.point(graph.theta)
    )
    _refuse_jumps(plan.leaves)
    nothing = Interval(lower[:0], lower[:0])
    if not all(_is_defined(graph, i, swept, nothing) for i in range(len(plan.leaves))):
        return np.inf
    reached: dict[int, float] = {EXTERNAL: 1.0}
    seen: dict[int, dict[int, Piece]] = {}  # by their targets: a leaf may be computed in stages
    for step in plan.steps:
        pieces = seen.setdefault(step.leaf, {})
        pieces |= {p.target.start: p for p in step.pieces}
        own = float(spectral_norm_bound(swept.leaves[step.leaf].D))
        reached[step.leaf] = product_up(own, _joined(reached, pieces.values()))
    return _joined(reached, plan.shown)


def _joined(reached: Mapping[int, float], pieces: Iterable[Piece]) -> float:
    """The gain to a vector put together of pieces of others, given the gains to those.

    ``|v|^2 = sum |pieces|^2``; a coordinate that is used k times counts k times.
    """
    uses: dict[int, Counter[int]] = {}
    for p in pieces:
        uses.setdefault(p.leaf, Counter()).update(range(p.place.start, p.place.stop))
    total = exact(0.0)
    for source, count in uses.items():
        if not np.isfinite(reached[source]):
            return np.inf
        total = total + exact(reached[source]) ** 2 * max(count.values(), default=0)
    return float(iv.sqrt(total).upper)


def _is_defined(graph: ModuleGraph, i: int, swept: LeafEnclosures, x: Interval) -> bool:
    """Whether a leaf's map is proved defined on its states and the inputs that can reach it."""
    leaf, u = graph.plan.leaves[i], swept.inputs[i]
    try:
        expressions = leaf.module.expressions_at(graph.theta[leaf.theta])
    except TraceError:
        # Too large for exact terms: where it may be undefined, its own enclosure is undecided.
        return bool(swept.leaves[i].y.is_decided.all() and swept.leaves[i].dx.is_decided.all())
    lower, upper = _sides(x, u)
    return Problem(leaf.module.signature.time, expressions, lower, upper).is_defined


def _sides(x: Interval, u: Interval) -> tuple[Array, Array]:
    """A leaf's box; inputs of which nothing is known may be anything."""
    lower, upper = np.concatenate([x.lower, u.lower]), np.concatenate([x.upper, u.upper])
    return np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)


def _check_box(graph: ModuleGraph, lower: Array, upper: Array) -> None:
    """Refuse sides that are not one for each state and input, or that are reversed or NaN."""
    size = graph.state.size + graph.inputs.size
    sides = [number_array("The region", side, RegionError) for side in (lower, upper)]
    if any(side.shape != (size,) for side in sides) or not (sides[0] <= sides[1]).all():
        raise RegionError(
            f"The region: expected {size} lower and upper sides, lower <= upper, states before "
            f"inputs, got {lower!r:.80} and {upper!r:.80}."
        )
