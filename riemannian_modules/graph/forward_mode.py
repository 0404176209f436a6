"""Forward mode: values and tangents of a composite in one sweep that keeps only what is needed.

Each leaf's differential is used where it is made, while its inputs are still in the cache.
Source: Griewank and Walther (2008), Evaluating Derivatives, 2nd edition, section 3.1.
"""

from __future__ import annotations

from typing import Any

from riemannian_modules.graph.plan import Plan
from riemannian_modules.graph.sweep import (
    common_batch,
    gather,
    gather_tangents,
    join,
    rows_of,
    show,
    show_tangents,
)
from riemannian_modules.modules.evaluation import output_with_differential
from riemannian_modules.spaces import Array


def sweep_tangents(
    plan: Plan, x: Array, u: Array, theta: Array, t_x: Array, t_u: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """``(dx, y)`` and their tangents, of a plan that computes each leaf in one step.

    Memory is that of a few leaves, and of those that feed a state or are shown.
    """
    x, u = common_batch(x, u, theta)
    no_state, no_tangent, is_one = x[..., :0], t_x[..., :0, :], theta.ndim == 1
    ys: list[Any] = [None] * len(plan.leaves)
    ts: list[Any] = [None] * len(plan.leaves)
    for step, used_up in zip(plan.steps, plan.used_up, strict=True):
        leaf = plan.leaves[step.leaf]
        y, d = output_with_differential(
            leaf.module,
            no_state if leaf.is_static else x[..., leaf.state],
            gather(leaf, ys, u),
            theta[leaf.theta] if is_one else theta[..., leaf.theta],
        )
        t_xi = no_tangent if leaf.is_static else t_x[..., leaf.state, :]
        ys[step.leaf] = y
        ts[step.leaf] = d.push_outputs(t_xi, gather_tangents(leaf, ts, t_u))
        for done in used_up:
            ys[done] = ts[done] = None
    dx: list[Array] = []
    t_dx: list[Array] = []
    for leaf in plan.leaves:
        if not leaf.is_static:
            at = (x[..., leaf.state], gather(leaf, ys, u), theta[..., leaf.theta])
            tangents = (t_x[..., leaf.state, :], gather_tangents(leaf, ts, t_u))
            dx.append(leaf.module.forward(*at)[0])
            t_dx.append(leaf.module.differential(*at).push_state(*tangents))
    batch, k = x.shape[:-1], t_u.shape[-1]
    values = join(dx, batch), show(plan, ys, batch)
    return values, (rows_of(t_dx, k), show_tangents(plan, ts, k))
