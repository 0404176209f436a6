"""Rigorous enclosures of a composite: intervals and interval tangents swept through its leaves.

Large dense layers stay matrices. Each product is outward rounded, so the result contains the
composite's values and Jacobian at every point of the box; dependencies between leaves are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matmul
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Plan, Step
from riemannian_modules.modules.capability import enclosure_of
from riemannian_modules.modules.enclosure import Enclosure


@final
@dataclass(frozen=True, slots=True, eq=False)
class LeafEnclosures:
    """What an interval sweep knows of every leaf, over a batch of boxes.

    Attributes:
        inputs: Each leaf's inputs (..., m_leaf).
        tangents: The derivative of each leaf's inputs by state and inputs of the composite,
            (..., m_leaf, n + m).
        leaves: Each leaf's own enclosure on these inputs.
        outputs, output_tangents: The same of each leaf's outputs.
    """

    inputs: list[Interval]
    tangents: list[Interval]
    leaves: list[Enclosure]
    outputs: list[Interval]
    output_tangents: list[Interval]


def enclose_leaves(plan: Plan, x: Interval, u: Interval, theta: Interval) -> LeafEnclosures:
    """Sweep intervals and interval tangents through the leaves; one matrix product a leaf."""
    batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
    x, u = (part.broadcast_to((*batch, part.shape[-1])) for part in (x, u))
    n, m = x.shape[-1], u.shape[-1]
    basis = Interval.point(np.broadcast_to(np.eye(n + m), (*batch, n + m, n + m)))
    t_x, t_u = basis[..., :n, :], basis[..., n:, :]
    ys: list[Any] = [None] * len(plan.leaves)
    ts: list[Any] = [None] * len(plan.leaves)
    whole: dict[int, Enclosure] = {}
    for step in plan.steps:
        leaf = plan.leaves[step.leaf]
        inputs = _collect(leaf, ys, u, (*batch,))
        e = enclosure_of(leaf.module, x[..., leaf.state], inputs, theta[..., leaf.theta])
        tangents = _collect_rows(leaf, ts, t_u, batch)
        t = _product(e.C, t_x[..., leaf.state, :], e.D, tangents)
        _keep(step, ys, ts, e.y, t)
        if step.has_all_inputs:
            whole[step.leaf] = e
    all_inputs = [_collect(leaf, ys, u, batch) for leaf in plan.leaves]
    leaves = [
        whole.get(i)
        or enclosure_of(leaf.module, x[..., leaf.state], inputs, theta[..., leaf.theta])
        for i, (leaf, inputs) in enumerate(zip(plan.leaves, all_inputs, strict=True))
    ]
    rows = [_collect_rows(leaf, ts, t_u, batch) for leaf in plan.leaves]
    return LeafEnclosures(all_inputs, rows, leaves, ys, ts)


def enclose_graph(plan: Plan, x: Interval, u: Interval, theta: Interval) -> Enclosure:
    """Enclose values and Jacobian over a batch of boxes (..., size)."""
    batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
    n, m = x.shape[-1], u.shape[-1]
    swept = enclose_leaves(plan, x, u, theta)
    basis = Interval.point(np.broadcast_to(np.eye(n, n + m), (*batch, n, n + m)))
    dx, t_dx = [], []
    for leaf, e, rows in zip(plan.leaves, swept.leaves, swept.tangents, strict=True):
        if not leaf.is_static:
            dx.append(e.dx)
            t_dx.append(_product(e.A, basis[..., leaf.state, :], e.B, rows))
    y = [swept.outputs[p.leaf][..., p.place] for p in plan.shown]
    t_y = [swept.output_tangents[p.leaf][..., p.place, :] for p in plan.shown]
    J, K = _join(t_dx, (*batch, 0, n + m), -2), _join(t_y, (*batch, 0, n + m), -2)
    return Enclosure(
        _join(dx, (*batch, 0), -1), _join(y, (*batch, 0), -1),
        J[..., :n], J[..., n:], K[..., :n], K[..., n:],
    )  # fmt: skip


def _product(left: Interval, t_x: Interval, right: Interval, t_u: Interval) -> Interval:
    if t_x.shape[-2] == 0:
        return matmul(right, t_u)
    if t_u.shape[-2] == 0:
        return matmul(left, t_x)
    return matmul(left, t_x) + matmul(right, t_u)


def _collect(leaf: Leaf, ys: Sequence[Any], u: Interval, batch: tuple[int, ...]) -> Interval:
    """A leaf's inputs; those that are not known yet, and are not needed, are zero."""
    parts: list[Interval] = []
    for p in leaf.pieces:
        source = u if p.leaf == EXTERNAL else ys[p.leaf]
        size = p.target.stop - p.target.start
        parts.append(
            Interval.point(np.zeros((*batch, size))) if source is None else source[..., p.place]
        )
    return _join(parts, (*batch, 0), -1)


def _collect_rows(leaf: Leaf, ts: Sequence[Any], t_u: Interval, batch: tuple[int, ...]) -> Interval:
    k = t_u.shape[-1]
    parts: list[Interval] = []
    for p in leaf.pieces:
        source = t_u if p.leaf == EXTERNAL else ts[p.leaf]
        size = p.target.stop - p.target.start
        parts.append(
            Interval.point(np.zeros((*batch, size, k)))
            if source is None
            else source[..., p.place, :]
        )
    return _join(parts, (*batch, 0, k), -2)


def _keep(step: Step, ys: list[Any], ts: list[Any], y: Interval, t: Interval) -> None:
    if step.places is None:
        ys[step.leaf], ts[step.leaf] = y, t
        return
    if ys[step.leaf] is None:
        # Not Interval.point: its bounds are one array, and writing one would write the other.
        ys[step.leaf], ts[step.leaf] = (
            Interval(np.zeros(part.shape), np.zeros(part.shape)) for part in (y, t)
        )
    for place in step.places:
        for old, new, at in (
            (ys[step.leaf], y, (..., place)),
            (ts[step.leaf], t, (..., place, slice(None))),
        ):
            old.lower[at], old.upper[at] = new.lower[at], new.upper[at]


def _join(parts: Sequence[Interval], empty: tuple[int, ...], axis: int) -> Interval:
    if not parts:
        return Interval.point(np.zeros(empty))
    return parts[0] if len(parts) == 1 else iv.concatenate(parts, axis)
