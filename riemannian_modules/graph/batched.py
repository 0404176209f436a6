"""A graph as few operations on long arrays: leaves that are alike are computed together.

All values stand in one array: state, inputs, parameters, outputs of leaves, constants. An
operation reads and writes many of its places at once, those of all like leaves of one level of the
schedule. Derivatives are sparse: each operation knows which places it reads.

Source: levels of a task graph (Coffman and Graham, 1972, Acta Informatica 1, 200-213); sparse
Jacobians by the chain rule, Griewank and Walther, *Evaluating Derivatives*, 2008, chapter 7.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.graph.plan import EXTERNAL, Leaf, Piece, Plan, Step
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.traced import TracedModule
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions
    from riemannian_modules.arithmetic.rolled import Block

Places = NDArray[np.intp]
LARGEST_TRACED_LEAF = (
    64  # arguments up to which a module that keeps matrices is traced all the same
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where things stand in the array of all values: n, m, p, then outputs and constants."""

    state: int
    inputs: int
    parameters: int
    values: int

    @property
    def fixed(self) -> slice:
        """The parameters."""
        return slice(self.state + self.inputs, self.state + self.inputs + self.parameters)


class Operation(abc.ABC):
    """Some places of a target computed from places of the values.

    Attributes:
        target: The places written, (R,).
    """

    target: Places

    @abc.abstractmethod
    def value(self, values: Array) -> Array:
        """What stands at the target, (R, ...), from all values (V, ...)."""

    @property
    @abc.abstractmethod
    def entries(self) -> tuple[Places, Places]:
        """Rows (in the target's places) and columns (in the values') of the derivative, (N,)."""

    @abc.abstractmethod
    def slopes(self, values: Array) -> Array:
        """The derivative's entries at one point, (N,)."""


@final
@dataclass(frozen=True, eq=False)
class BlockOperation(Operation):
    """A block of expressions of one form, for all leaves that have it: places (K, R)."""

    target: Places
    block: Block
    places: Places

    @cached_property
    def _read(self) -> tuple[slice | Places | int, ...]:
        return tuple(_compact(row) for row in self.places)

    def _arguments(self, values: Array) -> list[Any]:
        return [values[place] for place in self._read]

    @override
    def value(self, values: Array) -> Array:
        shape = (len(self.target), *values.shape[1:])
        return np.broadcast_to(self.block.value(self._arguments(values)), shape)

    @property
    @override
    def entries(self) -> tuple[Places, Places]:
        matter = list(self.block.slopes[0])
        return np.tile(self.target, len(matter)), self.places[matter].ravel()

    @override
    def slopes(self, values: Array) -> Array:
        matter, slopes = self.block.slopes
        flat = np.empty((len(matter), len(self.target)))
        for row, slope in zip(flat, slopes(self._arguments(values)), strict=True):
            row[:] = slope
        return flat.ravel()


@final
@dataclass(frozen=True, eq=False)
class LeafOperation(Operation):
    """One leaf that keeps its own evaluation: its matrices stay matrices."""

    target: Places
    leaf: RiemannianModule
    rows: Places
    is_rate: bool
    places: tuple[Places, Places, Places]

    def _point(self, values: Array) -> list[Array]:
        # An input that is not known yet is zero; outputs that need it are computed later.
        found: list[Array] = []
        for place in self.places:
            part = np.moveaxis(values[place], 0, -1)
            found.append(np.where(place >= 0, part, 0.0) if (place < 0).any() else part)
        return found

    @override
    def value(self, values: Array) -> Array:
        x, u, theta = self._point(values)
        if self.is_rate:
            result = self.leaf.forward(x, u, theta)[0]
        else:
            result = self.leaf.output(x, u, theta)
        return np.moveaxis(result[..., self.rows], -1, 0)

    @property
    def _columns(self) -> Places:
        return np.concatenate(self.places[:2])

    @property
    @override
    def entries(self) -> tuple[Places, Places]:
        columns = self._columns
        known = columns[columns >= 0]
        return np.repeat(self.target, len(known)), np.tile(known, len(self.target))

    @override
    def slopes(self, values: Array) -> Array:
        x, u, theta = self._point(values)
        n, m = len(x), len(u)
        differential = self.leaf.differential(x, u, theta)
        push = differential.push_state if self.is_rate else differential.push_outputs
        matrix = push(np.eye(n, n + m), np.eye(m, n + m, n))[self.rows]
        return matrix[:, self._columns >= 0].ravel()


@final
@dataclass(frozen=True, eq=False)
class Batched:
    """A composite as operations in order; build with `batched`.

    Attributes:
        layout: Where things stand in the array of all values.
        constants: The values of its last places.
        outputs: Operations that write outputs of leaves into the values, level by level.
        rates: Operations that write the state's derivative, or successor.
        shown: Where the composite's outputs stand among the values.
    """

    layout: Layout
    constants: Array
    outputs: tuple[Operation, ...]
    rates: tuple[Operation, ...]
    shown: Places

    def values(self, x: Array, u: Array, theta: Array) -> Array:
        """All values at points whose coordinates come first: x (n, ...), u (m, ...), theta."""
        layout, n, m = self.layout, self.layout.state, self.layout.inputs
        batch = np.broadcast_shapes(x.shape[1:], u.shape[1:], theta.shape[1:])
        values = np.empty((layout.values, *batch))
        for place, part in ((slice(0, n), x), (slice(n, n + m), u), (layout.fixed, theta)):
            missing = len(batch) + 1 - part.ndim  # of batch axes, which broadcast from the last
            values[place] = part.reshape(len(part), *[1] * missing, *part.shape[1:])
        first = layout.values - len(self.constants)
        values[first:] = self.constants.reshape(-1, *[1] * len(batch))
        for operation in self.outputs:
            values[operation.target] = operation.value(values)
        return values

    def derivative(self, x: Array, u: Array, theta: Array) -> Array:
        """The state's derivative, or successor, (n, ...), at points as in `values`."""
        values = self.values(x, u, theta)
        result = np.empty((self.layout.state, *values.shape[1:]))
        for operation in self.rates:
            result[operation.target] = operation.value(values)
        return result

    def output(self, x: Array, u: Array, theta: Array) -> Array:
        """The composite's outputs, (q, ...)."""
        return self.values(x, u, theta)[self.shown]

    @cached_property
    def _entries(self) -> tuple[Any, ...]:
        """Entries of both derivatives by the state and by outputs, as far as they depend on it."""
        n, low, high = self.layout.state, self.layout.fixed.stop, self.layout.values
        high -= len(self.constants)
        found: list[tuple[Places, Places, Places]] = []
        for operations, first in ((self.outputs, low), (self.rates, 0)):
            rows, columns = _joined([o.entries for o in operations])
            moves = np.flatnonzero((columns < n) | ((columns >= low) & (columns < high)))
            columns = columns[moves]
            columns = np.where(columns < n, columns, columns - low + n)
            found.append((rows[moves] - first, columns, moves))
        return tuple(found)

    def jacobian(self, x: Array, u: Array, theta: Array) -> Any:
        """The derivative by the state at one point, sparse (n, n) in columns."""
        from scipy.sparse import coo_array

        n, q = self.layout.state, self.layout.values - self.layout.fixed.stop - len(self.constants)
        values = self.values(x, u, theta)
        matrices: list[Any] = []
        for operations, (rows, columns, moves), size in zip(
            (self.outputs, self.rates), self._entries, (q, n), strict=True
        ):
            slopes = np.concatenate([np.zeros(0), *(o.slopes(values) for o in operations)])
            layout = (slopes[moves], (rows, columns))
            matrices.append(coo_array(layout, shape=(size, n + q)).tocsc())
        Y, A = matrices
        return (
            (A[:, :n] + A[:, n:] @ self._solved(Y, n)).tocsc()
            if len(self._entries[0][0])
            else (A[:, :n].tocsc())
        )

    def _solved(self, Y: Any, n: int) -> Any:
        """The outputs' derivative by the state alone: ``(I - L)^-1 D`` of ``[D, L]``, L nilpotent.

        ``D + L (D + L (...))``, as often as one output feeds the next.
        """
        direct, through = Y[:, :n], Y[:, n:]
        total = direct
        for _ in range(self._depth):
            total = direct + through @ total
        return total

    @cached_property
    def _depth(self) -> int:
        """How often an output feeds the next one."""
        rows, columns, _ = self._entries[0]
        n, depth = self.layout.state, np.zeros(self.layout.values, dtype=np.intp)
        inner = columns >= n
        for row, column in zip(rows[inner].tolist(), (columns[inner] - n).tolist(), strict=True):
            depth[row] = max(depth[row], depth[column] + 1)
        return int(depth.max(initial=0))


def _joined(parts: Sequence[tuple[Places, Places]]) -> tuple[Places, Places]:
    none = np.empty(0, dtype=np.intp)
    rows, columns = zip(*[(none, none), *parts], strict=True)
    return np.concatenate(rows), np.concatenate(columns)


def _compact(places: Places) -> slice | Places | int:
    """Places as a slice where they follow each other evenly: a view is read, nothing is copied."""
    first, steps = int(places[0]), np.diff(places)
    if not steps.any():
        return slice(first, first + 1)
    step = int(steps[0])
    if step > 0 and (steps == step).all():
        return slice(first, int(places[-1]) + 1, step)
    return places


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


def batched(module: RiemannianModule) -> Batched:
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
        layout = Layout(*self.sizes, self.count)
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
