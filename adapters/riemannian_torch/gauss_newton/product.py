"""Products with a weight that can be followed through derivatives of any order.

A physics-informed loss differentiates the network in its inputs, and torch then uses each weight
once more in the derivative's own graph, where no hook of a layer sees it. Here the derivative of
``x W^T`` is such a product again, with the weight transposed, which is noted down in turn.
"""

from __future__ import annotations

from typing import Any, Protocol, final

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override


class ProductNotes(Protocol):
    """Where products are noted down."""

    weights_wanted: bool  # whether backward passes are to give the weights' gradients

    def product(self, result: Tensor, x: Tensor, weight: Tensor, is_adjoint: bool) -> None:
        """A product that a derivative has made."""
        ...


@final
class Product(torch.autograd.Function):
    """``x W^T + b`` for x (..., p), or where it is adjoint ``x W`` for x (..., q)."""

    @override
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, is_adjoint: bool, to: ProductNotes
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.is_adjoint, ctx.to = is_adjoint, to
        return F.linear(x, weight.T if is_adjoint else weight, bias)

    @override
    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        (d,) = cotangents
        x, weight = ctx.saved_tensors
        by_x = by_weight = by_bias = None
        if ctx.needs_input_grad[0] and torch.is_grad_enabled():
            by_x = Product.apply(d, weight, None, not ctx.is_adjoint, ctx.to)
            ctx.to.product(by_x, d, weight, not ctx.is_adjoint)
        elif ctx.needs_input_grad[0]:
            cast = weight.to(d.dtype)
            by_x = d @ (cast.T if ctx.is_adjoint else cast)
        if ctx.to.weights_wanted:
            if ctx.needs_input_grad[1]:
                left, right = (x, d) if ctx.is_adjoint else (d, x)
                by_weight = left.flatten(0, -2).T @ right.to(left.dtype).flatten(0, -2)
            if ctx.needs_input_grad[2]:
                by_bias = d.flatten(0, -2).sum(0)
        return (
            None if by_x is None else by_x.to(x.dtype),
            None if by_weight is None else by_weight.to(weight.dtype),
            None if by_bias is None else by_bias.to(weight.dtype),
            None,
            None,
        )
