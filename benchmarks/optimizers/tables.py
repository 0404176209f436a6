"""Tasks on the small tables and images that come with scikit-learn."""

from functools import cache

import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.optimizers.task import Task, always, drawn, mean_loss, mlp, supervised


def standard(x: Tensor) -> Tensor:
    """Zero mean and unit deviation of each column; constant columns stay 0."""
    deviation = x.std(0)
    return (x - x.mean(0)) / torch.where(deviation > 0, deviation, 1.0)


@cache
def digits() -> tuple[Tensor, Tensor]:
    """1,797 images of 8 x 8 pixels from 0 to 1, and their labels."""
    found = datasets.load_digits()
    return torch.tensor(found.data / 16, dtype=torch.float32), torch.tensor(found.target)


def classifier(name: str, width: int) -> Task:
    """Digits by two hidden layers, on standardised pixels."""
    x, y = digits()
    x, criterion = standard(x), nn.CrossEntropyLoss()
    return Task(
        name, lambda: mlp(64, width, width, 10), drawn(x, y, size=128), supervised,
        nn.CrossEntropyLoss, mean_loss(criterion, x[::3], y[::3]), goal=0.05, most=240,
        was_seen=True,
    )  # fmt: skip


def convolutional() -> Task:
    """Digits by two convolutions."""
    x, y = digits()
    x = standard(x).reshape(-1, 1, 8, 8)

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 10),
        )  # fmt: skip

    return Task(
        "digits CNN", model, drawn(x, y, size=128), supervised, nn.CrossEntropyLoss,
        mean_loss(nn.CrossEntropyLoss(), x[::3], y[::3]), goal=0.05, most=240, was_seen=True,
    )  # fmt: skip


def autoencoder() -> Task:
    """Digits through 32 numbers."""
    x, _ = digits()
    return Task(
        "autoencoder on digits", lambda: mlp(64, 256, 32, 256, 64), drawn(x, x, size=128),
        supervised, nn.MSELoss, mean_loss(nn.MSELoss(), x[::3], x[::3]), goal=0.01, most=600,
        every=2, was_seen=True,
    )  # fmt: skip


def diabetes() -> Task:
    """A regression of 442 samples on 10 inputs."""
    found = datasets.load_diabetes()
    x = standard(torch.tensor(found.data, dtype=torch.float32))
    y = standard(torch.tensor(found.target, dtype=torch.float32)[:, None])
    return Task(
        "diabetes MLP", lambda: mlp(10, 64, 64, 1, between=nn.Tanh), drawn(x, y, size=128),
        supervised, nn.MSELoss, mean_loss(nn.MSELoss(), x, y), goal=0.2, most=1000, every=2,
        was_seen=True,
    )  # fmt: skip


def breast_cancer() -> Task:
    """569 samples of two classes, by one logit."""
    found = datasets.load_breast_cancer()
    x = standard(torch.tensor(found.data, dtype=torch.float32))
    y = torch.tensor(found.target, dtype=torch.float32)[:, None]
    return Task(
        "breast cancer MLP", lambda: mlp(30, 64, 64, 1), drawn(x, y, size=64), supervised,
        nn.BCEWithLogitsLoss, mean_loss(nn.BCEWithLogitsLoss(), x, y), goal=0.02, most=600,
    )  # fmt: skip


def wine() -> Task:
    """178 samples of three classes, all at each step."""
    found = datasets.load_wine()
    x = standard(torch.tensor(found.data, dtype=torch.float32))
    y = torch.tensor(found.target)
    return Task(
        "wine MLP, full batch", lambda: mlp(13, 32, 32, 3), always(x, y), supervised,
        nn.CrossEntropyLoss, mean_loss(nn.CrossEntropyLoss(), x, y), goal=0.01, most=600,
        is_full_batch=True,
    )  # fmt: skip


class VariationalAutoencoder(nn.Module):
    """Digits through 8 Gaussian numbers; the noise is an argument."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp(64, 128, 16), mlp(8, 128, 64)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        mean, log_deviation = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mean + log_deviation.exp() * noise)
        return torch.cat([logits, mean, log_deviation], 1)


def negative_bound(x: Tensor, outputs: Tensor) -> Tensor:
    """What the evidence bound of each sample misses, above the least that grey pixels leave."""
    logits, mean, log_deviation = outputs.split([64, 8, 8], 1)
    said = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    least = -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x))
    apart = 0.5 * (mean**2 + (2 * log_deviation).exp() - 1) - log_deviation
    return (said - least).sum(1) + apart.sum(1)


def variational() -> Task:
    """A variational autoencoder: a loss that no module of torch has."""
    x, _ = digits()
    fixed = torch.randn(len(x), 8, generator=torch.Generator().manual_seed(7))

    def batches(model, generator):
        for (here,) in drawn(x, size=128)(model, generator):
            yield here, torch.randn(len(here), 8, generator=generator)

    def loss(model, criterion, batch):
        outputs = model(*batch)
        return outputs, negative_bound(batch[0], outputs) / len(batch[0])

    def measure(model):
        with torch.no_grad():
            return float(negative_bound(x, model(x, fixed)).mean())

    return Task(
        "variational autoencoder", VariationalAutoencoder, batches, loss, None, measure,
        goal=13.0, most=1000, every=4,
    )  # fmt: skip
