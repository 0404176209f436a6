"""The assembly of a graph's operations: like leaves of one level of the schedule go together.

Outputs get their places, leaves are told apart by their expressions, and what is alike is gathered.

Source: levels of a task graph, Coffman and Graham (1972), Acta Informatica 1, 200-213.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.graph.batched import (
    Batched,
    BlockOperation,
    LeafOperation,
    Operation,
    Places,
    ValueLayout,
)
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Piece, Plan, Step
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.traced import TracedModule
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions

# Arguments up to which a module that keeps its matrices is traced all the same.
LARGEST_TRACED_LEAF = 64


def plan_of(module: RiemannianModule) -> Plan:
    """The plan of a composite, or of one module as a composite of itself."""
    own: Plan | None = getattr(module, "plan", None)
    if own is not None:
        return own
    s = module.signature
    pieces = tuple(Piece(EXTERNAL, place, place) for place in s.inputs.slices)
    leaf = Leaf(
        "", module, slice(0, s.state.size), slice(0, s.parameters.size), pieces, EXTERNAL,
        not s.state.size, s.inputs.size, s.outputs.size,
    )  # fmt: skip
    shown = (Piece(0, slice(0, s.outputs.size), slice(0, 0)),)
    return Plan((leaf,), (Step(0, None, pieces, has_all_inputs=True, is_whole=True),), shown)


def assembled(module: RiemannianModule) -> Batched:
    """The operations of a module in continuous or discrete time, a composite or not.

    Cost: one tracing for each class of leaves, some microseconds for each leaf.
    """
    s = module.signature
    sizes = (s.state.size, s.inputs.size, s.parameters.size)
    return _Assembly(plan_of(module), sizes).run()


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """What like leaves share: their expressions, or the one module that keeps its evaluation."""

    expressions: Expressions | None
    module: RiemannianModule


Member = tuple[Leaf, Places, Places]  # a leaf, where its arguments stand, what it writes


class _Assembly:
    """One assembly: places are given to outputs, leaves of a kind and level are gathered."""

    def __init__(self, plan: Plan, sizes: tuple[int, int, int]) -> None:
        self.plan, self.sizes = plan, sizes
        self.kinds: dict[Any, _Kind] = {}
        self.kind_of = [self._kind(leaf.module) for leaf in plan.leaves]
        ends = np.cumsum([sum(sizes), *(leaf.outputs for leaf in plan.leaves)]).tolist()
        self.first_output, self.count = ends[:-1], ends[-1]
        self.constants: list[Array] = []
        self.outputs_at = [np.full(leaf.outputs, -1, dtype=np.intp) for leaf in plan.leaves]

    def _kind(self, module: RiemannianModule) -> _Kind:
        s = module.signature
        few = s.state.size + s.inputs.size + s.parameters.size <= LARGEST_TRACED_LEAF
        if few or isinstance(module, TracedModule):
            try:
                e = module.expressions
                return self.kinds.setdefault(e, _Kind(e, module))
            except (TraceError, UnsupportedError):
                pass
        return self.kinds.setdefault(id(module), _Kind(None, module))

    def run(self) -> Batched:
        outputs, rates = self._outputs(), self._rates()
        shown = [self.outputs_at[piece.leaf][piece.place] for piece in self.plan.shown]
        constants = np.concatenate([np.zeros(0), *self.constants])
        layout = ValueLayout(*self.sizes, self.count)
        return Batched(layout, constants, outputs, rates, _one_after_the_other(shown))

    def _outputs(self) -> tuple[Operation, ...]:
        """Level by level, for each kind all leaves that compute the same of their outputs."""
        levels = [-1] * len(self.plan.leaves)
        waiting: dict[tuple[int, int, tuple[int, ...]], tuple[_Kind, list[Member]]] = {}
        for step in self.plan.steps:
            leaf, kind = self.plan.leaves[step.leaf], self.kind_of[step.leaf]
            sources = [levels[piece.leaf] for piece in step.pieces if piece.leaf != EXTERNAL]
            level = 1 + max(sources, default=-1)
            levels[step.leaf] = max(levels[step.leaf], level)
            arguments = self._arguments(leaf)
            rows = self._computed_rows(step, kind, arguments)
            if len(rows):
                key = (level, id(kind), tuple(rows.tolist()))
                member = leaf, arguments, self.outputs_at[step.leaf][rows]
                waiting.setdefault(key, (kind, []))[1].append(member)
        found: list[Operation] = []
        for (_, _, rows), (kind, members) in sorted(waiting.items(), key=lambda item: item[0][0]):
            found += self._operations(kind, np.array(rows), members, is_rate=False)
        return tuple(found)

    def _rates(self) -> tuple[Operation, ...]:
        waiting: dict[int, tuple[_Kind, list[Member]]] = {}
        for leaf, kind in zip(self.plan.leaves, self.kind_of, strict=True):
            if not leaf.is_static:
                member = leaf, self._arguments(leaf), _span(leaf.state)
                waiting.setdefault(id(kind), (kind, []))[1].append(member)
        found: list[Operation] = []
        for kind, members in waiting.values():
            found += self._operations(kind, np.arange(len(members[0][2])), members, is_rate=True)
        return tuple(found)

    def _arguments(self, leaf: Leaf) -> Places:
        """Where a leaf's state, inputs and parameters stand; -1 for what is not computed yet."""
        n, m, _ = self.sizes
        inputs = [
            n + _span(piece.place) if piece.leaf == EXTERNAL
            else self.outputs_at[piece.leaf][piece.place]
            for piece in leaf.pieces
        ]  # fmt: skip
        theta = _span(leaf.theta) if isinstance(leaf.theta, slice) else leaf.theta
        return _one_after_the_other([_span(leaf.state), *inputs, n + m + theta])

    def _computed_rows(self, step: Step, kind: _Kind, arguments: Places) -> Places:
        """The outputs that a step computes; those that are an argument as it stands need nothing.

        Each gets its place.
        """
        at, first = self.outputs_at[step.leaf], self.first_output[step.leaf]
        wanted = range(len(at)) if step.places is None else np.r_[step.places].tolist()
        e, computed = kind.expressions, list[int]()
        symbols: tuple[Any, ...] = () if e is None else sum(e.arguments, ())
        known: dict[Any, int] = dict(zip(symbols, arguments.tolist(), strict=e is not None))
        for row in wanted:
            found = -1 if e is None else known.get(e.y[row], -1)
            at[row] = found if found >= 0 else first + row
            if found < 0:
                computed.append(row)
        return np.array(computed, dtype=np.intp)

    def _operations(
        self, kind: _Kind, rows: Places, members: list[Member], *, is_rate: bool
    ) -> list[Operation]:
        e = kind.expressions
        if e is None:
            return [
                LeafOperation(target, leaf.module, rows, is_rate, _split(leaf, arguments))
                for leaf, arguments, target in members
            ]
        from riemannian_modules.arithmetic.rolled import roll

        whole = e.dx if is_rate else e.y
        rolled = roll(tuple(whole[row] for row in rows.tolist()), sum(e.arguments, ()))
        own = self.count + np.arange(len(rolled.constants), dtype=np.intp)
        self.count += len(own)
        self.constants.append(rolled.constants)
        table = np.array([np.concatenate([arguments, own]) for _, arguments, _ in members])
        targets = np.array([target for _, _, target in members])
        return [
            BlockOperation(
                targets[:, block.rows].ravel(), block,
                np.array([table[:, places].ravel() for places in block.places], dtype=np.intp)
                .reshape(len(block.places), len(members) * len(block.rows)),
            )
            for block in rolled.blocks
        ]  # fmt: skip


def _span(place: slice) -> Places:
    return np.arange(place.start, place.stop, dtype=np.intp)


def _one_after_the_other(parts: Sequence[Places]) -> Places:
    return np.concatenate([np.empty(0, dtype=np.intp), *parts])


def _split(leaf: Leaf, arguments: Places) -> tuple[Places, Places, Places]:
    n = leaf.state.stop - leaf.state.start
    return arguments[:n], arguments[n : n + leaf.inputs], arguments[n + leaf.inputs :]
