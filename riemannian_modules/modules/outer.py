"""Parameter matrices that enter as ``P a``: what they get back are outer products ``q a^T``.

Source: Dangel, Kunstner and Hennig (2020), BackPACK, arXiv:1912.10985, section on linear layers.
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.metrics import KhatriRaoFactor
from riemannian_modules.modules.differential import transposed
from riemannian_modules.spaces import Array


def pull_outer(cotangent: Array, activation: Array) -> Array:
    """``vec(q a^T)``, row-major: (..., r, k) and (..., s) to (..., r s, k)."""
    product = cotangent[..., :, None, :] * activation[..., None, :, None]
    return product.reshape(*product.shape[:-3], -1, product.shape[-1])


def pull_outer_sum(cotangent: Array, activation: Array) -> Array:
    """The same summed over all points, (r s, k), as one product of matrices: O(points r s k)."""
    r, k = cotangent.shape[-2:]
    seen = np.broadcast_to(activation, (*cotangent.shape[:-2], activation.shape[-1]))
    sent = cotangent.reshape(-1, r * k)  # one row a point
    product = sent.T @ seen.reshape(-1, activation.shape[-1])  # (r k, s)
    return np.moveaxis(product.reshape(r, k, -1), 1, -1).reshape(-1, k)


def push_outer(tangent: Array, activation: Array) -> Array:
    """The adjoint, ``P a`` for k matrices P, row-major in (r s, k): (..., r, k)."""
    s, k = activation.shape[-1], tangent.shape[-1]
    pushed = activation @ tangent.T.reshape(-1, s).T  # (..., k r)
    return transposed(pushed.reshape(*activation.shape[:-1], k, tangent.shape[0] // s))


def outer_factor(cotangent: Array, activation: Array) -> KhatriRaoFactor:
    """The same vectors as a factor's columns, one for each point and column, never formed."""
    batch = np.broadcast_shapes(cotangent.shape[:-2], activation.shape[:-1])
    points = math.prod(batch)
    r, k = cotangent.shape[-2:]
    s = activation.shape[-1]
    return KhatriRaoFactor(
        np.broadcast_to(activation, (*batch, s)).reshape(points, s),
        np.broadcast_to(cotangent, (*batch, r, k)).reshape(points, r, k),
    )
