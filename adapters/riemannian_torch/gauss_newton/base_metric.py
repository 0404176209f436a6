"""A metric of each layer's own below the samples' rows: what inputs and cotangents say of it.

``R = R_out (x) R_in`` with ``R_in = I + A^T diag(h) A / c``, h_b = |d_b|^2 relative to their mean,
``c = 10 tr(A^T diag(h) A) / p``; R_out alike with inputs and cotangents exchanged. One column a
sample sees one direction of its outputs; R knows how strongly a layer acts in all of them. Any
positive R is a metric: a few places of the batch tell nearly as much as all, at a fraction of it.
Sources: Martens and Grosse (2015), arXiv:1503.05671 (Kronecker factors of curvature); Woodbury
(1950).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from riemannian_torch.gauss_newton.rows import BiasRows, OuterRows, Rows, cross_gram
from riemannian_torch.gauss_newton.wrapped_rows import WrappedRows

_SPREAD = 10.0  # c in terms of the mean curvature: how much of R the identity is
_PLACES = 32  # at most, that R is made of


@final
@dataclass(frozen=True, eq=False)
class BasedRows(WrappedRows):
    """Rows U with ``R^-1 U``: products are ``U^T R^-1 U``, and steps are made of ``R^-1 U``."""

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
    def part(self, samples: slice) -> BasedRows:
        return BasedRows(self.rows.part(samples), self.raised.part(samples))


def in_base(rows: Mapping[Tensor, Rows], s: Tensor) -> dict[Tensor, Rows]:
    """The rows in their layers' base metrics; those that are no outer products keep R = I.

    Cost a layer: 2 M (N + M) p + M^3 / 6 for N places with p inputs, M of which R is made of; the
    same for its outputs.

    Args:
        rows: Of each parameter; ``U_b = row_b / s_b``.
        s: Coefficients of the gradient, (B,).
    """
    raised: dict[int, OuterRows] = {}
    found: dict[Tensor, Rows] = {}
    places: dict[int, tuple[Tensor, Tensor]] = {}  # that R is made of, by how many a sample has
    for parameter, own in rows.items():
        weight = own.weight if isinstance(own, BiasRows) else own
        if not isinstance(weight, OuterRows):
            found[parameter] = own
            continue
        if id(weight) not in raised:
            T = weight.a.shape[1]
            if T not in places:
                few = _few(weight.a.shape[0] * T, s.device)
                places[T] = few, s[few.div(T, rounding_mode="floor"), None]
            raised[id(weight)] = _raised(weight, *places[T])
        after = raised[id(weight)]
        found[parameter] = BasedRows(own, BiasRows(after) if isinstance(own, BiasRows) else after)
    return found


def base_cost(rows: Mapping[Tensor, Rows]) -> float:
    """Multiplications that `in_base` takes."""
    cost = 0.0
    for own in rows.values():
        if isinstance(own, OuterRows):
            N = own.a.shape[0] * own.a.shape[1]
            M = N // _period(N)
            for size in (own.a.shape[-1], own.d.shape[-1]):
                cost += 2.0 * M * (N + M) * size + M**3 / 6.0
    return cost


def _raised(rows: OuterRows, few: Tensor, s: Tensor) -> OuterRows:
    """``R^-1 U`` with R made of a few places, whose samples have the coefficients s (M, 1)."""
    a, d = rows.flat or (rows.a.flatten(0, 1), rows.d.flatten(0, 1))
    inputs, cotangents = a[few], d[few] / s
    raised_a = _solved(a, inputs, cotangents.square().sum(1))
    raised_d = _solved(d, cotangents, inputs.square().sum(1))
    flat = None if rows.flat is None else (raised_a, raised_d)
    return OuterRows(raised_a.view_as(rows.a), raised_d.view_as(rows.d), rows.shape, flat)


def _period(N: int) -> int:
    """One in so many of N places is taken."""
    return -(-N // _PLACES)


def _few(N: int, device: torch.device) -> Tensor:
    """Which of N places R is made of: one of each period, the next one in each.

    A place that did not move could be the first of every sequence.
    """
    period = _period(N)
    count = torch.arange(N // period, device=device)
    return count * period + count % period


def _solved(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """``x (I + y^T diag(h) y / c)^-1`` for x (N, p), y (M, p) and h in terms of the weight."""
    H = weight.sqrt()[:, None] * y
    S = H @ H.T
    diagonal = S.diagonal()
    c = (_SPREAD / y.shape[1] * diagonal.sum()).clamp_min_(1e-30)  # any unit of h will do
    # (I + H^T H / c)^-1 = I - H^T (c I + H H^T)^-1 H, and c I + H H^T = L L^T is SPD.
    diagonal.add_(c)
    L = torch.linalg.cholesky_ex(S).L
    # With Y = L^-1 H; solved for Y^T, whose columns lie in memory as the solver wants them.
    Y_T = torch.linalg.solve_triangular(L.mT, H.mT, upper=True, left=False)
    return torch.addmm(x, x @ Y_T, Y_T.mT, alpha=-1.0)
