"""The rows that samples give to the metric of one parameter: outer products that are never formed.

Sample b moves a weight W (q, p) along ``U_b = sum_t d_bt a_bt^T``, t over the places where the
weight is used for it: once in a dense layer, at each position of a sequence or an image.
Source: Pehle and Slotine, arXiv:2603.03610; the Khatri-Rao Gram matrix (THEORY section 4).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

PART = 2**22  # numbers of a large array that are made at a time: 16 MiB in float32


class Rows(abc.ABC):
    """What B samples give to the metric of one parameter: a linear map from B numbers to it."""

    @abc.abstractmethod
    def gram(self) -> Tensor:
        """``<U_b, U_c>`` of all pairs of samples, (B, B)."""

    @abc.abstractmethod
    def along(self, direction: Tensor) -> Tensor:
        """``<U_b, direction>``, (B,), for a direction in the parameter's shape."""

    @abc.abstractmethod
    def combined(self, v: Tensor) -> Tensor:
        """``sum_b v_b U_b`` in the parameter's shape, for v (B,)."""

    # Two of them in place: a step of a small network costs as much as it has operations.

    def add_along(self, direction: Tensor, t: Tensor) -> None:
        """``t += along(direction)``."""
        t.add_(self.along(direction))

    def combine(self, v: Tensor, P: Tensor, kept: float) -> None:
        """``P = kept P + combined(v)``."""
        P.mul_(kept).add_(self.combined(v))

    @abc.abstractmethod
    def formed(self) -> DenseRows:
        """The rows themselves, (B, *shape)."""

    @abc.abstractmethod
    def part(self, samples: slice) -> Rows:
        """The rows of some samples."""

    def size(self, direction: Tensor) -> Tensor:
        """``|direction|^2``."""
        return direction.square().sum()

    @property
    @abc.abstractmethod
    def pair_cost(self) -> int:
        """Multiplications that one entry of `gram` takes."""

    @property
    @abc.abstractmethod
    def product_cost(self) -> int:
        """Multiplications that the parameter takes in a forward pass of all samples."""

    @property
    def products(self) -> int:
        """How often a step takes these beside forward, backward and the pairs of `gram`."""
        return 2


class WeightRows(Rows):
    """Rows ``sum_t d_bt a_bt^T`` of a weight that each sample uses at T places.

    Attributes:
        a: Inputs of B samples, or what they are read off.
        d: Cotangents (k B, T, q), of k columns for each sample.
        shape: The weight's.
    """

    a: Tensor
    d: Tensor
    shape: torch.Size

    @property
    @abc.abstractmethod
    def is_formed(self) -> bool:
        """Whether forming the rows is cheaper than the products of all pairs of places."""

    @property
    @abc.abstractmethod
    def outer(self) -> WeightRows:
        """The same from the inputs at all places, where those have products with all cotangents."""

    @abc.abstractmethod
    def blocks(self, most: int) -> Iterator[Tensor]:
        """Parts (k B, n) of the rows as vectors, of so many numbers each at most where it can be.

        A part may be written over as the next one is made.
        """

    @abc.abstractmethod
    def along_places(self, direction: Tensor) -> Tensor:
        """`along` by a product with the inputs, where rows are not formed."""

    @abc.abstractmethod
    def combined_places(self, v: Tensor) -> Tensor:
        """`combined` by a product with the inputs, where rows are not formed."""

    @abc.abstractmethod
    def of_samples(self, samples: slice) -> WeightRows:
        """`part`, where rows are not formed."""

    @override
    def along(self, direction: Tensor) -> Tensor:
        if self.is_formed:
            return self.formed().along(direction)
        return self.along_places(direction)

    @override
    def combined(self, v: Tensor) -> Tensor:
        return self.formed().combined(v) if self.is_formed else self.combined_places(v)

    @override
    def part(self, samples: slice) -> Rows:
        return self.formed().part(samples) if self.is_formed else self.of_samples(samples)

    @property
    @override
    def products(self) -> int:
        return 1 if self.is_formed else 2


@final
@dataclass(frozen=True, eq=False)
class DenseRows(Rows):
    """Rows that are formed, (B, *shape): of small parameters, and where nothing else is known."""

    rows: Tensor

    @property
    def flat(self) -> Tensor:
        """The rows as vectors, (B, n)."""
        return self.rows.reshape(len(self.rows), math.prod(self.rows.shape[1:]))

    @override
    def gram(self) -> Tensor:
        return self.flat @ self.flat.T

    @override
    def along(self, direction: Tensor) -> Tensor:
        return self.flat @ direction.flatten()

    @override
    def combined(self, v: Tensor) -> Tensor:
        return (v @ self.flat).view(self.rows.shape[1:])

    @override
    def add_along(self, direction: Tensor, t: Tensor) -> None:
        t.addmv_(self.flat, direction.flatten())

    @override
    def combine(self, v: Tensor, P: Tensor, kept: float) -> None:
        if P.ndim == 1:
            P.addmv_(self.rows.T, v, beta=kept)
        else:
            super().combine(v, P, kept)

    @override
    def formed(self) -> DenseRows:
        return self

    @override
    def part(self, samples: slice) -> DenseRows:
        return DenseRows(self.rows[samples])

    @property
    @override
    def pair_cost(self) -> int:
        return self.flat.shape[1]

    @property
    @override
    def product_cost(self) -> int:
        return self.rows.numel()


@final
@dataclass(frozen=True, eq=False)
class OuterRows(WeightRows):
    """``U_b = sum_t d_bt a_bt^T`` from inputs a (B, T, p) and cotangents d (B, T, q).

    ``shape`` is the parameter's, of q p numbers; a kernel has more axes than two. Several columns
    of each sample share its inputs: d is (k B, T, q) then, with the samples inside.
    Who has them without an axis of places, (B, p) and (B, q), gives them as ``flat`` too.
    """

    a: Tensor
    d: Tensor
    shape: torch.Size
    flat: tuple[Tensor, Tensor] | None = None

    @property
    @override
    def is_formed(self) -> bool:
        (B, T, q), p = self.d.shape, self.a.shape[-1]
        # All pairs cost B^2 T^2 (p + q) products; forming the rows B T p q, and theirs B^2 p q.
        return T > 1 and B * T * T * (p + q) > (T + B) * p * q

    @property
    @override
    def outer(self) -> OuterRows:
        return self

    @override
    def blocks(self, most: int) -> Iterator[Tensor]:
        each = len(self.d) * self.a.shape[-1]
        for outputs in slices(self.d.shape[-1], max(1, most // each)):
            yield (self._by_column(self.d[..., outputs]).mT @ self.a).flatten(-2).flatten(0, 1)

    @cached_property
    def _dense(self) -> DenseRows:
        return DenseRows((self._by_column(self.d).mT @ self.a).view(len(self.d), *self.shape))

    def _by_column(self, x: Tensor) -> Tensor:
        """(k B, ...) as (k, B, ...)."""
        return x.unflatten(0, (-1, len(self.a)))

    @property
    def one_place(self) -> tuple[Tensor, Tensor] | None:
        """``(a, d)``, (B, p) and (B, q), where a sample has one place and one column."""
        if self.flat is not None:
            return self.flat
        a, d = self.a, self.d
        if d.shape[1] == 1 and len(self.shape) == 2 and d.shape[0] == a.shape[0]:
            return a[:, 0], d[:, 0]
        return None

    @property
    def own_inputs(self) -> OuterRows:
        """The same with inputs of each column's own."""
        copies = len(self.d) // len(self.a)
        return OuterRows(self.a.repeat(copies, 1, 1), self.d, self.shape)

    @override
    def gram(self) -> Tensor:
        if self.is_formed:
            return self._dense.gram()
        (B, T, _), a = self.d.shape, self.a.flatten(0, 1)
        k, own = len(self.d) // len(self.a), len(a)
        pairs = self.gram_of_cotangents.view(k, own, k, own) * (a @ a.T)[:, None]
        pairs = pairs.view(B, T, B, T)
        return pairs[:, 0, :, 0] if T == 1 else pairs.sum((1, 3))

    @cached_property
    def gram_of_cotangents(self) -> Tensor:
        """``d_bt . d_cu`` of all pairs of places, (B T, B T)."""
        d = self.d.flatten(0, 1)
        return d @ d.T

    @override
    def along_places(self, direction: Tensor) -> Tensor:
        matrix = direction.reshape(self.d.shape[-1], self.a.shape[-1])
        return self._by_column(self.d @ matrix).mul_(self.a).sum((2, 3)).flatten()

    @override
    def combined_places(self, v: Tensor) -> Tensor:
        weighted = self._by_column(self.d * v[:, None, None])
        weighted = weighted[0] if len(weighted) == 1 else weighted.sum(0)
        return (weighted.flatten(0, 1).T @ self.a.flatten(0, 1)).view(self.shape)

    @override
    def formed(self) -> DenseRows:
        return self._dense

    @override
    def of_samples(self, samples: slice) -> OuterRows:
        own = self.own_inputs
        return OuterRows(own.a[samples], own.d[samples], self.shape)

    @property
    @override
    def pair_cost(self) -> int:
        (_, T, q), p = self.d.shape, self.a.shape[-1]
        return p * q if self.is_formed else T * T * (p + q)

    @property
    @override
    def product_cost(self) -> int:
        return self.d.numel() * self.a.shape[-1]


@final
@dataclass(frozen=True, eq=False)
class BiasRows(Rows):
    """The rows ``sum_t d_bt`` of a bias beside a weight, whose products are known already."""

    weight: WeightRows

    @override
    def gram(self) -> Tensor:
        if isinstance(self.weight, OuterRows) and self.weight.d.shape[1] == 1:
            return self.weight.gram_of_cotangents
        return self._sum.gram()

    @cached_property
    def _sum(self) -> DenseRows:
        d = self.weight.d
        return DenseRows(d[:, 0] if d.shape[1] == 1 else d.sum(1))

    @override
    def along(self, direction: Tensor) -> Tensor:
        return self._sum.along(direction)

    @override
    def combined(self, v: Tensor) -> Tensor:
        return self._sum.combined(v)

    @override
    def add_along(self, direction: Tensor, t: Tensor) -> None:
        self._sum.add_along(direction, t)

    @override
    def combine(self, v: Tensor, P: Tensor, kept: float) -> None:
        self._sum.combine(v, P, kept)

    @override
    def formed(self) -> DenseRows:
        return self._sum

    @override
    def part(self, samples: slice) -> DenseRows:
        return self._sum.part(samples)

    @property
    @override
    def pair_cost(self) -> int:
        return self.weight.d.shape[-1]

    @property
    @override
    def product_cost(self) -> int:
        return self.weight.d.numel()


def cross_gram(rows: Rows, other: Rows) -> Tensor:
    """``<U_b, V_c>`` of two kinds of rows of one parameter, (B, B)."""
    if not (isinstance(rows, OuterRows) and isinstance(other, OuterRows)) or rows.is_formed:
        return rows.formed().flat @ other.formed().flat.T
    B, T, _ = rows.a.shape
    by_inputs = rows.a.flatten(0, 1) @ other.a.flatten(0, 1).T
    pairs = by_inputs.mul_(rows.d.flatten(0, 1) @ other.d.flatten(0, 1).T)
    return pairs if T == 1 else pairs.view(B, T, B, T).sum((1, 3))


def slices(count: int, most: int) -> list[slice]:
    """Parts of a range, of ``most`` each at most, whose sizes differ by one at most."""
    parts = -(-count // most)
    return [slice(i * count // parts, (i + 1) * count // parts) for i in range(parts)]
