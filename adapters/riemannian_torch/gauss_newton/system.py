"""The rows of parameters that are solved for together, a dense layer's weight and bias at once.

Where a layer ``W a + b`` is used once for each sample, its rows are ``d_b (a_b, 1)^T``, and the
products of two samples ``(a_b . a_c + 1) (d_b . d_c)``: what serves one parameter serves both. A
step of a small network costs as much as it has operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import linear

from riemannian_torch.gauss_newton.base_metric import BasedRows
from riemannian_torch.gauss_newton.rows import BiasRows, OuterRows, Rows

_Pair = tuple[Tensor, Tensor]  # inputs (B, p) and cotangents (B, q)


@final
@dataclass(frozen=True, slots=True, eq=False)
class DenseLayer:
    """A layer with one place a sample: the parameters, and the rows' inputs and cotangents.

    Attributes:
        own: Of U.
        raised: Of ``R^-1 U``; the same where the layer has no base metric.
    """

    weight: Tensor
    bias: Tensor | None
    own: _Pair
    raised: _Pair

    def gram(self, one: Tensor) -> _Pair:
        """The two factors (B, B) of ``U^T R^-1 U``; ``one`` is a number."""
        (a, d), (raised_a, raised_d) = self.own, self.raised
        return linear(a, raised_a, None if self.bias is None else one), linear(d, raised_d)

    def along(self, parts: Mapping[Tensor, Tensor]) -> Tensor | None:
        """``U^T P``, (B,); None where P has no part of this layer."""
        a, d = self.own
        P = parts.get(self.weight)
        p = None if self.bias is None else parts.get(self.bias)
        if P is None:
            return None if p is None else torch.mv(d, p)
        q, n = P.shape
        if q <= n:
            return linear(a, P, p).mul_(d).sum(1)
        t = torch.mm(d, P).mul_(a).sum(1)
        return t if p is None else t.addmv_(d, p)

    def combine(
        self, v: Tensor, column: Tensor, parts: Mapping[Tensor, Tensor], kept: float
    ) -> None:
        """``P = kept P + R^-1 U v`` for v (B,), which ``column`` (B, 1) holds too."""
        (a, d), P = self.raised, parts[self.weight]
        q, n = P.shape
        if q <= n:
            P.addmm_((d * column).t(), a, beta=kept)
        else:
            P.addmm_(d.t(), a * column, beta=kept)
        if self.bias is not None:
            parts[self.bias].addmv_(d.t(), v, beta=kept)


@final
class DualSystem:
    """Rows U of several parameters, times a number for each sample.

    Args:
        rows: Of each parameter.
        scale: (B,): ``U_b = scale_b row_b``.
    """

    def __init__(self, rows: Mapping[Tensor, Rows], scale: Tensor) -> None:
        self.rows, self.scale = rows, scale
        self._layers, self._others = _layers_of(rows)

    def gram(self) -> Tensor:
        """``U^T R^-1 U``, (B, B)."""
        scale, found = self.scale, None
        one = scale.new_ones(())
        for layer in self._layers:
            by_inputs, by_cotangents = layer.gram(one)
            if found is None:
                found = by_inputs.mul_(by_cotangents)
            else:
                found.addcmul_(by_inputs, by_cotangents)
        if found is None:
            found = scale.new_zeros(len(scale), len(scale))
        for r in self._others.values():
            found.add_(r.gram())
        return found.mul_(scale[:, None]).mul_(scale)

    def along(self, parts: Mapping[Tensor, Tensor]) -> Tensor:
        """``U^T P``, (B,), for the parameters that have a part of P."""
        t: Tensor | None = None
        for layer in self._layers:
            own = layer.along(parts)
            if own is not None:
                t = own if t is None else t.add_(own)
        t = torch.zeros_like(self.scale) if t is None else t
        for p, r in self._others.items():
            if p in parts:
                r.add_along(parts[p], t)
        return t.mul_(self.scale)

    def combine(self, v: Tensor, parts: Mapping[Tensor, Tensor], kept: float) -> None:
        """``P = kept P + R^-1 U v`` in place, for v (B,)."""
        weights = v * self.scale
        column = weights[:, None]
        for layer in self._layers:
            layer.combine(weights, column, parts, kept)
        for p, r in self._others.items():
            r.combine(weights, parts[p], kept)

    def part(self, samples: slice) -> DualSystem:
        """The system of some samples."""
        return DualSystem({p: r.part(samples) for p, r in self.rows.items()}, self.scale[samples])


def _layers_of(rows: Mapping[Tensor, Rows]) -> tuple[list[DenseLayer], dict[Tensor, Rows]]:
    """The dense layers, and the rows of all parameters that are in none."""
    found: dict[int, tuple[Tensor, _Pair, _Pair]] = {}
    biases: dict[int, Tensor] = {}
    others: dict[Tensor, Rows] = {}
    for p, given in rows.items():
        own, raised = (given.rows, given.raised) if type(given) is BasedRows else (given, given)
        pair = _one_place(own)
        after = pair if raised is own else _one_place(raised)
        if pair is not None and after is not None:
            found[id(own)] = p, pair, after
        elif type(own) is BiasRows:
            biases[id(own.weight)] = p
        else:
            others[p] = given
    layers = [DenseLayer(p, biases.pop(k, None), *pairs) for k, (p, *pairs) in found.items()]
    others |= {p: rows[p] for p in biases.values()}
    return layers, others


def _one_place(rows: Rows) -> _Pair | None:
    return rows.one_place if type(rows) is OuterRows else None
