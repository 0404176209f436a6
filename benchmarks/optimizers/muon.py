"""Muon as in torch, on kernels too, in the parameters' own precision.

torch's multiplies in bfloat16, for which many processors have no instructions: at width 1024 that
takes nine hundred times as long here.

Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/; torch.optim.Muon.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

QUINTIC, ITERATIONS, SMALLEST = (3.4445, -4.775, 2.0315), 5, 1e-7


def orthogonalised(G: Tensor) -> Tensor:
    """Near U V^T of G = U S V^T (m, n), by Newton and Schulz's iteration."""
    a, b, c = QUINTIC
    X = G.T if len(G) > G.shape[1] else G
    X = X / X.norm().clamp(min=SMALLEST)
    for _ in range(ITERATIONS):
        S = X @ X.T
        X = torch.addmm(X, torch.addmm(S, S, S, beta=b, alpha=c), X, beta=a)
    return X.T if len(G) > G.shape[1] else X


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; a kernel (q, p, ...) is a matrix of q rows."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float,
        momentum: float = 0.95,
    ) -> None:  # fmt: skip
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for p in group["params"]:
                kept = self.state[p].setdefault("momentum", torch.zeros_like(p))
                kept.lerp_(p.grad, 1 - momentum)
                update = orthogonalised(p.grad.lerp(kept, momentum).flatten(1))
                p.mul_(1 - lr * group["weight_decay"])
                scale = math.sqrt(max(1.0, len(update) / update.shape[1]))
                p.sub_(update.view_as(p), alpha=lr * scale)
