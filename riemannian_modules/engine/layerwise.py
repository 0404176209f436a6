"""The metric of a composite's parameters, layer by layer or all layers coupled.

Source: Pehle and Slotine (2026), arXiv:2603.03610, the recursive layerwise metric (THEORY section
4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

from riemannian_modules.errors import SignatureError
from riemannian_modules.metrics import (
    BlockDiagonalMetric,
    Factor,
    LowRankMetric,
    Metric,
    low_rank_metric,
    stack,
)
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False, repr=False)
class LayerwiseMetric(Shown, Recomputed):
    """``M_i = mu R_i + U_i U_i^T`` for each layer i that owns parameters.

    Solves cost O(n_i r^2 + r^3) a layer once, then O(n_i r); no n by n matrix is formed where
    r < n.

    Attributes:
        layers: The layers' names, in the order of the flat parameters theta (p,).
        bases: R_i, each layer's own metric on its n_i parameters.
        factors: U_i (n_i, r), whose columns stand for the same output directions in every layer.
        mu: The mass scale, positive.
    """

    layers: tuple[str, ...]
    bases: tuple[Metric, ...]
    factors: tuple[Factor, ...]
    mu: float

    def __getitem__(self, layer: str) -> LowRankMetric:
        """The metric of one layer. Raises SignatureError, with the known names, for others."""
        if layer not in self.layers:
            raise SignatureError(
                f"LayerwiseMetric: no layer {layer!r} owns parameters; those that do are: "
                f"{', '.join(self.layers) or 'none'}."
            )
        return self._metrics[self.layers.index(layer)]

    @cached_property
    def block_diagonal(self) -> BlockDiagonalMetric:
        """The layers' metrics along a diagonal: one metric on theta without coupling of layers."""
        return BlockDiagonalMetric(self._metrics)

    @cached_property
    def joint(self) -> LowRankMetric:
        """``mu R + U U^T``, all layers coupled: the exact damped Gauss-Newton or Fisher metric."""
        return low_rank_metric(BlockDiagonalMetric(self.bases), self.mu, stack(self.factors))

    def solve(self, gradient: Array) -> Array:
        """``M_i^{-1} g_i`` in every layer; gradient and result have shape (p,) or (p, k)."""
        return self.block_diagonal.solve(gradient)

    def apply(self, tangent: Array) -> Array:
        """``M_i v_i`` in every layer; tangent and result have shape (p,) or (p, k)."""
        return self.block_diagonal.apply(tangent)

    def logdet(self) -> float:
        """``sum_i log det M_i``, natural logarithm."""
        return self.block_diagonal.logdet()

    def damped(self, mu: float, bases: Sequence[Metric]) -> LayerwiseMetric:
        """The same output directions with another mass scale and other metrics R_i.

        Raises:
            SignatureError: If there is not one base for each layer, of the layer's size.
        """
        if [base.dim for base in bases] != [base.dim for base in self.bases]:
            raise SignatureError(
                f"LayerwiseMetric.damped: expected a base for each of {', '.join(self.layers)}, of "
                f"sizes {[base.dim for base in self.bases]}, got {[base.dim for base in bases]}."
            )
        return replace(self, mu=mu, bases=tuple(bases))

    @cached_property
    def _metrics(self) -> tuple[LowRankMetric, ...]:
        pairs = zip(self.bases, self.factors, strict=True)
        return tuple(low_rank_metric(base, self.mu, factor) for base, factor in pairs)
