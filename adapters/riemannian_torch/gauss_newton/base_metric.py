"""A metric of each layer's own below the samples' rows: what inputs and cotangents say of it.

``R = R_out (x) R_in`` with ``R_in = I + A^T diag(h) A / c``, h_b = |d_b|^2 relative to their mean,
``c = 3 tr(A^T diag(h) A) / p``; R_out alike with inputs and cotangents exchanged. One column a
sample sees one direction of its outputs; R knows how strongly a layer acts in all of them.
Source: Martens and Grosse (2015), arXiv:1503.05671 (Kronecker factors of curvature).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from riemannian_torch.gauss_newton.rows import BiasRows, DenseRows, OuterRows, Rows, cross_gram

_SPREAD = 3.0  # c in terms of the mean curvature: how much of R the identity is


@final
@dataclass(frozen=True, eq=False)
class BasedRows(Rows):
    """Rows U with ``R^-1 U``: products are ``U^T R^-1 U``, and steps are made of ``R^-1 U``."""

    rows: Rows
    raised: Rows

    @override
    def gram(self) -> Tensor:
        return cross_gram(self.rows, self.raised)

    @override
    def along(self, direction: Tensor) -> Tensor:
        return self.rows.along(direction)

    @override
    def combined(self, v: Tensor) -> Tensor:
        return self.raised.combined(v)

    @override
    def formed(self) -> DenseRows:
        return self.rows.formed()

    @override
    def part(self, samples: slice) -> BasedRows:
        return BasedRows(self.rows.part(samples), self.raised.part(samples))

    @property
    @override
    def pair_cost(self) -> int:
        return self.rows.pair_cost

    @property
    @override
    def product_cost(self) -> int:
        return self.rows.product_cost


def in_base(rows: Mapping[Tensor, Rows], s: Tensor) -> dict[Tensor, Rows]:
    """The rows in their layers' base metrics; those that are no outer products keep R = I.

    Cost a layer: N^3 / 3 + 2 N^2 p for N places with p inputs, or N p^2 + p^3 / 3 where that is
    less; the same for its outputs.

    Args:
        rows: Of each parameter; ``U_b = row_b / s_b``.
        s: Coefficients of the gradient, (B,).
    """
    raised: dict[int, OuterRows] = {}
    found: dict[Tensor, Rows] = {}
    for parameter, own in rows.items():
        weight = own.weight if isinstance(own, BiasRows) else own
        if not isinstance(weight, OuterRows):
            found[parameter] = own
            continue
        if id(weight) not in raised:
            raised[id(weight)] = _raised(weight, s)
        after = raised[id(weight)]
        found[parameter] = BasedRows(own, BiasRows(after) if isinstance(own, BiasRows) else after)
    return found


def base_cost(rows: Mapping[Tensor, Rows]) -> float:
    """Multiplications that `in_base` takes."""
    cost = 0.0
    for own in rows.values():
        if isinstance(own, OuterRows):
            places = own.a.shape[0] * own.a.shape[1]
            for size in (own.a.shape[-1], own.d.shape[-1]):
                least = min(places, 2 * size)
                cost += 2.0 * places * size * min(least, size) + least**3 / 6.0
    return cost


def _raised(rows: OuterRows, s: Tensor) -> OuterRows:
    """``R^-1 U``."""
    size = s[:, None].expand(rows.a.shape[:2]).flatten()  # of each place's sample
    a, d = rows.a.flatten(0, 1), rows.d.flatten(0, 1)
    pull = d / size[:, None]
    raised_a = _solved(a, pull.square().sum(1))
    raised_d = _solved(pull, a.square().sum(1)) * size[:, None]
    return OuterRows(raised_a.view_as(rows.a), raised_d.view_as(rows.d), rows.shape)


def _solved(x: Tensor, weight: Tensor) -> Tensor:
    """``x (I + x^T diag(h) x / c)^-1`` for places x (N, p) and h the weight over its mean."""
    N, p = x.shape
    root = (weight / weight.mean().clamp_min(1e-30)).clamp_min(1e-6).sqrt()[:, None]
    H = root * x
    c = (_SPREAD / p * H.square().sum()).clamp_min(1e-30)
    if 2 * p >= N:
        # H (I + H^T H / c)^-1 = (I + H H^T / c)^-1 H
        return torch.cholesky_solve(H, _factor(H @ H.T / c)) / root
    return torch.cholesky_solve(x.T, _factor(H.T @ H / c)).T


def _factor(S: Tensor) -> Tensor:
    """The Cholesky factor of ``I + S``; S is positive semidefinite, so that there is one."""
    return torch.linalg.cholesky_ex(S.diagonal_scatter(S.diagonal() + 1.0)).L
