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

from riemannian_modules.arrays import Places
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.rolled import RolledTerms

LARGEST_TRACED_LEAF = (
    64  # arguments up to which a module that keeps matrices is traced all the same
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class ValueLayout:
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

    @cached_property
    def written(self) -> slice | Places | int:
        """The target, as a slice where it is one."""
        return _compact(self.target)

    @abc.abstractmethod
    def value(self, values: Array) -> Any:
        """What stands at the target, broadcast against (R, ...), from all values (V, ...)."""

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
    block: RolledTerms
    places: Places

    @cached_property
    def _read(self) -> tuple[slice | Places | int, ...]:
        return tuple(_compact(row) for row in self.places)

    def _arguments(self, values: Array) -> list[Any]:
        return [values[place] for place in self._read]

    @override
    def value(self, values: Array) -> Any:
        return self.block.value(self._arguments(values))

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
@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """A sparse matrix of one structure everywhere, put together from entries of operations.

    Attributes:
        moves: Which of the operations' entries it has, (N,).
        place: To which of the matrix's entries each is added, (N,).
        indices: The rows of the matrix's entries, in columns, (E,).
        indptr: Where each column begins, (columns + 1,).
        shape: Rows and columns.
    """

    moves: Places
    place: Places
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]
    shape: tuple[int, int]

    @classmethod
    def of(cls, entries: tuple[Places, Places, Places], shape: tuple[int, int]) -> _Matrix:
        """A matrix from the rows, columns and places of entries; those at one place are added."""
        rows, columns, moves = entries
        inside = columns < shape[1]
        keys, place = np.unique(columns[inside] * shape[0] + rows[inside], return_inverse=True)
        starts = np.searchsorted(keys, np.arange(shape[1] + 1) * shape[0])
        indices = (keys % max(shape[0], 1)).astype(np.int32)
        return cls(moves[inside], place, indices, starts.astype(np.int32), shape)

    def value(self, operations: Sequence[Operation], values: Array) -> Any:
        """Its value where all values (V,) are, in columns."""
        from scipy.sparse import csc_array

        slopes = np.concatenate([np.zeros(0), *(o.slopes(values) for o in operations)])
        entries = np.bincount(self.place, slopes[self.moves], len(self.indices))
        # Copies, for whoever gets the matrix may change it.
        return csc_array((entries, self.indices.copy(), self.indptr.copy()), self.shape)


@final
@dataclass(frozen=True, eq=False)
class Batched:
    """A composite as operations in order; build with `assembled`.

    Attributes:
        layout: Where things stand in the array of all values.
        constants: The values of its last places.
        outputs: Operations that write outputs of leaves into the values, level by level.
        rates: Operations that write the state's derivative, or successor.
        shown: Where the composite's outputs stand among the values.
    """

    layout: ValueLayout
    constants: Array
    outputs: tuple[Operation, ...]
    rates: tuple[Operation, ...]
    shown: Places

    def values(self, x: Array, u: Array, theta: Array) -> Array:
        """All values at points whose coordinates come first: x (n, ...), u (m, ...), theta."""
        if x.ndim == u.ndim == theta.ndim == 1:  # a solver's call, thousands of times
            outputs = np.empty(self.layout.values - self.layout.fixed.stop - len(self.constants))
            return self._completed(np.concatenate([x, u, theta, outputs, self.constants]))
        layout, n, m = self.layout, self.layout.state, self.layout.inputs
        batch = np.broadcast_shapes(x.shape[1:], u.shape[1:], theta.shape[1:])
        values = np.empty((layout.values, *batch))
        for place, part in ((slice(0, n), x), (slice(n, n + m), u), (layout.fixed, theta)):
            missing = len(batch) + 1 - part.ndim  # of batch axes, which broadcast from the last
            values[place] = part.reshape(len(part), *[1] * missing, *part.shape[1:])
        first = layout.values - len(self.constants)
        values[first:] = self.constants.reshape(-1, *[1] * len(batch))
        return self._completed(values)

    def _completed(self, values: Array) -> Array:
        """The values with the outputs of leaves written."""
        for operation in self.outputs:
            values[operation.written] = operation.value(values)
        return values

    def derivative(self, x: Array, u: Array, theta: Array) -> Array:
        """The state's derivative, or successor, (n, ...), at points as in `values`."""
        values = self.values(x, u, theta)
        result = np.empty((self.layout.state, *values.shape[1:]))
        for operation in self.rates:
            result[operation.written] = operation.value(values)
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

    @cached_property
    def _matrices(self) -> tuple[_Matrix, _Matrix]:
        """How the entries of both derivatives are put together."""
        n, q = self.layout.state, self.layout.values - self.layout.fixed.stop - len(self.constants)
        of_outputs, of_rates = self._entries
        # Where no output depends on the state, neither do the rates through one.
        width = n + q if len(of_outputs[0]) else n
        return _Matrix.of(of_outputs, (q, n + q)), _Matrix.of(of_rates, (n, width))

    def jacobian(self, x: Array, u: Array, theta: Array) -> Any:
        """The derivative by the state at one point, sparse (n, n) in columns."""
        values, n = self.values(x, u, theta), self.layout.state
        of_outputs, of_rates = self._matrices
        A = of_rates.value(self.rates, values)
        if A.shape[1] == n:
            return A
        Y = of_outputs.value(self.outputs, values)
        return (A[:, :n] + A[:, n:] @ self._solved(Y, n)).tocsc()

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
