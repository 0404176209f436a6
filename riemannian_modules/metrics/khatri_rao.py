"""The factor of a dense layer: columns are outer products, and none of them is formed.

Source: Khatri and Rao (1968), Sankhya A 30, 167-180; Dangel, Kunstner and Hennig (2020), BackPACK,
arXiv:1912.10985, for the Gram matrix of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from array_api_compat import device as device_of
from typing_extensions import override

from riemannian_modules.door import number
from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, as_columns, namespace_of, real_array
from riemannian_modules.metrics.factor import Factor
from riemannian_modules.metrics.weighted_factor import WeightedFactor


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KhatriRaoFactor(Factor):
    """Column (b, j) is ``scale vec(outer(cotangents[b, :, j], activations[b]))``, row-major.

    activations (B, n_in), cotangents (B, n_out, k); n = n_out n_in rows, r = B k columns.
    Gram in O(B^2 n_in + r^2 n_out) instead of O(n r^2); products in O(B n) instead of O(n r).

    Attributes:
        activations: (B, n_in).
        cotangents: (B, n_out, k).
        scale: One number.
    """

    activations: AnyArray
    cotangents: AnyArray
    scale: float = 1.0

    @property
    @override
    def dim(self) -> int:
        return int(self.cotangents.shape[1] * self.activations.shape[1])

    @property
    @override
    def columns(self) -> int:
        return int(self.cotangents.shape[0] * self.cotangents.shape[2])

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.activations

    @override
    def matvec(self, z: AnyArray) -> AnyArray:
        xp, A, D = namespace_of(z), self.activations, self.cotangents
        if z.ndim == D.shape[2] == 1:  # one product of matrices
            sent = D[:, :, 0] * (self.scale * z)[:, None]  # (B, n_out)
            return xp.reshape(sent.T @ A, (self.dim,))
        Z = xp.reshape(self.scale * as_columns(z), (D.shape[0], D.shape[2], -1))  # (B, k, q)
        sent = xp.permute_dims(D @ Z, (2, 1, 0))  # (q, n_out, B)
        product = xp.reshape(sent @ A, (sent.shape[0], self.dim)).T  # (n, q)
        return product[:, 0] if z.ndim == 1 else product

    @override
    def rmatvec(self, v: AnyArray) -> AnyArray:
        xp, A, D = namespace_of(v), self.activations, self.cotangents
        if v.ndim == D.shape[2] == 1:
            seen = A @ xp.reshape(self.scale * v, (D.shape[1], A.shape[1])).T  # (B, n_out)
            return xp.sum(seen * D[:, :, 0], axis=1)
        V = xp.reshape(as_columns(v).T, (-1, D.shape[1], A.shape[1]))  # (q, n_out, n_in)
        seen = xp.permute_dims(V @ A.T, (2, 1, 0))  # (B, n_out, q)
        product = self.scale * (xp.permute_dims(D, (0, 2, 1)) @ seen)  # (B, k, q)
        return xp.reshape(product, (self.columns,) if v.ndim == 1 else (self.columns, -1))

    @override
    def gram(self) -> AnyArray:
        return self._cross(self)

    @override
    def cross_gram(self, other: Factor) -> AnyArray:
        if isinstance(other, KhatriRaoFactor):
            return self._cross(other)
        return other.cross_gram(self).T

    @override
    def outer(self) -> AnyArray:
        # sum over b of (D_b D_b^T) kron (a_b a_b^T), summed over b as one matrix product.
        xp, A, D = namespace_of(self.activations), self.activations, self.cotangents
        batch, n_out, n_in = D.shape[0], D.shape[1], A.shape[1]
        P = xp.reshape(D @ xp.permute_dims(D, (0, 2, 1)), (batch, -1))  # (B, n_out^2)
        Q = xp.reshape(A[:, :, None] * A[:, None, :], (batch, -1))  # (B, n_in^2)
        product = xp.reshape(P.T @ Q, (n_out, n_out, n_in, n_in))
        square = xp.reshape(xp.permute_dims(product, (0, 2, 1, 3)), (self.dim, self.dim))
        return self.scale**2 * square

    @property
    @override
    def gram_cost(self) -> float:
        A, D = self.activations.shape, self.cotangents.shape
        return float(A[0]) ** 2 * A[1] + float(self.columns) ** 2 * D[1]

    @property
    @override
    def stored(self) -> int:
        A, D = self.activations.shape, self.cotangents.shape
        return int(A[0] * A[1] + D[0] * D[1] * D[2])

    @override
    def squares(self) -> AnyArray:
        xp, A, D = namespace_of(self.activations), self.activations, self.cotangents
        sent = xp.sum(D * D, axis=2)  # (B, n_out)
        return self.scale**2 * xp.reshape(sent.T @ (A * A), (self.dim,))

    @override
    def weighted(self, weights: AnyArray) -> Factor:
        # Weights that are a product keep the columns products; here, those that are all the same.
        if self.dim and bool(namespace_of(weights).all(weights == weights[0])):
            return self.scaled(float(weights[0]))
        return WeightedFactor(self, weights)

    @override
    def rows(self, start: int, stop: int) -> AnyArray:
        xp, A, D = namespace_of(self.activations), self.activations, self.cotangents
        index = xp.arange(start, stop, device=device_of(A))
        outputs = xp.take(D, index // A.shape[1], axis=1)  # (B, m, k)
        inputs = xp.take(A, index % A.shape[1], axis=1)  # (B, m)
        block = xp.permute_dims(self.scale * outputs * inputs[:, :, None], (1, 0, 2))
        return xp.reshape(block, (stop - start, self.columns))

    @override
    def scaled(self, scale: float) -> Factor:
        return KhatriRaoFactor(self.activations, self.cotangents, scale * self.scale)

    def _cross(self, other: KhatriRaoFactor) -> AnyArray:
        # <d a^T, e c^T> = <a, c> <d, e>: the Hadamard product of two Gram matrices.
        xp, left, right = namespace_of(self.activations), self.cotangents, other.cotangents
        D, A = _flat(left), self.scale * self.activations
        # One object on both sides of a product, so that NumPy computes one triangle (syrk).
        E, C = (D, A) if other is self else (_flat(right), other.scale * other.activations)
        product, seen = D @ E.T, A @ C.T  # (B k, B' k') and (B, B')
        if left.shape[2] == right.shape[2] == 1:
            product *= seen
            return product
        shape = (left.shape[0], left.shape[2], right.shape[0], right.shape[2])
        product = xp.reshape(product, shape) * seen[:, None, :, None]
        return xp.reshape(product, (self.columns, other.columns))


def khatri_rao_factor(
    activations: AnyArray, cotangents: AnyArray, scale: float = 1.0
) -> KhatriRaoFactor:
    """Copy and validate the factor of a dense layer ``y = W a``, W of shape (n_out, n_in).

    Args:
        activations: The layer's inputs a_b, shape (B, n_in).
        cotangents: The metric's factor at the layer's outputs, shape (B, n_out, k).
        scale: Multiplies every column; ``1 / sqrt(B)`` makes the metric a mean over the batch.

    Raises:
        DomainError: If an array holds NaN or infinities.
        MetricError: If shapes do not fit.
    """
    A, D = real_array("activations", activations), real_array("cotangents", cotangents)
    if A.ndim != 2 or D.ndim != 3 or A.shape[0] != D.shape[0]:
        raise MetricError(
            "KhatriRaoFactor: expected activations (B, n_in) and cotangents (B, n_out, k), got "
            f"{tuple(A.shape)} and {tuple(D.shape)}. Give a single cotangent the last axis k = 1."
        )
    return KhatriRaoFactor(A, D, number("KhatriRaoFactor: scale", scale))


def side_by_side(parts: Sequence[Factor]) -> list[Factor]:
    """Factors with the same sum of Gram matrices: neighbours of equal cotangents become one.

    A layer's weights and its bias are such.
    """
    merged: list[Factor] = []
    for part in parts:
        last = merged[-1] if merged else None
        if (
            isinstance(last, KhatriRaoFactor)
            and isinstance(part, KhatriRaoFactor)
            and last.cotangents is part.cotangents
        ):
            xp = namespace_of(part.activations)
            both = [factor.scale * factor.activations for factor in (last, part)]
            merged[-1] = KhatriRaoFactor(xp.concat(both, axis=1), part.cotangents)
        else:
            merged.append(part)
    return merged


def _flat(cotangents: AnyArray) -> AnyArray:
    """(B, n_out, k) as (B k, n_out)."""
    xp = namespace_of(cotangents)
    return xp.reshape(xp.permute_dims(cotangents, (0, 2, 1)), (-1, cotangents.shape[1]))
