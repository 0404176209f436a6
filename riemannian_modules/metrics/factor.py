"""A tall factor U of a low-rank metric ``U U^T``, known by what it does to vectors.

Source: Pehle and Slotine (2026), arXiv:2603.03610, section on the recursive layerwise metric.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.metrics.array import AnyArray, namespace_of
from riemannian_modules.shown import Facts, Shown

BLOCK = 2_000_000  # entries of U that are held at once where it is gone through by rows


class Factor(abc.ABC, Shown):
    """A matrix U, shape (dim, columns), that need not be stored entry by entry."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The number of rows n."""

    @property
    @abc.abstractmethod
    def columns(self) -> int:
        """The number of columns r."""

    @property
    @abc.abstractmethod
    def prototype(self) -> AnyArray:
        """One of its arrays: tells library, dtype and device."""

    @abc.abstractmethod
    def matvec(self, z: AnyArray) -> AnyArray:
        """``U z``; z has shape (r,) or (r, k), the result (n,) or (n, k)."""

    @abc.abstractmethod
    def rmatvec(self, v: AnyArray) -> AnyArray:
        """``U^T v``; v has shape (n,) or (n, k), the result (r,) or (r, k)."""

    @abc.abstractmethod
    def gram(self) -> AnyArray:
        """``U^T U``, shape (r, r)."""

    @abc.abstractmethod
    def cross_gram(self, other: Factor) -> AnyArray:
        """``U^T V`` for another factor V of as many rows; shape (r, columns of V)."""

    def outer(self) -> AnyArray:
        """``U U^T``, shape (n, n), in O(n^2 r): for the primal solve, where n is at most r."""
        U = self.as_matrix()
        return U @ U.T

    @property
    def gram_cost(self) -> float:
        """About how many multiplications `gram` takes; ``n r^2`` where nothing is known of U."""
        return float(self.dim) * self.columns**2

    @property
    def stored(self) -> int:
        """How many numbers are held; ``n r`` where nothing is known of U."""
        return self.dim * self.columns

    def squares(self) -> AnyArray:
        """The diagonal of ``U U^T``, shape (n,); O(n r) here, a block of rows at a time."""
        xp, height = namespace_of(self.prototype), max(1, BLOCK // max(self.columns, 1))
        blocks = [self.rows(i, min(i + height, self.dim)) for i in range(0, self.dim, height)]
        if not blocks:
            return xp.sum(self.rows(0, 0), axis=1)
        return xp.concat([xp.sum(block * block, axis=1) for block in blocks], axis=0)

    @abc.abstractmethod
    def weighted(self, weights: AnyArray) -> Factor:
        """``diag(weights) U`` for weights (n,): its rows scaled, its structure kept."""

    @abc.abstractmethod
    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``start`` to ``stop`` as a dense matrix, shape (stop - start, r)."""

    @abc.abstractmethod
    def scaled(self, scale: float) -> Factor:
        """``scale U``, in O(1)."""

    @final
    def as_matrix(self) -> AnyArray:
        """U as a dense matrix, shape (n, r): for tests and small examples."""
        return self.rows(0, self.dim)

    @override
    def facts(self) -> Facts:
        return Facts(f"{type(self).__name__}, {self.dim} x {self.columns}", super().facts().rows)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DenseFactor(Factor):
    """``scale entries``; entries has shape (n, r). Gram in O(n r^2), products in O(n r).

    Attributes:
        entries: (n, r).
        scale: One number, by which all entries are multiplied.
    """

    entries: AnyArray
    scale: float = 1.0

    @property
    @override
    def dim(self) -> int:
        return int(self.entries.shape[0])

    @property
    @override
    def columns(self) -> int:
        return int(self.entries.shape[1])

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.entries

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        return self.entries @ (self.scale * z)

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        return self.scale * (self.entries.T @ v)

    @override
    def gram(self) -> AnyArray:
        # One object on both sides, so that NumPy computes one triangle (syrk).
        return self.scale**2 * (self.entries.T @ self.entries)

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        return self.scale * other.rmatvec(self.entries).T

    @override
    def outer(self) -> AnyArray:
        return self.scale**2 * (self.entries @ self.entries.T)

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        return DenseFactor(weights[:, None] * self.entries, self.scale)

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        block = self.entries[start:stop, :]
        return block if self.scale == 1.0 else self.scale * block

    @override
    def scaled(self, scale: float) -> Factor:
        return DenseFactor(self.entries, scale * self.scale)
