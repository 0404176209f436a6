"""Multipliers of a chain of dense layers, one layer after the other: untrusted, proved elsewhere.

With a metric X of a layer's inputs w, the layer's own multipliers leave the metric

    X' = 2 T - S W (X + W^T E W)^{-1} W^T S,  S = T (alpha + beta),  E = 2 T alpha beta

of its outputs (a Schur complement), and the chain's constant is the norm of the last matrix between
the last metric and the identity. Each layer's T is the best for what follows it, as far as that is
known: the next layer's weights beside the product of all later ones. That is one small problem a
layer, linear in depth.

Source: Xu and Sivaranjani (2024), ECLipsE: Efficient compositional Lipschitz constant estimation
    for deep neural networks, NeurIPS 37 (the recursion, with the next layer's weights alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.blocked import cholesky
from riemannian_modules.claims.slopes_matrix import nearest
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.search.layers.slopes_pencil import Pencil
from riemannian_modules.search.layers.slopes_search import Point, follow_centres
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import limited_to

SHARES = (0.0, 0.3)  # weights of the product of later layers beside the next layer's matrix
COARSE = 1e-2  # where the search in one layer ends, relative
SECONDS = 10.0  # for one layer


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Its neurons' places, its weights W (k, previous), and its slopes alpha, beta (k,)."""

    places: NDArray[np.intp]
    W: Array
    alpha: Array
    beta: Array


def chain_multipliers(form: SlopesForm, M: Array) -> Point | None:
    """R = b^2 and multipliers of a static chain (Euclidean inputs), None if it is no chain."""
    layers = _layers(form)
    if layers is None:
        return None
    last = nearest(form.B)[:, layers[-1].places]
    root = cholesky(M)
    if root is None:
        return None
    last = root.T @ last
    points = [_swept(form, layers, last, share) for share in SHARES[: 2 if len(layers) > 1 else 1]]
    return min((p for p in points if p is not None), key=lambda p: p[0], default=None)


def _layers(form: SlopesForm) -> list[_Layer] | None:
    depths = form.depths
    if form.time is not Time.STATIC or depths is None or not len(depths) or (form.A != 0).any():
        return None
    C, D = nearest(form.C), nearest(form.D)
    alpha, beta = form.slope_bounds
    previous = np.zeros(0, dtype=np.intp)
    layers: list[_Layer] = []
    for depth in range(int(depths.max()) + 1):
        places = np.flatnonzero(depths == depth)
        outside = np.delete(D[places], previous, axis=1)
        if outside.any() or (depth > 0 and C[places].any()):
            return None
        W = C[places] if depth == 0 else D[np.ix_(places, previous)]
        layers.append(_Layer(places, W, alpha[places], beta[places]))
        previous = places
    if np.delete(nearest(form.B), previous, axis=1).any():
        return None
    return layers


def _swept(form: SlopesForm, layers: list[_Layer], last: Array, share: float) -> Point | None:
    t = np.zeros(len(form.slopes))
    followers = _followers(layers, last, share)
    metric = None
    for layer, follower in zip(layers, followers, strict=True):
        G = layer.W @ layer.W.T if metric is None else layer.W @ _inverse(metric) @ layer.W.T
        found = _one_layer(layer, G, follower)
        if found is None:
            return None
        t[layer.places] = found
        sums, products = found * (layer.alpha + layer.beta), 2.0 * found * layer.alpha * layer.beta
        inner = np.linalg.solve(np.eye(len(G)) + products[:, None] * G, np.diag(sums))
        metric = 2.0 * np.diag(found) - sums[:, None] * (G @ inner)
        metric = 0.5 * (metric + metric.T)
        if cholesky(metric) is None:
            return None
    if metric is None:
        return None
    r = float(np.linalg.eigvalsh(last @ _inverse(metric) @ last.T)[-1]) * (1.0 + 1e-9)
    return r, r * t


def _followers(layers: list[_Layer], last: Array, share: float) -> list[Array]:
    """For each layer, what is thought to follow it."""
    found: list[Array] = [last]
    later = last
    for layer in reversed(layers[1:]):
        later = later @ (0.5 * (layer.alpha + layer.beta)[:, None] * layer.W)
        size = np.linalg.norm(later, 2)
        scale = np.linalg.norm(layer.W, 2) / size if size > 0 else 0.0
        own = (1.0 - share) * layer.W
        found.append(np.vstack([own, share * scale * later]) if share else own)
    return found[::-1]


def _one_layer(layer: _Layer, G: Array, follower: Array) -> Array | None:
    """The layer's multipliers at input metric one: the best gain from s = W w to what follows."""
    k = len(G)
    values, vectors = np.linalg.eigh(G)
    half = vectors * np.sqrt(np.maximum(values, 0.0))  # s = half y with |y| at most the input's
    constant = np.zeros((2 * k, 2 * k))
    constant[k:, k:] = -follower.T @ follower
    eye = np.eye(k)
    above = np.hstack([-layer.alpha[:, None] * half, eye])
    below = np.hstack([layer.beta[:, None] * half, -eye])
    pencil = Pencil(np.eye(2 * k, k), constant, above, below)
    start = _start(pencil, follower, G)
    if start is None:
        return None
    with limited_to(SECONDS):
        r, t = follow_centres(pencil, start, gap=COARSE)[-1]
    return t / r


def _start(pencil: Pencil, follower: Array, G: Array) -> Point | None:
    size = float(np.linalg.norm(follower, 2)) ** 2 + 1e-300
    t = np.full(len(G), 2.0 * size)
    for r in size * float(np.trace(G)) * 4.0 ** np.arange(0.0, 20.0):
        if pencil.factor(r, t) is not None:
            return 2.0 * r, t
    return None


def _inverse(matrix: Array) -> Array:
    inverse = np.linalg.inv(matrix)
    return 0.5 * (inverse + inverse.T)
