"""Tasks and seeds on which nothing of the optimizer was chosen.

Its constants were chosen on the races' tasks with the seeds 0, 1 and 2. Here tasks of the same
kinds that were written afterwards, and some of the races' own, start from other seeds.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.optimizers.peers import PEERS
from benchmarks.optimizers.physics import (
    derivatives,
    error_to,
    halton,
    lattice,
    network,
    physical_loss,
)  # fmt: skip
from benchmarks.optimizers.race import raced
from benchmarks.optimizers.registry import TASKS
from benchmarks.optimizers.tables import digits, standard
from benchmarks.optimizers.task import Task, always, drawn, mean_loss, mlp, supervised

SEEDS = (10, 11, 12, 13, 14)
ADAM = PEERS[0]
AGAIN = (
    "digits_256", "digits_cnn", "diabetes", "heat", "breast_cancer", "wine", "karate", "implicit",
)  # fmt: skip


def iris() -> Task:
    """150 flowers of three kinds, in batches of 30."""
    found = datasets.load_iris()
    x = standard(torch.tensor(found.data, dtype=torch.float32))
    y = torch.tensor(found.target)
    return Task(
        "iris MLP", lambda: mlp(4, 32, 32, 3), drawn(x, y, size=30), supervised,
        nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x, y), goal=0.06, most=1000,
    )  # fmt: skip


def friedman() -> Task:
    """A regression on ten inputs, five of which count: Friedman (1991), Ann. Statist. 19, 1-67."""
    found = datasets.make_friedman1(1000, random_state=0)
    x, y = (torch.tensor(part, dtype=torch.float32) for part in found)
    x, y = standard(x), standard(y[:, None])
    return Task(
        "Friedman's regression MLP", lambda: mlp(10, 64, 64, 1, between=nn.SiLU),
        drawn(x, y, size=100), supervised, nn.MSELoss, mean_loss(nn.MSELoss(), x, y), goal=0.02,
        most=1000, every=2,
    )  # fmt: skip


def moons() -> Task:
    """Two half circles that lie in each other, by one logit."""
    points, side = datasets.make_moons(500, noise=0.1, random_state=0)
    x = standard(torch.tensor(points, dtype=torch.float32))
    y = torch.tensor(side, dtype=torch.float32)[:, None]
    return Task(
        "moons MLP", lambda: mlp(2, 32, 32, 1, between=nn.Tanh), drawn(x, y, size=100), supervised,
        nn.BCEWithLogitsLoss, mean_loss(nn.BCEWithLogitsLoss(), x, y), goal=0.02, most=1000,
    )  # fmt: skip


class Residual(nn.Module):
    """Four dense layers, each normalised and added to what came in: He et al. (2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 10)
        self.norms = nn.ModuleList([nn.LayerNorm(64) for _ in range(4)])
        self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + torch.relu(layer(norm(x)))
        return self.last(x)


def residual() -> Task:
    """Digits by a residual network."""
    x, y = digits()
    x = standard(x)
    return Task(
        "digits, residual network", Residual, drawn(x, y, size=128), supervised,
        nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x[::3], y[::3]), goal=0.05, most=600,
    )  # fmt: skip


def convection() -> Task:
    """A wave ``u_t + 2 u_x = 0`` from sin(pi x), which comes in from the left."""
    speed = 2.0

    def exact(points: Tensor) -> Tensor:
        return torch.sin(math.pi * (points[:, :1] - speed * points[:, 1:]))

    def left(model: nn.Module, points: Tensor) -> Tensor:
        _, first, _ = derivatives(model, points)
        return first[:, 1:] + speed * first[:, :1]

    edge = halton(96, (-1.0, 0.0))
    edge[:48, 1], edge[48:, 0] = 0.0, -1.0
    points = lattice(-1.0)
    return Task(
        "convection, full batch", network, always(halton(192, (-1.0, 0.0)), edge, exact(edge)),
        physical_loss(left), nn.MSELoss, error_to(points, exact(points)), goal=5e-2, most=1000,
        every=2, is_full_batch=True,
    )  # fmt: skip


class Reader(nn.Module):
    """A gated recurrent unit that reads an image line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.unit, self.head = nn.GRU(8, 48, batch_first=True), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.unit(x)[0][:, -1])


def lines() -> Task:
    """Digits as sequences of eight lines."""
    x, y = digits()
    x = standard(x).view(-1, 8, 8)
    return Task(
        "digits by lines, recurrent", Reader, drawn(x, y, size=128), supervised,
        nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x[::3], y[::3]), goal=0.1, most=1000,
        every=5,
    )  # fmt: skip


FRESH: Mapping[str, Callable[[], Task]] = {
    "fresh_iris": iris,
    "fresh_friedman": friedman,
    "fresh_moons": moons,
    "fresh_residual": residual,
    "fresh_convection": convection,
    "fresh_lines": lines,
    **{f"again_{name}": TASKS[name] for name in AGAIN},
}


def held_out(name: str) -> Mapping[str, Any]:
    """One of them: ours beside Adam, untuned and tuned."""
    return raced(FRESH[name](), SEEDS, (ADAM,))
