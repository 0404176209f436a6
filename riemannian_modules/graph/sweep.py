"""The one computation under everything: a sweep over a graph that evaluates values and derivatives.

Forward it carries values and tangents, backward cotangents (the costate recursion, THEORY section
2). Leaves whose inputs are not all known yet are given zeros for those that their outputs do not
need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import SignatureError
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Piece, Plan, Step
from riemannian_modules.modules.differential import Differential
from riemannian_modules.modules.evaluation import output_then_differential
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What a forward sweep computed: dx, y, and each leaf's inputs and outputs (..., size)."""

    dx: Array
    y: Array
    leaf_inputs: list[Array]
    leaf_outputs: list[Array]


def sweep_outputs(plan: Plan, x: Array, u: Array, theta: Array) -> list[Array]:
    """The outputs of every leaf at a batch of points."""
    x, u = common_batch(x, u, theta)
    ys: list[Any] = [None] * len(plan.leaves)
    leaves, nothing, is_one = plan.leaves, x[..., :0], theta.ndim == 1
    for step in plan.steps:
        leaf = leaves[step.leaf]
        xi = nothing if leaf.is_static else x[..., leaf.state]
        ti = theta[leaf.theta] if is_one else theta[..., leaf.theta]
        if step.is_whole:
            ui = gather(leaf, ys, u) if leaf.whole is None or leaf.whole < 0 else ys[leaf.whole]
            ys[step.leaf] = leaf.module.output(xi, ui, ti)
            continue
        known = _gather_known(leaf, step.pieces, ys, u)
        with np.errstate(
            all="ignore"
        ):  # outputs that are not asked for here may be undefined at zero
            y = leaf.module.output(xi, known, ti)
        _keep(step, leaf, ys, y)
    for i in plan.guessed:
        leaf = leaves[i]
        xi, ti = x[..., leaf.state], theta[..., leaf.theta]
        _check_guess(leaf, ys[i], leaf.module.output(xi, gather(leaf, ys, u), ti))
    return ys


def sweep_values(plan: Plan, x: Array, u: Array, theta: Array) -> Values:
    """Values of all leaves and of the composite, at a batch of points."""
    x, u = common_batch(x, u, theta)
    ys = sweep_outputs(plan, x, u, theta)
    leaf_inputs = [gather(leaf, ys, u) for leaf in plan.leaves]
    dx = [
        leaf.module.forward(x[..., leaf.state], ui, theta[..., leaf.theta])[0]
        for leaf, ui in zip(plan.leaves, leaf_inputs, strict=True)
        if not leaf.is_static
    ]
    return Values(join(dx, x.shape[:-1]), show(plan, ys, x.shape[:-1]), leaf_inputs, ys)


def sweep_once(
    plan: Plan, x: Array, u: Array, theta: Array
) -> tuple[list[Array], list[Callable[[], Differential]]]:
    """The outputs of every leaf without a state, and what gives its differential there.

    Of a plan that computes each leaf in one step.
    """
    x, u = common_batch(x, u, theta)
    ys: list[Any] = [None] * len(plan.leaves)
    rest: list[Any] = [None] * len(plan.leaves)
    for step in plan.steps:
        leaf = plan.leaves[step.leaf]
        ys[step.leaf], rest[step.leaf] = output_then_differential(
            leaf.module, x[..., leaf.state], gather(leaf, ys, u), theta[..., leaf.theta]
        )
    return ys, rest


def show(plan: Plan, ys: Sequence[Array], batch: tuple[int, ...]) -> Array:
    """The composite's outputs among the leaves' outputs."""
    return join([ys[p.leaf][..., p.place] for p in plan.shown], batch)


def show_tangents(plan: Plan, ts: Sequence[Array], k: int) -> Array:
    """The tangents of the composite's outputs among those of the leaves' outputs."""
    return rows_of([ts[p.leaf][..., p.place, :] for p in plan.shown], k)


def gather(leaf: Leaf, ys: Sequence[Array], u: Array) -> Array:
    """A leaf's input vector from the other leaves' outputs and the composite's inputs."""
    if leaf.whole is not None:
        return u if leaf.whole == EXTERNAL else ys[leaf.whole]
    parts = [(u if p.leaf == EXTERNAL else ys[p.leaf])[..., p.place] for p in leaf.pieces]
    return join(parts, u.shape[:-1])


def gather_tangents(leaf: Leaf, ts: Sequence[Array], t_u: Array) -> Array:
    """The tangents of a leaf's inputs."""
    if leaf.whole is not None:
        return t_u if leaf.whole == EXTERNAL else ts[leaf.whole]
    return rows_of(
        [(t_u if p.leaf == EXTERNAL else ts[p.leaf])[..., p.place, :] for p in leaf.pieces],
        t_u.shape[-1],
    )


def _gather_known(leaf: Leaf, pieces: Sequence[Piece], ys: Sequence[Array], u: Array) -> Array:
    known = np.zeros((*u.shape[:-1], leaf.inputs))
    for p in pieces:
        known[..., p.target] = (u if p.leaf == EXTERNAL else ys[p.leaf])[..., p.place]
    return known


def _check_guess(leaf: Leaf, early: Array, y: Array) -> None:
    """Outputs computed before all inputs were known have to be the same with all of them."""
    same = (early == y) | (np.isnan(early) & np.isnan(y))
    if not same.all():
        names = np.array(leaf.module.signature.outputs.coordinates)
        wrong = names[~same.reshape(-1, len(names)).all(axis=0)].tolist()
        raise SignatureError(
            f"{leaf.name}: its outputs {wrong} change with inputs that they were said not to "
            "depend on at once, or not found to where that was tried, so the order of computation "
            "is wrong. Declare all that do: feedthrough = frozenset({('input', 'output'), ...})."
        )


def _keep(step: Step, leaf: Leaf, ys: list[Any], y: Array) -> None:
    if step.places is None:
        ys[step.leaf] = y
        return
    if ys[step.leaf] is None:
        ys[step.leaf] = np.zeros((*y.shape[:-1], leaf.outputs))
    for place in step.places:
        ys[step.leaf][..., place] = y[..., place]


def common_batch(x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
    """State and inputs repeated over the batch of all three."""
    if x.ndim == 1 and u.ndim == 1 and theta.ndim == 1:
        return x, u
    batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
    return np.broadcast_to(x, (*batch, x.shape[-1])), np.broadcast_to(u, (*batch, u.shape[-1]))


def join(parts: Sequence[Array], batch: tuple[int, ...]) -> Array:
    """Vectors one after the other; of none, an empty one for each point."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*batch, 0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Costates:
    """Cotangents (..., size, k) after a backward sweep: of state, inputs, each leaf's dx and y."""

    p_x: Array
    p_u: Array
    leaf_dx: list[Array]
    leaf_y: list[Array]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GraphDifferential(Differential):
    """The differential of a composite: its leaves' differentials and its wiring.

    Attributes:
        plan: The composite's plan.
        leaves: Each leaf's differential.
        sizes: Numbers of states, inputs and parameters of the composite.
    """

    plan: Plan
    leaves: tuple[Differential, ...]
    sizes: tuple[int, int, int]

    def _push_needed(
        self, t_x: Array, t_u: Array, own: Sequence[Array | None] | None = None
    ) -> list[Any]:
        """Tangents of outputs that are shown or feed a state; others are let go when used up.

        ``own`` are tangents of the leaves' outputs that come from their own parameters.
        """
        ts: list[Any] = [None] * len(self.plan.leaves)
        for step, used_up in zip(self.plan.steps, self.plan.used_up, strict=True):
            self._push_step(step, ts, t_x, t_u, None if own is None else own[step.leaf])
            for i in used_up:
                ts[i] = None
        return ts

    def _push_step(
        self, step: Step, ts: list[Any], t_x: Array, t_u: Array, own: Array | None
    ) -> None:
        leaf, d = self.plan.leaves[step.leaf], self.leaves[step.leaf]
        t_xi = t_x[..., leaf.state, :]
        if step.is_whole:
            t = d.push_outputs(t_xi, gather_tangents(leaf, ts, t_u))
            ts[step.leaf] = t if own is None else t + own
            return
        t = d.push_outputs(t_xi, self._gather_known(leaf, step.pieces, ts, t_u))
        t = t if own is None else t + own
        if step.places is None:
            ts[step.leaf] = t
            return
        if ts[step.leaf] is None:
            ts[step.leaf] = np.zeros((*t.shape[:-2], leaf.outputs, t.shape[-1]))
        ts[step.leaf] = _widened(ts[step.leaf], t)
        for place in step.places:
            ts[step.leaf][..., place, :] = t[..., place, :]

    def _gather_known(
        self, leaf: Leaf, pieces: Sequence[Piece], ts: Sequence[Array], t_u: Array
    ) -> Array:
        known = {
            p.target.start: (t_u if p.leaf == EXTERNAL else ts[p.leaf])[..., p.place, :]
            for p in pieces
        }
        k = t_u.shape[-1]
        return rows_of(
            [
                known.get(p.target.start, np.zeros((p.target.stop - p.target.start, k)))
                for p in leaf.pieces
            ],
            k,
        )

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return show_tangents(self.plan, self._push_needed(t_x, t_u), t_u.shape[-1])

    @override
    def push_state(self, t_x: Array, t_u: Array) -> Array:
        return self._state_from(self._push_needed(t_x, t_u), t_x, t_u)

    def _state_from(self, ts: Sequence[Array], t_x: Array, t_u: Array) -> Array:
        return rows_of(
            [d.push_state(t_x[..., leaf.state, :], gather_tangents(leaf, ts, t_u))
             for leaf, d in zip(self.plan.leaves, self.leaves, strict=True) if not leaf.is_static],
            t_u.shape[-1],
        )  # fmt: skip

    @override
    def push(self, t_x: Array, t_u: Array) -> tuple[Array, Array]:
        ts = self._push_needed(t_x, t_u)
        return self._state_from(ts, t_x, t_u), show_tangents(self.plan, ts, t_u.shape[-1])

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        plan, k = self.plan, t.shape[-1]
        t_x, t_u = np.zeros((self.sizes[0], k)), np.zeros((self.sizes[1], k))
        own: list[tuple[Array, Array] | None] = [
            d.push_parameters(t[leaf.theta, :], (leaf.state.stop - leaf.state.start, leaf.outputs))
            if leaf.module.signature.parameters.size
            else None
            for leaf, d in zip(plan.leaves, self.leaves, strict=True)
        ]
        ts = self._push_needed(t_x, t_u, [None if o is None else o[1] for o in own])
        by_inputs = self._state_from(ts, t_x, t_u)
        by_parameters = [
            np.zeros((leaf.state.stop - leaf.state.start, k)) if o is None else o[0]
            for leaf, o in zip(plan.leaves, own, strict=True)
            if not leaf.is_static
        ]
        return by_inputs + rows_of(by_parameters, k), show_tangents(plan, ts, k)

    def costates(
        self, p_dx: Array, p_y: Array, local: Sequence[Array | None] | None = None
    ) -> Costates:
        """The backward sweep: cotangents of everything, from those of dx and y.

        Args:
            p_dx: Cotangents of the state's derivative, (..., n, k).
            p_y: Cotangents of the outputs, (..., q, k).
            local: For each leaf, cotangents (..., q_leaf, k) that it adds on its own outputs, or
                None.

        Returns:
            The cotangents; in each leaf they are complete, all children summed.
        """
        plan, m, k = self.plan, self.sizes[1], p_y.shape[-1]
        p_u: Any = np.zeros((m, k))
        p_x: list[Any] = [np.zeros((leaf.state.stop - leaf.state.start, k)) for leaf in plan.leaves]
        ps: list[Any] = list(local) if local is not None else [None] * len(plan.leaves)
        rows = 0
        for piece in plan.shown:
            size = piece.place.stop - piece.place.start
            ps[piece.leaf] = self._add(ps[piece.leaf], piece, p_y[..., rows : rows + size, :])
            rows += size
        leaf_dx = [p_dx[..., leaf.state, :] for leaf in plan.leaves]

        def scatter(pieces: Sequence[Piece], cotangent: Array) -> None:
            nonlocal p_u
            for p in pieces:
                part = cotangent[..., p.target, :]
                if p.leaf == EXTERNAL:
                    p_u = _widened(p_u, part)
                    p_u[..., p.place, :] += part
                else:
                    ps[p.leaf] = self._add(ps[p.leaf], p, part)

        for i, (leaf, d) in enumerate(zip(plan.leaves, self.leaves, strict=True)):
            if not leaf.is_static:
                p_x[i], p_ui = d.pull_state(leaf_dx[i])
                scatter(leaf.pieces, p_ui)
        for step in reversed(plan.steps):
            leaf, i = plan.leaves[step.leaf], step.leaf
            if ps[i] is None:
                continue
            p_yi = ps[i] if step.places is None else _only(ps[i], step.places)
            more, p_ui = self.leaves[i].pull_outputs(p_yi)
            if not leaf.is_static:
                p_x[i] = p_x[i] + more
            scatter(step.pieces, p_ui)
        zeros = [np.zeros((leaf.outputs, k)) for leaf in plan.leaves]
        leaf_y = [zero if p is None else p for p, zero in zip(ps, zeros, strict=True)]
        return Costates(rows_of(p_x, k), p_u, leaf_dx, leaf_y)

    def _add(self, total: Array | None, piece: Piece, part: Array) -> Array:
        leaf = self.plan.leaves[piece.leaf]
        if total is None:
            if piece.place == slice(0, leaf.outputs):
                return part
            total = np.zeros((*part.shape[:-2], leaf.outputs, part.shape[-1]))
        else:
            shape = (*np.broadcast_shapes(total.shape[:-2], part.shape[:-2]), *total.shape[-2:])
            total = np.array(np.broadcast_to(total, shape))
        total[..., piece.place, :] += part
        return total

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        swept = self.costates(np.zeros((self.sizes[0], p_y.shape[-1])), p_y)
        return swept.p_x, swept.p_u

    @override
    def pull_state(self, p_dx: Array) -> tuple[Array, Array]:
        rows = sum(p.place.stop - p.place.start for p in self.plan.shown)
        swept = self.costates(p_dx, np.zeros((rows, p_dx.shape[-1])))
        return swept.p_x, swept.p_u

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        swept, k = self.costates(p_dx, p_y), p_y.shape[-1]
        total = np.zeros((self.sizes[2], k))
        for leaf, d, q_dx, q_y in zip(
            self.plan.leaves, self.leaves, swept.leaf_dx, swept.leaf_y, strict=True
        ):
            if leaf.module.signature.parameters.size:
                part = d.pull_parameters(q_dx, q_y)
                total = _widened(total, part)
                total[..., leaf.theta, :] += part
        return total


def leaf_differentials(
    plan: Plan, values: Values, x: Array, theta: Array
) -> tuple[Differential, ...]:
    """Every leaf's differential at the values of a forward sweep."""
    nothing, is_one = x[..., :0], theta.ndim == 1
    return tuple([
        leaf.module.differential(
            nothing if leaf.is_static else x[..., leaf.state],
            ui,
            theta[leaf.theta] if is_one else theta[..., leaf.theta],
        )
        for leaf, ui in zip(plan.leaves, values.leaf_inputs, strict=True)
    ])  # fmt: skip


def rows_of(parts: Sequence[Array], k: int) -> Array:
    """Stack along the coordinate axis; parts without a batch are repeated over that of others."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.zeros((0, k))
    batch = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
    return np.concatenate([np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in parts], axis=-2)


def _widened(total: Array, part: Array) -> Array:
    """``total`` with the batch axes of both, writable."""
    batch = np.broadcast_shapes(total.shape[:-2], part.shape[:-2])
    return (
        total
        if batch == total.shape[:-2]
        else np.array(np.broadcast_to(total, (*batch, *total.shape[-2:])))
    )


def _only(cotangent: Array, places: Sequence[slice]) -> Array:
    """The cotangent of some output coordinates, the others zero."""
    part = np.zeros_like(cotangent)
    for place in places:
        part[..., place, :] = cotangent[..., place, :]
    return part
