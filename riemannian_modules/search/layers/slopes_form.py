"""Reading a module, or a composite of any wiring, as linear maps and slope-restricted functions.

Each leaf is linear in its state, its inputs and its own neurons. Outputs are followed through the
wiring as linear combinations of the composite's state (or a static map's inputs) and of all
neurons; dense layers stay matrices. Inputs of a composite with a state are the same for both
trajectories, so they cancel.

Source: Fazlyab et al. (2019), arXiv:1906.04893, section 3; block diagrams as linear algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.slopes_matrix import (
    Matrix,
    fractions,
    product,
    tidy,
    total,
    zeros,
)
from riemannian_modules.claims.slopes_system import Slope, SlopesForm
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.graph import ModuleGraph, chain
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Piece, Plan
from riemannian_modules.modules import (
    ELU,
    GELU,
    LeakyReLU,
    ReLU,
    Saturation,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from riemannian_modules.modules.activation import Activation
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.state_space import StateSpaceSystem
from riemannian_modules.modules.structured_map import StructuredMap
from riemannian_modules.region import Box
from riemannian_modules.search.layers.slopes_terms import NotSlopes, Reader
from riemannian_modules.spaces import Array

MOST_COORDINATES = 3_000  # of state or inputs, and of neurons: their matrices are dense

_NAMES: dict[type[RiemannianModule], str] = {
    ReLU: "relu", Tanh: "tanh", Sigmoid: "sigmoid", Softplus: "softplus", GELU: "gelu",
    SiLU: "silu", Saturation: "saturation",
}  # fmt: skip

_Signal = dict[
    int, Matrix
]  # a matrix for each source: EXTERNAL, or the leaf whose neurons they are


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Local:
    """A leaf: rows of dx, y and v, each linear in its (state, inputs, neurons)."""

    dx: tuple[Matrix, Matrix, Matrix]
    y: tuple[Matrix, Matrix, Matrix]
    v: tuple[Matrix, Matrix, Matrix]
    slopes: tuple[Slope, ...]


def slopes_problem(module: RiemannianModule, region: Box | None = None) -> SlopesForm | None:
    """The module as linear maps and functions of bounded slope; None if it is not of that form.

    Parameters are fixed at the module's values; a region that makes some uncertain gives None.
    Cost: a few products of its matrices; modules that are equations are traced.

    Raises:
        RegionError: If the region names unknown coordinates.
    """
    s = module.signature
    base = s.inputs if s.time is Time.STATIC else s.state
    region = region if region is not None else Box()
    state, inputs, _ = s.distinct
    names = (*state.coordinates, *inputs.coordinates)
    lower, upper = region.bounds(names, s.distinct)
    # Sides have been looked up: those of no state or input are of parameters.
    uncertain = set(region.sides) - {*state.names, *inputs.names, *names}
    if uncertain or not 0 < base.size <= MOST_COORDINATES:
        return None
    graph = module if isinstance(module, ModuleGraph) else chain(module)
    theta = module.theta
    try:
        leaves = [_local(leaf.module, theta[leaf.theta]) for leaf in graph.plan.leaves]
        if sum(len(leaf.slopes) for leaf in leaves) > MOST_COORDINATES:
            return None
        return _assembled(graph.plan, leaves, s.time, base.size, (names, lower, upper))
    except (NotSlopes, UnsupportedError, TraceError, RecursionError):
        return None


def _local(module: RiemannianModule, theta: Array) -> _Local:
    m = module.signature.inputs.size
    if isinstance(module, Activation):
        one, no = np.eye(m), zeros(m, m)
        empty = zeros(0, 0), zeros(0, m), zeros(0, m)
        left = zeros(m, 0)
        return _Local(empty, (left, no, one), (left, one, no), (_slope_of(module),) * m)
    if isinstance(module, StateSpaceSystem):
        S = module.matrices(theta)
        none = zeros(0, S.A.shape[1]), zeros(0, m), zeros(0, 0)
        return _Local(
            (S.A, S.B, zeros(len(S.A), 0)), (S.C, S.D, zeros(len(S.C), 0)), none, ()
        )  # fmt: skip
    matrix = module.input_matrix(theta) if isinstance(module, StructuredMap) else None
    if matrix is not None:
        q = len(matrix)
        return _Local(
            (zeros(0, 0), zeros(0, m), zeros(0, 0)), (zeros(q, 0), matrix, zeros(q, 0)),
            (zeros(0, 0), zeros(0, m), zeros(0, 0)), (),
        )  # fmt: skip
    return _traced(module, theta)


def _slope_of(module: Activation) -> Slope:
    if isinstance(module, LeakyReLU):
        return (module.leak, 1.0)
    if isinstance(module, ELU):
        return (0.0, max(module.alpha, 1.0))
    name = _NAMES.get(type(module))
    if name is None:
        raise NotSlopes(type(module).__name__)
    return name


def _traced(module: RiemannianModule, theta: Array) -> _Local:
    expressions = module.expressions_at(theta)
    free = np.full(sum(map(len, expressions.arguments)), np.inf)
    if not Problem(module.signature.time, expressions, -free, free).is_defined:
        # Slopes speak of maps that are defined everywhere; 1 / u is not.
        raise NotSlopes(type(module).__name__)
    reader = Reader()
    dx = [reader.affine(e) for e in expressions.dx]
    y = [reader.affine(e) for e in expressions.y]
    keys = expressions.state, expressions.inputs, tuple(range(len(reader.slopes)))
    parts = [
        tuple(reader.matrix(rows, columns) for columns in keys)
        for rows in (dx, y, reader.arguments)
    ]
    triples: list[Any] = parts
    return _Local(triples[0], triples[1], triples[2], tuple(reader.slopes))


def _assembled(
    plan: Plan, leaves: Sequence[_Local], time: Time, size: int, region: Any
) -> SlopesForm:
    ys = _outputs(plan, leaves, time, size)
    inputs = [_gathered(leaf.inputs, leaf.pieces, ys) for leaf in plan.leaves]
    v = [
        _combined(local.v, i, leaf, inputs[i], size)
        for i, (leaf, local) in enumerate(zip(plan.leaves, leaves, strict=True))
    ]
    if time is Time.STATIC:
        out = [(_rows(ys[p.leaf], p.place), p.place.stop - p.place.start) for p in plan.shown]
    else:
        out = [
            (_combined(local.dx, i, leaf, inputs[i], size), leaf.state.stop - leaf.state.start)
            for i, (leaf, local) in enumerate(zip(plan.leaves, leaves, strict=True))
        ]
    counts = [len(local.slopes) for local in leaves]
    A, B = _stacked(out, counts, size)
    C, D = _stacked(list(zip(v, counts, strict=True)), counts, size)
    slopes = tuple(slope for local in leaves for slope in local.slopes)
    return _without_idle(SlopesForm(time, A, B, C, D, slopes, *region))


def _outputs(plan: Plan, leaves: Sequence[_Local], time: Time, size: int) -> dict[int, _Signal]:
    """The outputs of every leaf, and of the outside, as combinations of the sources."""
    ys: dict[int, _Signal] = {i: {} for i in range(len(leaves))}
    ys[EXTERNAL] = {EXTERNAL: np.eye(size)} if time is Time.STATIC else {}
    for step in plan.steps:
        leaf, local = plan.leaves[step.leaf], leaves[step.leaf]
        known = _gathered(leaf.inputs, step.pieces, ys)
        for place in step.places if step.places is not None else (slice(0, leaf.outputs),):
            rows = (local.y[0][place], local.y[1][place], local.y[2][place])
            for source, matrix in _combined(rows, step.leaf, leaf, known, size).items():
                whole = ys[step.leaf].setdefault(source, zeros(leaf.outputs, matrix.shape[1]))
                ys[step.leaf][source] = _placed(whole, place, matrix)
    return ys


def _gathered(size: int, pieces: Sequence[Piece], ys: dict[int, _Signal]) -> _Signal:
    """A leaf's inputs, put together of pieces; those that are not known yet are left at zero."""
    out: _Signal = {}
    for p in pieces:
        for source, matrix in _rows(ys[p.leaf], p.place).items():
            whole = out.setdefault(source, zeros(size, matrix.shape[1]))
            out[source] = _placed(whole, p.target, matrix)
    return out


def _rows(signal: _Signal, place: slice) -> _Signal:
    return {source: matrix[place] for source, matrix in signal.items()}


def _placed(whole: Matrix, place: slice, part: Matrix) -> Matrix:
    if part.dtype != whole.dtype:  # entries of two kinds in one array would be added in doubles
        whole, part = fractions(whole), fractions(part)
    out = whole.copy()
    out[place] = part
    return out


def _combined(
    rows: tuple[Matrix, Matrix, Matrix], i: int, leaf: Leaf, inputs: _Signal, size: int
) -> _Signal:
    """Rows that are linear in a leaf's state, inputs and neurons, in terms of the sources."""
    of_state, of_inputs, of_neurons = rows
    out: _Signal = {source: product(of_inputs, matrix) for source, matrix in inputs.items()}
    if of_state.shape[1]:
        own = product(of_state, np.eye(size)[leaf.state])
        out[EXTERNAL] = total(out[EXTERNAL], own) if EXTERNAL in out else own
    if of_neurons.shape[1]:
        out[i] = total(out[i], of_neurons) if i in out else of_neurons
    return out


def _stacked(
    parts: Sequence[tuple[_Signal, int]], counts: Sequence[int], size: int
) -> tuple[Matrix, Matrix]:
    """Signals of given heights below each other: on the state or inputs, and on all neurons."""
    ends = [int(end) for end in np.cumsum([0, *counts])]
    base, neurons = (zeros(sum(height for _, height in parts), k) for k in (size, ends[-1]))
    if any(matrix.dtype == object for signal, _ in parts for matrix in signal.values()):
        base, neurons = fractions(base), fractions(neurons)
    at = 0
    for signal, height in parts:
        rows = slice(at, at + height)
        for source, matrix in signal.items():
            entries = matrix if base.dtype == np.float64 else fractions(matrix)
            if source == EXTERNAL:
                base[rows] = entries
            else:
                neurons[rows, ends[source] : ends[source + 1]] = entries
        at += height
    return tidy(base), tidy(neurons)


def _without_idle(form: SlopesForm) -> SlopesForm:
    """The form without neurons that nothing reaches, or that reach nothing: they do not move out.

    Where a row of ``[C D]`` is zero, ``dv = 0`` and hence ``dw = 0``.
    """
    keep = np.ones(len(form.slopes), dtype=bool)
    B, C, D = form.B != 0, form.C != 0, form.D != 0
    while True:
        D_kept = D & keep[:, None] & keep[None, :]
        reached = C.any(axis=1) | D_kept.any(axis=1)
        reaching = B.any(axis=0) | D_kept.any(axis=0)
        fewer = keep & reached & reaching
        if np.array_equal(fewer, keep):
            break
        keep = fewer
    return SlopesForm(
        form.time, form.A, form.B[:, keep], form.C[keep], form.D[np.ix_(keep, keep)],
        tuple(s for s, k in zip(form.slopes, keep.tolist(), strict=True) if k),
        form.names, form.lower, form.upper,
    )  # fmt: skip
