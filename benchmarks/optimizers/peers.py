"""The optimizers that race, each with the defaults of its library and the grid it is tuned on."""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import nn

from benchmarks.optimizers.muon import Muon
from benchmarks.optimizers.task import Batch, Task

Setting = Mapping[str, float]
Step = Callable[[Batch], None]


def rung_beside(value: float, rungs: int) -> float:
    """Powers of the root of 10 to one digit: 1, 3, 10, ...; ``rungs`` above ``value``."""
    return float(f"{10 ** ((round(2 * math.log10(value)) + rungs) / 2):.0e}")


@dataclass(frozen=True, slots=True)
class Peer:
    """One optimizer.

    Attributes:
        make: Optimizers for the parameters, from a setting; several where each takes a part.
        default: What its library or its authors start from.
        grid: Of each option, the values that are tried in all combinations.
        scales: The options without natural ends, on the rungs 1, 3, 10, 30, ... and 1/3, 1/10, ...;
            where the best cell lies at an end of the grid, the grid goes on there.
        full_batch_only: Whether it needs the same batch at each step.
        package: What must be installed.
    """

    name: str
    make: Callable[..., Sequence[torch.optim.Optimizer]]
    default: Setting
    grid: Mapping[str, Sequence[float]] = field(default_factory=dict)
    scales: Sequence[str] = ("lr",)
    full_batch_only: bool = False
    package: str = "torch"

    def settings(self) -> list[Setting]:
        """All cells of the grid, those first that were often the best: they bound the rest."""
        names = list(self.grid)
        return [dict(zip(names, values, strict=True)) for values in product(*self.grid.values())]

    def neighbours(self, setting: Setting) -> list[Setting]:
        """The cells one rung above and below, in each scale that the setting names."""
        return [
            {**setting, name: rung_beside(setting[name], rungs)}
            for name in self.scales if name in setting for rungs in (1, -1)
        ]  # fmt: skip

    def is_there(self) -> bool:
        """Whether its package is installed."""
        return importlib.util.find_spec(self.package) is not None

    def step(self, task: Task, model: nn.Module, setting: Setting) -> Step:
        """What one step does to the model, from a batch."""
        optimizers = self.make(model, **setting)
        criterion = task.criterion() if task.criterion else None

        def loss_of(batch: Batch) -> torch.Tensor:
            found = task.loss(model, criterion, batch)
            return found[1].sum() if isinstance(found, tuple) else found

        def take(batch: Batch) -> None:
            def closure() -> torch.Tensor:
                for optimizer in optimizers:
                    optimizer.zero_grad()
                loss = loss_of(batch)
                loss.backward()
                return loss

            if self.full_batch_only:
                optimizers[0].step(closure)
                return
            closure()
            for optimizer in optimizers:
                optimizer.step()

        return take


@dataclass(frozen=True, slots=True)
class Ours:
    """GaussNewton with the same defaults on every task."""

    name: str = "GaussNewton"
    default: Setting = field(default_factory=dict)

    def step(self, task: Task, model: nn.Module, setting: Setting) -> Step:
        """What one step does to the model, from a batch."""
        from riemannian_torch import GaussNewton

        criterion = task.criterion() if task.criterion else None
        optimizer = GaussNewton(model, criterion, **setting)

        def take(batch: Batch) -> None:
            optimizer.step(lambda: task.loss(model, criterion, batch))

        return take


def sgd(model: nn.Module, lr: float, momentum: float = 0.9) -> list[torch.optim.Optimizer]:
    return [torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)]


def adam(model: nn.Module, lr: float = 1e-3, beta2: float = 0.999) -> list[torch.optim.Optimizer]:
    return [torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, beta2))]


def adamw(model: nn.Module, lr: float, decay: float = 0.01) -> list[torch.optim.Optimizer]:
    return [torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=decay)]


def muon(
    model: nn.Module, lr: float, rest: float = 1e-3, decay: float = 0.0
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices and kernels, AdamW for embeddings and vectors."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    chosen = [p for p in model.parameters() if p.ndim > 1 and id(p) not in tables]
    taken = {id(p) for p in chosen}
    others = [p for p in model.parameters() if id(p) not in taken]
    return [
        Muon(chosen, lr=lr, weight_decay=decay),
        torch.optim.AdamW(others, lr=rest, weight_decay=decay),
    ]


def soap(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    from pytorch_optimizer import SOAP

    return [SOAP(model.parameters(), lr=lr, weight_decay=0.0)]


def shampoo(
    model: nn.Module, lr: float, first: float = 25, every: float = 1000
) -> list[torch.optim.Optimizer]:
    from pytorch_optimizer import ScalableShampoo

    return [ScalableShampoo(
        model.parameters(), lr=lr, start_preconditioning_step=int(first),
        preconditioning_compute_steps=int(every),
    )]  # fmt: skip


def kfac(model: nn.Module, lr: float, damping: float) -> list[torch.optim.Optimizer]:
    """K-FAC without inverses, with its authors' code; layers other than dense and Conv2d fail."""
    from singd.optim.optimizer import SINGD

    layers = (nn.Linear, nn.Conv2d)
    own = sum(p.numel() for m in model.modules() if isinstance(m, layers) for p in m.parameters())
    if own != sum(p.numel() for p in model.parameters()):
        raise NotImplementedError("takes dense layers and Conv2d only")
    return [SINGD(model, lr=lr, damping=damping, kfac_like=True, lr_cov=0.05)]


def lbfgs(model: nn.Module, lr: float = 1.0, history: float = 10) -> list[torch.optim.Optimizer]:
    return [torch.optim.LBFGS(
        model.parameters(), lr=lr, max_iter=1, history_size=int(history),
        line_search_fn="strong_wolfe",
    )]  # fmt: skip


OURS = Ours()
RATES = (1e-2, 3e-2, 3e-3, 1e-3, 3e-4)
PEERS = (
    Peer("Adam", adam, {"beta2": 0.999, "lr": 1e-3}, {"beta2": (0.999, 0.95), "lr": RATES}),
    Peer("SGD", sgd, {"lr": 1e-2}, {"lr": (0.1, 0.3, 1.0, 0.03, 0.01)}),
    Peer("AdamW", adamw, {"decay": 0.01, "lr": 1e-3}, {"decay": (0.01, 0.1), "lr": RATES}),
    Peer("Muon", muon, {"lr": 1e-3, "decay": 0.1}, {
        "rest": (1e-2, 1e-3), "lr": (3e-2, 1e-1, 1e-2, 3e-3)
    }, scales=("lr", "rest")),
    Peer("SOAP", soap, {"lr": 3e-3}, {"lr": RATES}, package="pytorch_optimizer"),
    Peer("Shampoo", shampoo, {"lr": 1e-3}, {
        "first": (5,), "every": (10,), "lr": (0.1, 0.3, 3e-2, 1e-2)
    }, package="pytorch_optimizer"),
    Peer("K-FAC (SINGD)", kfac, {"lr": 1e-3, "damping": 1e-3}, {
        "damping": (1e-3, 1e-2), "lr": (0.1, 3e-2, 1e-2, 3e-3)
    }, package="singd"),
    Peer("L-BFGS", lbfgs, {"history": 10, "lr": 1.0}, {
        "history": (10, 100), "lr": (1.0, 0.3)
    }, full_batch_only=True),
)  # fmt: skip
