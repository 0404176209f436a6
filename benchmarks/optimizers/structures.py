"""Tasks of other structure: a graph, a policy in a simulator, and a layer that is an equation."""

import math

import networkx as nx
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.optimizers.tables import digits, standard
from benchmarks.optimizers.task import Task, always, drawn, mean_loss, mlp, supervised


class GraphNetwork(nn.Module):
    """Two layers that average over neighbours: Kipf and Welling (2017), arXiv:1609.02907."""

    def __init__(self, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.first, self.second = nn.Linear(len(adjacency), 16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.adjacency @ self.first(x))
        return self.adjacency @ self.second(hidden)


def karate() -> Task:
    """Which of the two clubs each of 34 members joined."""
    graph = nx.karate_club_graph()
    A = torch.tensor(nx.to_numpy_array(graph, weight=None), dtype=torch.float32) + torch.eye(34)
    scale = A.sum(1).rsqrt()
    adjacency = scale[:, None] * A * scale
    y = torch.tensor([int(graph.nodes[i]["club"] == "Officer") for i in graph])
    x = torch.eye(34)
    return Task(
        "karate club, graph network", lambda: GraphNetwork(adjacency), always(x, y), supervised,
        nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x, y), goal=0.05, most=1000,
        is_full_batch=True,
    )  # fmt: skip


def pole_after(state: np.ndarray, force: np.ndarray) -> np.ndarray:
    """Carts (n, 4) after 0.02 s: Barto, Sutton and Anderson (1983), as in Gymnasium's CartPole."""
    _, speed, angle, turn = state.T
    cos, sin = np.cos(angle), np.sin(angle)
    pushed = (force + 0.05 * turn**2 * sin) / 1.1
    turning = (9.8 * sin - cos * pushed) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    change = np.stack([speed, pushed - 0.05 * turning * cos / 1.1, turn, turning], 1)
    return state + 0.02 * change


def episodes(model: nn.Module, count: int, generator: torch.Generator):
    """States, actions and how many steps each pole still stood, of all steps of ``count`` carts."""
    state = torch.rand(count, 4, generator=generator).numpy() * 0.1 - 0.05
    stands = np.ones(count, dtype=bool)
    seen, acted, alive = [], [], []
    while stands.any() and len(seen) < 200:
        inputs = torch.tensor(state, dtype=torch.float32)
        with torch.no_grad():
            chance = torch.softmax(model(inputs), 1)[:, 1]
        action = torch.rand(count, generator=generator) < chance
        seen.append(inputs)
        acted.append(action.long())
        alive.append(torch.tensor(stands))
        state = pole_after(state, np.where(action.numpy(), 10.0, -10.0))
        stands &= (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < math.pi / 15)
    still = torch.stack(alive)  # (steps, count)
    return torch.stack(seen), torch.stack(acted), still


def returns(still: Tensor) -> Tensor:
    """Rewards to come, discounted by 0.99."""
    found, later = [], torch.zeros(still.shape[1])
    for stands in still.flip(0):
        later = stands.float() * (1.0 + 0.99 * later)
        found.append(later)
    return torch.stack(found[::-1])


def pole() -> Task:
    """Policy gradients (Williams 1992) on 16 carts a step, 200 of their moments."""

    def batches(model, generator):
        while True:
            seen, acted, still = episodes(model, 16, generator)
            gain = returns(still)[still]
            # Weights that are not negative: the worst moment of the batch is the baseline.
            gain = (gain - gain.min()) / (gain.std() + 1e-6)
            here = torch.randperm(len(gain), generator=generator)[:200]
            yield seen[still][here], acted[still][here], gain[here]

    def loss(model, criterion, batch):
        inputs, actions, gain = batch
        outputs = model(inputs)
        each = nn.functional.cross_entropy(outputs, actions, reduction="none")
        return outputs, gain * each / len(each)

    def measure(model):
        _, _, still = episodes(model, 32, torch.Generator().manual_seed(7))
        return -float(still.sum()) / 32

    return Task(
        "CartPole, policy gradient", lambda: mlp(4, 32, 2, between=nn.Tanh), batches, loss, None,
        measure, goal=-150.0, most=300, every=5,
    )  # fmt: skip


class Equilibrium(nn.Module):
    """``z = tanh(W z + U x)``, differentiated as an implicit function.

    Source: Bai, Kolter and Koltun (2019), arXiv:1909.01377.
    """

    def __init__(self, n_in: int, width: int, n_out: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width, bias=False), nn.Linear(n_in, width)
        self.head = nn.Linear(width, n_out)
        with torch.no_grad():
            self.inner.weight.mul_(0.5)

    def forward(self, x: Tensor) -> Tensor:
        drive = self.outer(x)
        z = torch.zeros_like(drive)
        with torch.no_grad():
            for _ in range(15):
                z = torch.tanh(z @ self.inner.weight.T + drive)
        z = torch.tanh(self.inner(z) + drive)
        if z.requires_grad:
            slope = (1 - z**2).detach()
            weight = self.inner.weight.detach()

            def solved(g: Tensor) -> Tensor:
                # g (I - J)^-1 by the same iteration; J = diag(slope) W.
                total = g
                for _ in range(15):
                    total = g + (total * slope) @ weight
                return total

            z.register_hook(solved)
        return self.head(z)


def equilibrium() -> Task:
    """Digits by one implicit layer."""
    x, y = digits()
    x = standard(x)
    return Task(
        "implicit layer on digits", lambda: Equilibrium(64, 64, 10), drawn(x, y, size=128),
        supervised, nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x[::3], y[::3]),
        goal=0.05, most=300,
    )  # fmt: skip
