"""Metrics of outputs carried backwards to the parameters of every layer of a composite.

A metric ``G = S S^T`` on the outputs travels as the r columns of S, which are cotangents:
``F_i = sum_children A_ji^T F_j`` and ``U_i = B_i^T F_i``.
Source: Pehle and Slotine (2026), arXiv:2603.03610, the factor recursion (THEORY section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from riemannian_modules.door import require
from riemannian_modules.engine.layerwise import LayerwiseMetric
from riemannian_modules.errors import MetricError, SignatureError
from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.sweep import GraphDifferential
from riemannian_modules.metrics import DenseFactor, Factor, add
from riemannian_modules.metrics.array import positive_number, real_array
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.module import Point, RiemannianModule
from riemannian_modules.modules.ownership import owners_of
from riemannian_modules.spaces import Array


def propagate(
    module: RiemannianModule,
    point: Point,
    mu: float,
    output_factor: Array,
    state_factor: Array | None = None,
) -> LayerwiseMetric:
    """The metric of every layer's parameters, from metrics of the outputs and of dx.

    The points of the batch count as one sample each of B: the metric is their mean. A module that
    stands in several places has the sum of its places' columns; a module with a metric ``h h^T`` on
    its own outputs adds columns of its own, which reach all that feed it. One backward sweep with
    r columns.

    Args:
        module: A composite or a single module, with n states, q outputs, p parameters.
        point: Where, as `RiemannianModule.point` gives it; theta is one for all points, (p,).
        mu: The mass scale that multiplies each module's own metric R_i, positive.
        output_factor: S, with the metric ``S S^T`` on the outputs, (..., q, r); leading axes
            broadcast to the batch. See `riemannian_modules.metrics` for Euclidean and Fisher ones.
        state_factor: The same for the state's derivative or successor, (..., n, r'); its columns
            come after those of the outputs. None for none.

    Returns:
        A metric for each layer that has parameters; `LayerwiseMetric.joint` couples them.

    Raises:
        SignatureError: If the module has no parameters, or theta is a batch.
        MetricError: If the factors do not fit outputs, state or batch.
        DomainError: If a factor holds NaN or infinities, or mu is not positive.
    """
    where = f"propagate({type(module).__name__})"
    check_parameters(where, module, point)
    batch = np.broadcast_shapes(point.x.shape[:-1], point.u.shape[:-1])
    differential = module.differential(point.x, point.u, point.theta)
    S, S_x = _output_columns(where, module, batch, output_factor, state_factor)
    return pull_metric(module, differential, batch, positive_number("mu", mu), S, S_x)


def pull_metric(
    module: RiemannianModule,
    differential: Differential,
    batch: tuple[int, ...],
    mu: float,
    p_y: Array,
    p_dx: Array,
) -> LayerwiseMetric:
    """`propagate` along a differential that is known already, of factors that are checked already.

    Args:
        module: The module whose differential it is.
        differential: At the points of the batch.
        batch: The batch's shape.
        mu: Positive.
        p_y: Columns on the outputs, (..., q, k).
        p_dx: The same columns on the state's derivative or successor, (..., n, k).
    """
    p_y, p_dx, local = _with_local_columns(module, p_y, p_dx)
    pulled = pull_factors(module, differential, batch, p_y, p_dx, local)
    scale = 1.0 / math.sqrt(max(1, math.prod(batch)))
    return LayerwiseMetric(
        tuple(name for name, _, _ in pulled),
        tuple(owner.local_metric().parameters for _, owner, _ in pulled),
        tuple(factor.scaled(scale) for _, _, factor in pulled),
        mu,
    )


def pull_factors(
    module: RiemannianModule,
    differential: Differential,
    batch: tuple[int, ...],
    p_y: Array,
    p_dx: Array,
    local: Sequence[Array | None] | None = None,
) -> list[tuple[str, RiemannianModule, Factor]]:
    """Name, module and factor of each owner of parameters, in theta's order; not scaled.

    Columns are (sample, column of the cotangents) pairs; with one column and ``local`` None their
    sum is a gradient.
    """
    p_y, p_dx = (np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in (p_y, p_dx))
    found: list[tuple[str, RiemannianModule, Factor]] = []
    for name, owner, places in _places(module, differential, p_dx, p_y, local):
        if owner.signature.parameters.size:
            # Cotangents that no sample has touched carry no batch axis; columns must line up.
            parts = [
                _rows(
                    d.parameter_factor(
                        *(np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in cotangents)
                    ),
                    rows,
                )
                for d, *cotangents, rows in places
            ]
            found.append((name, owner, add(parts)))
    return found


def pull_gradient(
    module: RiemannianModule, differential: Differential, batch: tuple[int, ...], p_y: Array
) -> Array:
    """Cotangents of the outputs (..., q) pulled to the parameters, all points summed: (p,).

    One backward sweep; O(points p) for dense layers, and no memory for each point's own.
    """
    p_y = np.broadcast_to(p_y, (*batch, p_y.shape[-1]))[..., None]
    p_dx = np.zeros((*batch, module.signature.state.size, 1))
    parts = [np.zeros(0)]
    for _, owner, places in _places(module, differential, p_dx, p_y, None):
        if owner.signature.parameters.size:
            found: list[Array] = []
            for d, *cotangents, rows in places:
                # Cotangents that no sample has touched carry no batch axis, and count for each.
                q_dx, q_y = (np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in cotangents)
                found.append(d.pull_parameters_sum(q_dx, q_y)[rows, 0])
            parts.append(found[0] if len(found) == 1 else np.sum(found, axis=0))
    return parts[1] if len(parts) == 2 else np.concatenate(parts)


def _rows(factor: Factor, rows: slice) -> Factor:
    """The rows of one owner among those of a place that has parameters of several."""
    if rows == slice(0, factor.dim):
        return factor
    return DenseFactor(factor.rows(rows.start, rows.stop))


OwnerPlace = tuple[Differential, Array, Array, slice]


def _places(
    module: RiemannianModule,
    differential: Differential,
    p_dx: Array,
    p_y: Array,
    local: Sequence[Array | None] | None,
) -> list[tuple[str, RiemannianModule, list[OwnerPlace]]]:
    """Each owner with the cotangents of dx and y, and its rows in theta, at all of its places."""
    if not isinstance(module, ModuleGraph) or not isinstance(differential, GraphDifferential):
        own = local[0] if local is not None else None
        p_y = p_y if own is None else p_y + own
        rows = slice(0, module.signature.parameters.size)
        return [(type(module).__name__, module, [(differential, p_dx, p_y, rows)])]
    swept = differential.costates(p_dx, p_y, local)
    found: dict[int, list[OwnerPlace]] = {id(owner): [] for owner in module.owners.values()}
    for leaf, d, q_dx, q_y in zip(
        module.plan.leaves, differential.leaves, swept.leaf_dx, swept.leaf_y, strict=True
    ):
        start = 0
        for owner in owners_of(leaf.module).values():
            end = start + owner.signature.parameters.size
            found[id(owner)].append((d, q_dx, q_y, slice(start, end)))
            start = end
    return [(name, owner, found[id(owner)]) for name, owner in module.owners.items()]


def _with_local_columns(
    module: RiemannianModule, p_y: Array, p_dx: Array
) -> tuple[Array, Array, list[Array | None]]:
    """Zero columns beside the outputs' ones, and there, at each leaf, its own metric's columns."""
    leaves = (
        [leaf.module for leaf in module.plan.leaves]
        if isinstance(module, ModuleGraph)
        else [module]
    )
    own = [leaf.local_metric().outputs for leaf in leaves]
    k = p_y.shape[-1]
    total = k + sum(h.shape[-1] for h in own)
    local: list[Array | None] = []
    for h in own:
        local.append(_placed(h, k, total) if h.shape[-1] else None)
        k += h.shape[-1]
    start = p_y.shape[-1]
    return (
        _placed(p_y, 0, total),
        _placed(p_dx, 0, total),
        local if total > start else [None for _ in own],
    )


def _placed(columns: Array, start: int, total: int) -> Array:
    """``columns`` (..., q, k) at ``start`` among ``total`` columns, the others zero."""
    if columns.shape[-1] == total:
        return columns
    wide = np.zeros((*columns.shape[:-1], total))
    wide[..., start : start + columns.shape[-1]] = columns
    return wide


def check_parameters(where: str, module: RiemannianModule, point: Point) -> None:
    """Check that the point is one of the module's, with one theta of some parameters.

    Raises:
        SignatureError: If the point is of another module, has several thetas or no parameters.
    """
    require(where, module, RiemannianModule, "a module")
    require(where, point, Point, "a point made by module.point(...)")
    s, p = module.signature, point
    sizes = (p.x.shape[-1], p.u.shape[-1], p.theta.shape[-1])
    if sizes != (s.state.size, s.inputs.size, s.parameters.size):
        raise SignatureError(
            f"{where}: expected a point of this module, with {s.state.size} states, "
            f"{s.inputs.size} inputs and {s.parameters.size} parameters, got {sizes}."
        )
    if not module.signature.parameters.size:
        raise SignatureError(
            f"{where}: the module has no parameters, so there is no metric on them."
        )
    if point.theta.ndim != 1:
        raise SignatureError(
            f"{where}: expected one theta for all points, shape (p,), got {point.theta.shape}. "
            "Propagate for each theta alone."
        )


def _output_columns(
    where: str,
    module: RiemannianModule,
    batch: tuple[int, ...],
    output_factor: Array,
    state_factor: Array | None,
) -> tuple[Array, Array]:
    """The columns of both factors side by side, once on the outputs, once on dx."""
    s = module.signature
    S = _fitting(where, "output_factor", output_factor, (*batch, s.outputs.size))
    S_x = np.zeros((s.state.size, 0))
    if state_factor is not None:
        S_x = _fitting(where, "state_factor", state_factor, (*batch, s.state.size))
    total = S.shape[-1] + S_x.shape[-1]
    return _placed(S, 0, total), _placed(S_x, S.shape[-1], total)


def _fitting(where: str, name: str, factor: Array, shape: tuple[int, ...]) -> Array:
    S: Array = real_array(name, factor)
    padded = (1,) * (len(shape) + 1 - S.ndim) + S.shape
    pairs = zip(padded[:-2], shape[:-1], strict=False)
    fits = len(padded) == len(shape) + 1 and all(given in (1, wanted) for given, wanted in pairs)
    if S.ndim < 2 or S.shape[-2] != shape[-1] or not fits:
        raise MetricError(
            f"{where}: expected {name} of shape {(*shape, 'r')}, one row for each coordinate at "
            f"each point (points may be left out where all have the same), got {S.shape}. A vector "
            "of weights w stands for the factor diag(sqrt(w))."
        )
    return S
