"""Certificates of composites by the network rule of `compose`."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.expression_data import expressions_from_data, expressions_to_data
from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.certificate import FORMAT, VERSION, Certificate
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    number_from_data,
    region_from_data,
    region_to_data,
)
from riemannian_modules.certify.compose import NetworkBound, network_bound
from riemannian_modules.certify.constraints import Constraints
from riemannian_modules.certify.problem import make_problem
from riemannian_modules.certify.refute import refute_in_any_metric
from riemannian_modules.door import number, require, require_mapping
from riemannian_modules.errors import (
    CertificateError,
    RegionError,
    RiemannianError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.space import Array, Port, Space

_KINDS = {Time.CONTINUOUS: "flow", Time.DISCRETE: "step"}


def certify_network(
    graph: ModuleGraph,
    region: Box | None = None,
    *,
    metrics: Mapping[str, ArrayLike] | None = None,
    rate: float | None = None,
    factor: float | None = None,
) -> Answer:
    """Prove that a network contracts from its nodes' rates and its edges' gains (THEORY section 6).

    Cost grows with nodes times states, not with the products of all nodes' nonlinearities, so it
    reaches networks that are too large to be certified as one system; it is blind to couplings that
    cancel.

    Args:
        graph: A composite with a state.
        region: Box of states and inputs; parameters are fixed at their values.
        metrics: For some nodes, their metric; the others' are found.
        rate: For flows, the rate to prove; None for the best found.
        factor: For steps, the Lipschitz constant to prove.

    Returns:
        `Proved` in the norm ``max_i |z_i|_{M_i} / r_i``, `Refuted` with a witness, or `Estimated`,
        which names the nodes and gains that are too large.
    """
    if not isinstance(graph, ModuleGraph) or graph.time is Time.STATIC:
        raise UnsupportedError(
            "certify_network needs a composite with a state; use certify for one module."
        )
    if ((rate is not None) and graph.time is Time.DISCRETE) or (
        (factor is not None) and graph.time is Time.CONTINUOUS
    ):
        raise SignatureError("A flow has a rate and a step map a factor; pass the one that fits.")
    require(
        "certify_network", region, (Box, NoneType), "a region such as box(q=(-1, 1))", RegionError
    )
    given_metrics = {} if metrics is None else metrics
    require_mapping("certify_network: metrics", given_metrics, "matrices by node")
    region = region if region is not None else Box()
    s = graph.signature
    lower, upper = region.bounds([*s.state.coordinates, *s.inputs.coordinates], (s.state, s.inputs))
    network = network_bound(graph, lower, upper, given_metrics)
    limit = 0.0 if graph.time is Time.CONTINUOUS else 1.0
    target = None if factor is None else number("certify_network: factor", factor)
    target = target if rate is None else -number("certify_network: rate", rate)
    if network.bound <= target if target is not None else network.bound < limit:
        b = network.bound if target is None else target
        return _proved(b, _data(graph, lower, upper, network, b))
    asked = limit if target is None else target
    refuted = refute_in_any_metric(
        make_problem(graph, region), asked if target is None else np.nextafter(asked, np.inf)
    )
    if refuted is not None:
        return refuted
    return Estimated(
        None,
        f"the network rule gives {network.bound:.6g}, not below {asked:.6g}: {_blame(network)}",
    )


def _blame(network: NetworkBound) -> str:
    """The row of the comparison matrix that is worst, in words."""
    rows = (network.matrix @ network.weights) / network.weights
    i = int(np.argmax(rows))
    gains = [
        f"{network.nodes[j]} -> {network.nodes[i]}: {g:.4g}"
        for j, g in enumerate(network.matrix[i])
        if j != i and g > 1e-60
    ]
    return (
        f"{network.nodes[i]} has {network.matrix[i, i]:.4g} of its own against the gains "
        f"{'; '.join(gains) or 'none'}. Lower a gain, or certify the composite as one system."
    )


def verify_network(data: Mapping[str, Any]) -> Answer:
    """Prove a network certificate again from its data alone; see `verify`."""
    claim, evidence = data["claim"], data["evidence"]
    try:
        graph = _graph_from_data(data["system"])
    except RiemannianError as fault:
        raise CertificateError(f"system: {fault}") from None
    if graph.time not in _KINDS or _KINDS[graph.time] != claim.get("kind"):
        raise CertificateError("claim.kind: does not fit the system's time.")
    states = [_named(c, data["system"]["leaves"]) for c in graph.state.coordinates]
    lower, upper, constraints = region_from_data(
        data["region"], [*states, *graph.inputs.coordinates]
    )
    if constraints:
        raise CertificateError("region: the network rule knows boxes only.")
    b = number_from_data(claim.get("bound"), "claim.bound")
    stateful = [name for name, m in graph.nodes.items() if m.state.ports]
    norm = claim.get("norm")
    if (
        not isinstance(norm, dict)
        or norm.get("type") != "blocks"
        or len(norm.get("metrics", ())) != len(stateful)
    ):
        raise CertificateError(
            "claim.norm: expected a norm of type 'blocks' with one metric a node."
        )
    metrics: dict[str, Array] = {}
    for name, matrix in zip(stateful, norm["metrics"], strict=True):
        size = graph.nodes[name].state.size
        metrics[name] = array_from_data(matrix, (size, size), "claim.norm.metrics")
        if not (
            np.array_equal(metrics[name], metrics[name].T) and is_positive_definite(metrics[name])
        ):
            return Estimated(None, f"the metric of node {name} is not proved positive definite")
    weights = array_from_data(norm.get("weights"), (len(stateful),), "claim.norm.weights")
    if not (weights > 0).all():
        raise CertificateError("claim.norm.weights: expected positive numbers.")
    network = network_bound(graph, lower, upper, metrics, weights)
    if not network.bound <= b:
        return Estimated(None, f"the network rule gives {network.bound:.17g}, not {b:.17g}")
    proved = {
        **data,
        "claim": {**claim, "statement": _statement(graph.time, b, data["region"]["sides"])},
        "evidence": evidence,
    }
    return _proved(b, proved)


def _proved(b: float, data: Mapping[str, Any]) -> Proved:
    bound: Bound = LogNormBound(b) if data["claim"]["kind"] == "flow" else LipschitzBound(b)
    return Proved(bound, Certificate(data))


def _statement(time: Time, b: float, rows: list[list[Any]]) -> str:
    sides = [
        f"{n} in [{float(lo)!r}, {float(hi)!r}]"
        for n, lo, hi in rows
        if (lo, hi) != ("-inf", "inf")
    ]
    where = ", ".join(sides) or "everywhere"
    what = (
        f"changes at most as exp({b!r} t)"
        if time is Time.CONTINUOUS
        else f"changes at each step at most by the factor {b!r}"
    )
    return (
        f"With the same inputs, the distance of any two trajectories {what} in the "
        f"norm max_i |z_i|_(M_i) / r_i over the network's nodes, as long as both stay in "
        f"the region ({where}). Differential "
        "condition on the whole region by the network rule (node bounds and edge gains), rounding "
        "included; that the region is invariant is not part of the claim."
    )


def _data(
    graph: ModuleGraph, lower: Array, upper: Array, network: NetworkBound, b: float
) -> dict[str, Any]:
    names = [*graph.signature.state.coordinates, *graph.signature.inputs.coordinates]
    region = region_to_data(names, lower, upper, Constraints(tuple(names)))
    norm = {
        "type": "blocks",
        "nodes": list(network.nodes),
        "metrics": [M.tolist() for M in network.metrics],
        "weights": network.weights.tolist(),
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "claim": {
            "statement": _statement(graph.time, b, region["sides"]),
            "kind": _KINDS[graph.time],
            "bound": b,
            "norm": norm,
        },
        "region": region,
        "system": _graph_to_data(graph),
        "evidence": {"rule": "network", "table": [list(row) for row in network.table()]},
    }


def _graph_to_data(graph: ModuleGraph) -> dict[str, Any]:
    """Leaves as expressions with their parameters fixed exactly, and the wiring by position."""
    index = {name: i for i, name in enumerate(graph.nodes)}
    leaves = [
        {
            "name": leaf.name,
            "time": leaf.module.signature.time.value,
            "state": _space_to_data(leaf.module.signature.state),
            "inputs": _space_to_data(leaf.module.signature.inputs),
            "outputs": _space_to_data(leaf.module.signature.outputs),
            "expressions": expressions_to_data(leaf.module.expressions_at(graph.theta[leaf.theta])),
        }
        for leaf in graph.plan.leaves
    ]
    fed: dict[str, list[list[Any]]] = {name: [] for name in graph.signature.inputs.names}
    for (node, port), name in graph.fed.items():
        fed[name].append([index[node], port])
    return {
        "leaves": leaves,
        "edges": [[index[a], out, index[b], port] for (b, port), (a, out) in graph.sources.items()],
        "inputs": [[name, targets] for name, targets in fed.items()],
    }


def _space_to_data(space: Space) -> list[list[Any]]:
    return [[port.name, list(port.shape)] for port in space.ports]


def _graph_from_data(data: Any) -> ModuleGraph:
    try:
        wiring = Wiring()
        for i, leaf in enumerate(data["leaves"]):
            wiring.add(f"n{i}", _leaf_from_data(leaf, f"system.leaves[{i}]"))
        for a, out, b, port in data["edges"]:
            wiring.connect(f"n{int(a)}.{out}", f"n{int(b)}.{port}")
        for name, targets in data["inputs"]:
            wiring.input(str(name), *(f"n{int(i)}.{port}" for i, port in targets))
    except (KeyError, TypeError, ValueError) as fault:
        if isinstance(fault, RiemannianError):
            raise
        raise CertificateError(
            f"expected leaves, edges and inputs ({type(fault).__name__}: {fault})."
        ) from None
    return wiring.build()


def _named(coordinate: str, leaves: list[Any]) -> str:
    """A state's coordinate ``n0.x`` by the name that its leaf has in the file."""
    node, _, name = coordinate.partition(".")
    return f"{leaves[int(node[1:])]['name']}.{name}"


def _leaf_from_data(leaf: Any, where: str) -> RiemannianModule:
    spaces = tuple(
        Space(tuple(Port(str(name), tuple(int(k) for k in shape)) for name, shape in leaf[part]))
        for part in ("state", "inputs", "outputs")
    )
    expressions = expressions_from_data(
        leaf["expressions"], f"{where}.expressions", CertificateError
    )
    return ExpressionModule(str(leaf["name"]), Time(leaf["time"]), spaces, {}, expressions)  # type: ignore[arg-type]
