"""Trains the controller and the metric of `test_quadrotor` together: writes quadrotor.json.

``python tests/cases/train_quadrotor.py FILE``, two minutes on one core, with a fixed seed; needs
torch. What is trained is only what the proof is made of: that it can be proved is for `certify`.

The loss is the worst log-norm among random points, corners of the region among them, and what
intervals lose: how far the tested matrix moves, how far the metric does, and how far the hidden
units are bent. Start: a linear quadratic regulator with its constant metric.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import solve_continuous_are, solve_continuous_lyapunov

GRAVITY = 9.81
NEURONS, UNITS, STEPS, BITS = 4, 4, 1500, 11
# Positions, velocities, thrust above hover, roll, pitch and yaw.
REGION = 0.6 * torch.tensor([1.0] * 6 + [2.0, 0.35, 0.35, 0.5], dtype=torch.float64)


def flow(s, W1, W2, K):
    control = W2 @ torch.tanh(W1 @ s) - K @ s
    thrust, roll, pitch = GRAVITY + s[6], s[7], s[8]
    fall = GRAVITY - thrust * torch.cos(pitch) * torch.cos(roll)
    side = thrust * torch.cos(pitch) * torch.sin(roll)
    return torch.cat([s[3:6], torch.stack([-thrust * torch.sin(pitch), side, fall]), control])


def coordinates(s, Theta, V):
    return Theta[0] + (torch.tanh(V @ s[3:9])[:, None, None] * Theta[1:]).sum(0)


def generalised_jacobian(s, parameters):
    """The symmetric part of ``(Thetadot + Theta J) Theta^-1``; its eigenvalues are log-norms."""
    W1, W2, K, Theta, V = parameters
    J = torch.func.jacfwd(flow)(s, W1, W2, K)
    along = flow(s, W1, W2, K)
    theta, rate = torch.func.jvp(lambda z: coordinates(z, Theta, V), (s,), (along,))
    F = (rate + theta @ J) @ torch.linalg.inv(theta)
    return (F + F.T) / 2


def started(generator):
    A, B = np.zeros((10, 10)), np.eye(10)[:, 6:]
    A[:3, 3:6] = np.eye(3)
    A[3, 8], A[4, 7], A[5, 6] = -GRAVITY, GRAVITY, -1.0
    X = solve_continuous_are(A + 0.4 * np.eye(10), B, np.eye(10), 0.2 * np.eye(4))
    K = 5.0 * B.T @ X
    M = solve_continuous_lyapunov((A - B @ K + 0.7 * np.eye(10)).T, -np.eye(10))
    constant = torch.tensor(np.linalg.cholesky(10 * M / np.trace(M)).T)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return [
        0.3 * normal(NEURONS, 10),
        0.1 * normal(4, NEURONS),
        torch.tensor(K),
        torch.cat([constant[None], 0.02 * normal(UNITS, 10, 10)]),
        normal(UNITS, 6) * torch.tensor([0.3, 0.3, 0.3, 0.3, 1.0, 1.0]),
    ]


def drawn(generator):
    x = 2 * torch.rand(384, 10, generator=generator, dtype=torch.float64) - 1
    is_edge = torch.rand(192, 10, generator=generator) < 0.7
    x[:192] = torch.where(is_edge, x[:192].sign(), x[:192])
    return x * REGION


def loss_at(x, parameters):
    W1, _, _, Theta, V = parameters
    F = torch.vmap(generalised_jacobian, (0, None))(x, parameters)
    bounds = torch.linalg.eigvalsh(F)[:, -1]
    soft = 0.03 * torch.logsumexp(bounds / 0.03, 0) + 0.5 * bounds.max()
    spread = ((F - F.mean(0)) ** 2).sum((1, 2)).mean().sqrt()
    inverse = torch.linalg.inv(Theta[0])
    change = sum(torch.linalg.matrix_norm(part @ inverse, 2) for part in Theta[1:])
    reach = torch.cat([W1.abs() @ REGION, V.abs() @ REGION[3:9]])
    bend = (torch.relu(reach - 0.5) ** 2).sum()
    return soft + 2.5 * (spread + change) + 0.3 * bend, bounds


def main(file: Path) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    parameters = [p.requires_grad_(True) for p in started(generator)]
    optimiser = torch.optim.Adam(parameters)
    kept = torch.zeros(0, 10, dtype=torch.float64)  # the worst points stay in
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 4e-3 * (1 - step / STEPS) + 1e-4
        x = torch.cat([drawn(generator), kept])
        loss, bounds = loss_at(x, parameters)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        kept = x[bounds.detach().argsort(descending=True)[:64]]
        if step % 100 == 0:
            print(f"step {step}: worst rate {-bounds.max():.4f}", flush=True)
    names = ("W1", "W2", "K", "Theta", "V")
    rounded = (torch.round(p.detach() * 2**BITS) / 2**BITS for p in parameters)
    weights = {name: p.tolist() for name, p in zip(names, rounded, strict=True)}
    file.write_text(json.dumps(weights) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
