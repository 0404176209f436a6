"""Fits of many parameters, outputs or samples, beside torch's optimisers and NumPy by hand.

A network 10-64-64-1 on 353 samples to a mean square error of 0.05 against L-BFGS and Adam with the
best of four rates; 300 classes, with the memory that it takes; a gradient of a million parameters
against its products alone, and through torch against torch; one epoch of mini-batches; and the
covariance of half a million samples. Without torch its rows are left out.
"""

import contextlib
import importlib.util
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.engine import (
    BernoulliLoss,
    CategoricalLoss,
    FullBatch,
    MiniBatches,
    NoProgress,
    fit,
    gradient,
    one_hot,
)

HAS_TORCH = importlib.util.find_spec("torch") is not None
SEEDS, REPEATS = 2, 5
GOAL = 0.05  # mean square error
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
WIDE = (100, 700, 700, 700, 10)  # 1,059,110 parameters
BATCH = 32


def network(rng: np.random.Generator, *widths: int) -> rm.RiemannianModule:
    """Dense layers with tanh between them, drawn as torch draws them."""
    parts: list[rm.RiemannianModule] = []
    for n_in, n_out in pairwise(widths):
        bound = 1.0 / np.sqrt(n_in)
        W = rng.uniform(-bound, bound, (n_out, n_in))
        parts += [rm.Affine(W, rng.uniform(-bound, bound, n_out)), rm.Tanh(n_out)]
    return rm.chain(*parts[:-1])


def run() -> dict[str, Any]:
    rows = [*network_rows(), *gradient_rows(), classes_row(), batches_row(), covariance_row()]
    return {"rows": rows}


def network_rows() -> list[dict[str, Any]]:
    """To the goal from the same start, with defaults, against torch's optimisers."""
    if not HAS_TORCH:
        return []
    found: list[dict[str, Any]] = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((353, 10))
        y = np.sin(X[:, :3].sum(axis=1, keepdims=True)) + 0.1 * rng.standard_normal((353, 1))
        net = network(rng, 10, 64, 64, 1)
        data = {"u": X, "y": y}
        trial = fit(net, data, schedule=FullBatch(60), progress=NoProgress())
        errors = [2 * line.loss / len(X) for line in trial.history]
        steps = next(i for i, error in enumerate(errors, 1) if error <= GOAL)

        def ours(net: Any = net, data: Any = data, steps: int = steps) -> object:
            return fit(net, data, schedule=FullBatch(steps), progress=NoProgress())

        rate = min(RATES, key=lambda r, net=net, X=X, y=y: adam(net, X, y, r))
        for name, reference in (
            ("L-BFGS", lambda net=net, X=X, y=y: lbfgs(net, X, y)),
            (f"Adam at its best rate {rate}", lambda net=net, X=X, y=y, r=rate: adam(net, X, y, r)),
        ):
            times = paired_times(ours, reference, REPEATS)
            row = times.row(f"MLP 10-64-64-1 to mse {GOAL}, seed {seed}, against {name}")
            found.append({**row, "steps": steps, "limit": 1.0})
    return found


def twin(net: rm.RiemannianModule) -> Any:
    """The same network in torch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers: list[Any] = []
    for owner in net.owners.values():
        if isinstance(owner, rm.Affine):
            W, b = owner.parameters["W"], owner.parameters["b"]
            layer = nn.Linear(W.shape[1], W.shape[0]).double()
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(W))
                layer.bias.copy_(torch.tensor(b))
            layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class _ReachedError(Exception):
    """The goal has been reached."""


def lbfgs(net: rm.RiemannianModule, X: np.ndarray, y: np.ndarray) -> int:
    """Evaluations of torch's L-BFGS until the goal."""
    import torch

    model, u, t, count = twin(net), torch.tensor(X), torch.tensor(y), 0
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=2_000, line_search_fn="strong_wolfe", history_size=20
    )

    def closure() -> Any:
        nonlocal count
        count += 1
        optimiser.zero_grad()
        loss = ((model(u) - t) ** 2).mean()
        if loss.item() <= GOAL:
            raise _ReachedError
        loss.backward()
        return loss

    with contextlib.suppress(_ReachedError):
        optimiser.step(closure)
    return count


def adam(net: rm.RiemannianModule, X: np.ndarray, y: np.ndarray, rate: float) -> int:
    """Steps of torch's Adam until the goal."""
    import torch

    model, u, t = twin(net), torch.tensor(X), torch.tensor(y)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    for count in range(3_000):
        optimiser.zero_grad()
        loss = ((model(u) - t) ** 2).mean()
        if loss.item() <= GOAL:
            return count
        loss.backward()
        optimiser.step()
    return 3_000


def gradient_rows() -> list[dict[str, Any]]:
    """A million parameters: against the layers' products by hand, and torch's own backward."""
    rng = np.random.default_rng(0)
    net, u, g = network(rng, *WIDE), rng.standard_normal((BATCH, 100)), np.ones((BATCH, 10))
    point = net.point(None, u)
    layers = [owner for owner in net.owners.values() if isinstance(owner, rm.Affine)]
    weights = [(layer.parameters["W"], layer.parameters["b"]) for layer in layers]

    def by_hand() -> np.ndarray:
        seen = [u]
        for i, (W, b) in enumerate(weights):
            value = seen[-1] @ W.T + b
            seen.append(np.tanh(value) if i < len(weights) - 1 else value)
        p, parts = g, []
        for (W, _), a in zip(weights[::-1], seen[-2::-1], strict=True):
            parts = [(p.T @ a).ravel(), p.sum(axis=0), *parts]
            p = (p @ W) * (1 - a**2)
        return np.concatenate(parts)

    assert np.allclose(by_hand(), gradient(net, point, g), rtol=1e-10)
    times = paired_times(lambda: gradient(net, point, g), by_hand, REPEATS)
    name = f"gradient of {point.theta.size:,} parameters, batch {BATCH}"
    found = [{**times.row(f"{name}, against NumPy by hand"), "limit": 1.5}]
    if HAS_TORCH:
        found.append(torch_gradient_row(net, u, g, name))
    return found


def torch_gradient_row(
    net: rm.RiemannianModule, u: np.ndarray, g: np.ndarray, name: str
) -> dict[str, Any]:
    """Through a TorchModule, against the same model's own backward pass."""
    import torch

    from riemannian_torch import TorchModule

    model = twin(net)
    module = TorchModule(model, rm.space(u=u.shape[1]))
    point, tensors = module.point(None, u), (torch.tensor(u), torch.tensor(g))

    def plain() -> Any:
        model.zero_grad()
        model(tensors[0]).backward(tensors[1])
        return torch.cat([p.grad.ravel() for p in model.parameters()]).numpy()

    assert np.allclose(plain(), gradient(module, point, g), rtol=1e-10)
    times = paired_times(lambda: gradient(module, point, g), plain, REPEATS)
    return {**times.row(f"{name}, TorchModule against torch"), "limit": 1.5}


def peak_of(work: Callable[[], object]) -> float:
    """Megabytes that NumPy held at once."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def classes_row() -> dict[str, Any]:
    """Ten steps on 300 classes, beside the sweeps that their products are counted as."""
    rng = np.random.default_rng(0)
    net, B, q = network(rng, 20, 32, 300), 128, 300
    X, labels = rng.standard_normal((B, 20)), rng.integers(0, q, B).astype(float)
    data, point = {"u": X, "y": one_hot(labels, q)}, net.point(None, X)
    found: list[Any] = []

    def work() -> None:
        found.append(fit(
            net, data, CategoricalLoss(), schedule=FullBatch(10), progress=NoProgress()
        ))  # fmt: skip

    slopes = np.ones((B, q))
    sweeps = lambda: [gradient(net, point, slopes) for _ in range(1_000)]  # noqa: E731
    times = paired_times(work, sweeps, 3)
    return {
        **times.row("300 classes, 10,572 parameters, batch 128: ten steps against 1,000 gradients"),
        "peak_MB": peak_of(work),
        "outputs_factor_MB": B * q * q * 8 / 1e6,
        "loss_first": found[-1].history[0].loss / B,
        "loss_last": found[-1].loss / B,
    }


def batches_row() -> dict[str, Any]:
    """Logistic regression of 100,000 samples: an epoch against the full fit."""
    rng = np.random.default_rng(0)
    n, p = 100_000, 10
    X = rng.standard_normal((n, p))
    chance = 1 / (1 + np.exp(-(X @ (0.3 * rng.standard_normal(p)) + 0.5)))
    data = {"u": X, "y": (rng.random(n) < chance).astype(float)[:, None]}
    module, results = rm.Affine(np.zeros((1, p)), 0.0), {}

    def ours() -> None:
        schedule = MiniBatches(100, 1)
        results["part"] = fit(
            module, data, BernoulliLoss(), schedule=schedule, progress=NoProgress()
        )

    def full() -> None:
        results["full"] = fit(module, data, BernoulliLoss(), progress=NoProgress())

    row = paired_times(ours, full, 3).row("one epoch of batches of 100, against all samples")
    apart = np.abs(results["part"].theta - results["full"].theta) / results["full"].deviations
    return {**row, "deviations_apart": float(apart.max()), "apart_limit": 0.2}


def covariance_row() -> dict[str, Any]:
    """500,000 samples, 45 parameters: the fit with its deviations against NumPy's least squares."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500_000, 44))
    y = X @ np.ones(44) + rng.standard_normal(len(X))
    data = {"u": X, "y": y[:, None]}
    module, results = rm.Affine(np.zeros((1, 44)), 0.0), {}
    A = np.column_stack([X, np.ones(len(X))])

    def ours() -> None:
        results["fit"] = fit(module, data, progress=NoProgress())

    def reference() -> None:
        beta, left, *_ = np.linalg.lstsq(A, y, rcond=None)
        variance = left / (len(y) - 45)
        results["deviations"] = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * variance)
        results["theta"] = beta

    row = paired_times(ours, reference, 3).row("500,000 samples, 45 parameters, with deviations")
    gap = np.abs(results["fit"].deviations / results["deviations"] - 1).max()
    return {**row, "deviations_relative_gap": float(gap)}
