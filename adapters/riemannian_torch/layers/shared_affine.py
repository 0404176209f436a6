"""One affine map of every patch of an array: convolutions, and dense layers over many positions.

Source: Chellapilla, Puri and Simard (2006), High performance convolutional neural networks for
document processing (convolution as a product with patches); Grosse and Martens (2016),
arXiv:1602.01407, for the parameters' Jacobian.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from scipy.sparse import csr_array
from typing_extensions import override

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.interval_matrix import matvec
from riemannian_modules.arrays import Places
from riemannian_modules.modules.structured_map import StaticDifferential, StructuredMap
from riemannian_modules.modules.weights import refuse_large_matrix
from riemannian_modules.spaces import Array, Signals, one_port


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Patches:
    """Where a map reads and writes: G groups of S patches of K entries, O outputs each.

    Attributes:
        read: Flat places of the inputs, (G, S, K), no place twice in a patch; ``size`` stands for
            an entry outside, which is zero.
        written: Flat places of the outputs, (G, S, O), each once.
        size: Number of inputs.
    """

    read: Places
    written: Places
    size: int

    def taken(self, u: Array) -> Array:
        """The patches (..., G, S, K) of vectors (..., size)."""
        outside = np.zeros((*u.shape[:-1], 1))
        return np.concatenate([u, outside], axis=-1)[..., self.read]

    def given_back(self, patches: Array) -> Array:
        """The adjoint of `taken`: entries added where they were read, (..., size)."""
        batch = patches.shape[:-3]
        flat = patches.reshape(-1, self.read.size)
        places, ones = self.read.ravel(), np.ones(self.read.size)
        shape = (self.read.size, self.size + 1)
        reader = csr_array((ones, places, np.arange(self.read.size + 1)), shape=shape)
        return (reader.T @ flat.T)[: self.size].T.reshape(*batch, self.size)

    def put(self, results: Array) -> Array:
        """Results (..., G, S, O) at their places, (..., outputs)."""
        y = np.empty((*results.shape[:-3], self.written.size))
        y[..., self.written] = results
        return y

    def seen(self, y: Array) -> Array:
        """The adjoint of `put`: (..., G, S, O)."""
        return y[..., self.written]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SharedAffineDifferential(StaticDifferential):
    """The differential of ``W u[patch] + b``; weights (..., G, O, K), inputs (..., m)."""

    weights: Array
    inputs: Array
    patches: Patches
    has_bias: bool

    @property
    @override
    def input_size(self) -> int:
        return self.patches.size

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        taken = self.patches.taken(_first(t_u, self.weights.shape[:-3]))
        return np.moveaxis(self.patches.put(taken @ self.weights.swapaxes(-1, -2)), 0, -1)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        seen = self.patches.seen(_first(p_y, self.weights.shape[:-3]))
        pulled = self.patches.given_back(seen @ self.weights)
        return p_y[..., :0, :], np.moveaxis(pulled, 0, -1)

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        seen = self.patches.seen(_first(p_y, self.inputs.shape[:-1]))  # (k, ..., G, S, O)
        W = seen.swapaxes(-1, -2) @ self.patches.taken(self.inputs)  # (k, ..., G, O, K)
        return np.moveaxis(self._joined(W, seen.sum(axis=-2), W.shape[:-3]), 0, -1)

    @override
    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        first = _first(p_y, self.inputs.shape[:-1])
        seen = self.patches.seen(first.reshape(len(first), -1, first.shape[-1]))
        taken = self.patches.taken(
            np.broadcast_to(self.inputs, (*first.shape[1:-1], self.patches.size))
        )
        G, _, K = self.patches.read.shape
        rows = np.moveaxis(taken.reshape(-1, *taken.shape[-3:]), 0, 1).reshape(G, -1, K)
        sent = np.moveaxis(seen, 1, 2).reshape(len(seen), G, -1, seen.shape[-1])
        W = sent.swapaxes(-1, -2) @ rows  # (k, G, O, K), summed over points and patches
        return self._joined(W, sent.sum(axis=-2), (len(seen),)).T

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        shape = self.weights.shape[-3:]
        entries = shape[0] * shape[1] * shape[2]
        tangents = t.T[:, :entries].reshape(-1, *shape)  # (k, G, O, K)
        taken = self.patches.taken(self.inputs)[..., None, :, :, :]
        pushed = taken @ tangents.swapaxes(-1, -2)  # (..., k, G, S, O)
        if self.has_bias:
            pushed = pushed + t.T[:, entries:].reshape(-1, shape[0], 1, shape[1])
        t_y = self.patches.put(pushed).swapaxes(-1, -2)
        return t_y[..., :0, :], t_y

    def _joined(self, W: Array, b: Array, batch: tuple[int, ...]) -> Array:
        parts = [W.reshape(*batch, -1)]
        if self.has_bias:
            parts.append(b.reshape(*batch, -1))
        return np.concatenate(parts, axis=-1)


def dense_cells(patches: Patches, outputs: int) -> tuple[Places, Places, Places]:
    """Rows and columns of the dense matrix's entries, and which of W (G, O, K) each is, flat."""
    G, S, K = patches.read.shape
    shape = (G, S, outputs, K)
    rows = np.broadcast_to(patches.written[..., None], shape)
    columns = np.broadcast_to(patches.read[:, :, None, :], shape)
    entries = np.broadcast_to(np.arange(G * outputs * K).reshape(G, 1, outputs, K), shape)
    inside = columns < patches.size
    return rows[inside], columns[inside], entries[inside]


def _first(columns: Array, batch: tuple[int, ...]) -> Array:
    """Columns (..., n, k) at the points of a batch as rows, (k, ..., n)."""
    batch = np.broadcast_shapes(columns.shape[:-2], batch)
    return np.moveaxis(np.broadcast_to(columns, (*batch, *columns.shape[-2:])), -1, 0)


@final
class SharedAffine(StructuredMap):
    """``y[written] = W u[read] + b`` for every patch, with one W and one b for all of a group.

    Args:
        weights: W, (G, O, K) or another shape of the same entries in order.
        bias: b, (G, O), or of another shape; None for none.
        patches: Where it reads and writes.

    Values cost one product with the patches; enclosures form the dense matrix.
    """

    def __init__(self, weights: Array, bias: Array | None, patches: Patches) -> None:
        self.parameters = {"W": weights} if bias is None else {"W": weights, "b": bias}
        self.inputs, self.outputs = one_port("u", patches.size), one_port("y", patches.written.size)
        self.patches = patches
        G, _, K = patches.read.shape
        self._shape = (G, patches.written.shape[-1], K)

    def _split(self, theta: Any) -> tuple[Any, Any]:
        """W (..., G, O, K), and b (..., G, 1, O) or zero."""
        G, O, K = self._shape
        batch, entries = theta.shape[:-1], G * O * K
        W = theta[..., :entries].reshape(*batch, G, O, K)
        if len(self.parameters) == 1:
            return W, 0.0
        return W, theta[..., entries:].reshape(*batch, G, 1, O)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        W, b = self._split(theta)
        return self.patches.put(self.patches.taken(u) @ W.swapaxes(-1, -2) + b)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> SharedAffineDifferential:
        has_bias = len(self.parameters) == 2
        return SharedAffineDifferential(self._split(theta)[0], u, self.patches, has_bias)

    @cached_property
    def _cells(self) -> tuple[Places, Places, Places]:
        return dense_cells(self.patches, self._shape[1])

    def _placed(self, entries: Array) -> Array:
        """The dense matrix (..., q, m) with entries (..., G O K)."""
        rows, columns, places = self._cells
        shape = (self.outputs.size, self.inputs.size)
        matrix = np.zeros((*entries.shape[:-1], *shape))
        matrix[..., rows, columns] = entries[..., places]
        return matrix

    @override
    def input_matrix(self, theta: Array) -> Array:
        return self._placed(theta[: int(np.prod(self._shape))])

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        size = int(np.prod(self._shape))
        matrix = Interval(*(self._placed(end[..., :size]) for end in theta.bounds))
        y = matvec(matrix, u)
        if len(self.parameters) == 1:
            return y, matrix
        G, O, _ = self._shape
        written = self.patches.written
        bias = np.empty(written.size, dtype=np.intp)
        bias[written] = np.arange(G * O).reshape(G, 1, O)
        return y + theta[..., size + bias], matrix

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        G, S, K = self.patches.read.shape
        O = self._shape[1]
        refuse_large_matrix("SharedAffine: its patches times W", (G * S, O * K))
        W, b = self._split(p.vector)
        results = np.empty(self.patches.written.size, dtype=object)
        for g in range(G):
            for s in range(S):
                read = self.patches.read[g, s]
                inside = np.flatnonzero(read < self.patches.size)
                value = W[g][:, inside] @ u.vector[read[inside]]
                value = value if isinstance(b, float) else value + b[g, 0]
                for o, place in enumerate(self.patches.written[g, s].tolist()):
                    results[place] = value[o]
        return {}, np.stack(list(results))
