"""Differential equations solved by a network: residuals inside, given values on the boundary.

Source: Raissi, Perdikaris and Karniadakis (2019), J. Comput. Phys. 378, 686-707.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.optimizers.task import Batch, Task, always, mlp

BOUNDARY_WEIGHT = 10.0
DIFFUSION, VISCOSITY = 0.1, 0.05


def network() -> nn.Module:
    """Two hidden layers of 32."""
    return mlp(2, 32, 32, 1, between=nn.Tanh)


def derivatives(model: nn.Module, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values (B, 1), first (B, 2) and pure second (B, 2) derivatives."""
    points = points.detach().requires_grad_()
    u = model(points)
    (first,) = torch.autograd.grad(u.sum(), points, create_graph=True)
    second = [
        torch.autograd.grad(first[:, k].sum(), points, create_graph=True)[0][:, k] for k in (0, 1)
    ]
    return u, first, torch.stack(second, 1)


def physical_loss(residual: Callable[[nn.Module, Tensor], Tensor]):
    """Mean squares of the residual inside and, ten times, of the misfit on the boundary."""

    def loss(model: nn.Module, criterion: nn.Module, batch: Batch) -> Tensor:
        inside, edge, given = batch
        found = residual(model, inside)
        interior = criterion(found, torch.zeros_like(found))
        return interior + BOUNDARY_WEIGHT * criterion(model(edge), given)

    return loss


def error_to(points: Tensor, exact: Tensor) -> Callable[[nn.Module], float]:
    """The relative error in the square mean."""

    def measure(model: nn.Module) -> float:
        with torch.no_grad():
            return float((model(points) - exact).norm() / exact.norm())

    return measure


def lattice(x_low: float, count: int = 41) -> Tensor:
    """Points (x, t) or (x, y) of a lattice, x from x_low to 1 and the other from 0 to 1."""
    x, t = torch.linspace(x_low, 1, count), torch.linspace(0, 1, count)
    return torch.cartesian_prod(x, t)


def heat_at(points: Tensor) -> Tensor:
    """The solution of u_t = a u_xx from sin(pi x), with zeros at both ends."""
    decay = torch.exp(-DIFFUSION * math.pi**2 * points[:, 1:])
    return decay * torch.sin(math.pi * points[:, :1])


def heat(goal: float, most: int) -> Task:
    """The heat equation; new points at each step."""

    def residual(model: nn.Module, points: Tensor) -> Tensor:
        _, first, second = derivatives(model, points)
        return first[:, 1:] - DIFFUSION * second[:, :1]

    def batches(model, generator):
        while True:
            inside, edge = (torch.rand(n, 2, generator=generator) for n in (128, 64))
            edge[:32, 1] = 0.0
            edge[32:, 0] = torch.round(edge[32:, 0])
            yield inside, edge, heat_at(edge)

    points = lattice(0.0)
    return Task(
        f"heat equation to {goal:g}", network, batches, physical_loss(residual), nn.MSELoss,
        error_to(points, heat_at(points)), goal, most, every=2, was_seen=True,
    )  # fmt: skip


def halton(count: int, low: tuple[float, float]) -> Tensor:
    """Well spread points between ``low`` and 1."""
    from scipy.stats import qmc

    found = qmc.Halton(2, seed=0).random(count)
    return torch.tensor(np.array(low) + (1.0 - np.array(low)) * found, dtype=torch.float32)


def poisson() -> Task:
    """Poisson's equation on a square; the same points at each step."""

    def exact(points: Tensor) -> Tensor:
        return torch.sin(math.pi * points).prod(1, keepdim=True)

    def residual(model: nn.Module, points: Tensor) -> Tensor:
        _, _, second = derivatives(model, points)
        return second.sum(1, keepdim=True) + 2 * math.pi**2 * exact(points)

    edge = halton(64, (0.0, 0.0))
    for k in range(4):
        edge[k::4, k % 2] = float(k // 2)
    points = lattice(0.0)
    return Task(
        "Poisson's equation, full batch", network,
        always(halton(192, (0.0, 0.0)), edge, torch.zeros(64, 1)), physical_loss(residual),
        nn.MSELoss, error_to(points, exact(points)), goal=1e-2, most=600, every=2,
        is_full_batch=True,
    )  # fmt: skip


def burgers_at(points: Tensor) -> Tensor:
    """Burgers' equation from -sin(pi x): Cole (1951) and Hopf (1950), by Gauss-Hermite sums."""
    nodes, weights = np.polynomial.hermite.hermgauss(80)
    x, t = points.double().numpy().T
    y = x[:, None] - 2 * np.sqrt(VISCOSITY * t)[:, None] * nodes
    potential = weights * np.exp(-np.cos(np.pi * y) / (2 * np.pi * VISCOSITY))
    found = -(np.sin(np.pi * y) * potential).sum(1) / potential.sum(1)
    return torch.tensor(found[:, None], dtype=torch.float32)


def burgers() -> Task:
    """Burgers' equation, which grows steep; the same points at each step."""

    def residual(model: nn.Module, points: Tensor) -> Tensor:
        u, first, second = derivatives(model, points)
        return first[:, 1:] + u * first[:, :1] - VISCOSITY * second[:, :1]

    edge = halton(96, (-1.0, 0.0))
    edge[:48, 1] = 0.0
    edge[48:72, 0], edge[72:, 0] = -1.0, 1.0
    points = lattice(-1.0)
    return Task(
        "Burgers' equation, full batch", network,
        always(halton(256, (-1.0, 0.0)), edge, burgers_at(edge)), physical_loss(residual),
        nn.MSELoss, error_to(points, burgers_at(points)), goal=5e-2, most=600, every=2,
        is_full_batch=True,
    )  # fmt: skip
