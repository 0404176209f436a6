"""A composite in exact terms: its leaves' equations run one after the other on symbols."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression import flatten_result
from riemannian_modules.arithmetic.symbolic_array import SymbolicArray
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Plan
from riemannian_modules.modules.module import equations_of


def trace_leaves(
    plan: Plan, x: SymbolicArray, u: SymbolicArray, p: SymbolicArray
) -> tuple[Any, Any]:
    """``(dx, y)`` of the composite as flat symbolic arrays.

    A leaf that runs before all of its inputs are known gets placeholders for the others; the
    outputs kept then do not contain them, and the domain conditions that do are met again when the
    leaf runs whole.
    """
    tracer = x.tracer
    ys: list[Any] = [None] * len(plan.leaves)
    dx: dict[int, Any] = {}
    for step in plan.steps:
        leaf = plan.leaves[step.leaf]
        before = len(tracer.guards)
        d, y, unknown = _run(leaf, ys, x, u, p)
        if unknown:
            kept = [g for g in tracer.guards[before:] if not g.expression.free_symbols & unknown]
            tracer.guards[before:] = kept
        else:
            dx[step.leaf] = d
        if step.places is None:
            ys[step.leaf] = y
            continue
        if ys[step.leaf] is None:
            ys[step.leaf] = np.full(leaf.outputs, None, dtype=object)
        for place in step.places:
            ys[step.leaf][place] = y[place]
    parts = [np.empty(0, dtype=object)]
    for i, leaf in enumerate(plan.leaves):
        if not leaf.is_static:
            parts.append(dx[i] if i in dx else _run(leaf, ys, x, u, p)[0])
    shown = [np.empty(0, dtype=object), *(ys[piece.leaf][piece.place] for piece in plan.shown)]
    return SymbolicArray(np.concatenate(parts), tracer), SymbolicArray(
        np.concatenate(shown), tracer
    )


def _run(
    leaf: Leaf, ys: list[Any], x: SymbolicArray, u: SymbolicArray, p: SymbolicArray
) -> tuple[Any, Any, set[Any]]:
    """One leaf's derivative and outputs, with the placeholders for inputs that are not known."""
    s, tracer = leaf.module.signature, Tracer(leaf.name, x.tracer.guards)
    inputs = np.array([sp.Dummy("unknown", real=True) for _ in range(leaf.inputs)], dtype=object)
    placeholders = inputs.copy()
    for piece in leaf.pieces:
        source = u.entries if piece.leaf == EXTERNAL else ys[piece.leaf]
        if source is not None:
            known = source[piece.place]
            inputs[piece.target] = [
                v if v is not None else w for v, w in zip(known, inputs[piece.target], strict=True)
            ]
    state = SymbolicArray(x.entries[leaf.state], tracer)
    result = equations_of(
        leaf.module,
        s.state.signals(state),
        s.inputs.signals(SymbolicArray(inputs, tracer)),
        s.parameters.signals(SymbolicArray(p.entries[leaf.theta], tracer)),
    )
    x.tracer.count(tracer.operations)
    d, y = result if isinstance(result, tuple) and len(result) == 2 else (result, state)
    unknown = {w for w, v in zip(placeholders, inputs, strict=True) if v is w}
    return (
        np.array(
            flatten_result(d, s.state, f"{leaf.name}: the state's derivative or successor", tracer),
            dtype=object,
        ),
        np.array(flatten_result(y, s.outputs, f"{leaf.name}: the outputs", tracer), dtype=object),
        unknown,
    )
