"""Losses of the user's own: their curvature in the outputs, by derivatives of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import torch
from torch import Tensor
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.output_loss import OutputLoss, divided, rounding


@final
@dataclass(frozen=True, eq=False)
class Given(OutputLoss):
    """Losses of the user's own, each 0 at best; G is the user's, or their Hessian's positive part.

    Attributes:
        losses: Of the samples, (B,).
        outputs: With the graph that leads to the losses.
        slope: The derivative of the losses' sum in the outputs, with its graph.
        factor: S of the user's metric ``G = S S^T``, (B, d, r) for d outputs; None for none.
    """

    losses: Tensor
    outputs: Tensor
    slope: Tensor
    factor: Tensor | None = None

    @override
    def excess(self, f: Tensor) -> Tensor:
        return self.losses

    @override
    def curvature(self, f: Tensor, df: Tensor) -> Tensor:
        if self.factor is not None:
            return (df.flatten(1)[:, None] @ self.factor[: len(df)])[:, 0].square().sum(1)
        whole = torch.zeros_like(self.outputs)
        whole[: len(df)] = df
        if not self.slope.requires_grad:  # a straight line
            return torch.zeros_like(df).sum().reshape(1)
        with torch.enable_grad():
            (product,) = torch.autograd.grad(
                self.slope, self.outputs, whole, retain_graph=True, allow_unused=True
            )
        if product is None:
            return torch.zeros_like(df).sum().reshape(1)
        return (whole * product).flatten(1).sum(1).clamp_min(0.0)

    @override
    def root(self, f: Tensor, z: Tensor) -> Tensor:
        roots, axes = self._axes
        found = axes @ (roots[..., None] * z.flatten(2).movedim(0, -1))  # (B, d, k)
        return found.movedim(-1, 0).reshape(z.shape)

    @override
    def coefficients(self, f: Tensor) -> Tensor:
        roots, axes = self._axes
        slope = self.slope.detach().flatten(1)
        s = divided((axes.mT @ slope[..., None])[..., 0], roots)
        missed = (axes @ (roots * s)[..., None])[..., 0] - slope
        if bool(missed.norm() > 1e-3 * slope.norm()):
            raise UnsupportedError(
                "GaussNewton: expected an output metric that is not zero along the losses' slope, "
                "for the exact metric; got one that is. Use ResidualMetric(), or give another S."
            )
        return s.reshape(f.shape)

    @cached_property
    def _axes(self) -> tuple[Tensor, Tensor]:
        """The roots (B, d) of G's positive eigenvalues, and its axes (B, d, d)."""
        count = self.outputs[0].numel()
        if self.factor is not None:
            hessian = self.factor @ self.factor.mT
        elif not self.slope.requires_grad:
            hessian = self.slope.new_zeros(len(self.outputs), count, count)
        else:
            each = torch.eye(count, dtype=self.slope.dtype, device=self.slope.device)
            each = each[:, None].expand(-1, len(self.outputs), -1)
            with torch.enable_grad():
                (rows,) = torch.autograd.grad(
                    self.slope, self.outputs, each.reshape(count, *self.outputs.shape),
                    retain_graph=True, is_grads_batched=True, materialize_grads=True,
                )  # fmt: skip
            hessian = rows.flatten(2).movedim(0, 1)
        values, axes = torch.linalg.eigh(0.5 * (hessian + hessian.mT))
        least = 4 * count * rounding(values) * values.abs().amax(1, keepdim=True)
        return torch.where(values > least, values, 0.0).sqrt(), axes

    @override
    def first(self, count: int) -> Self:
        return self
