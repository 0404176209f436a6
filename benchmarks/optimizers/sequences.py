"""Tasks on sequences: text by its characters, a signal, and a memory."""

import pydoc_data.topics
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.optimizers.task import Task, drawn, mean_loss, supervised

CONTEXT, CHARACTERS = 32, 96


def encoded(text: str) -> Tensor:
    """Printable ASCII as 0 ... 94; everything else is 95."""
    codes = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype(np.int64) - 32
    return torch.tensor(np.where((codes >= 0) & (codes < 95), codes, 95))


@cache
def descriptions() -> Tensor:
    """What scikit-learn tells of its data sets."""
    loaders = ("digits", "diabetes", "breast_cancer", "wine", "iris", "linnerud")
    return encoded("".join(getattr(datasets, f"load_{name}")().DESCR for name in loaders))


@cache
def manual() -> Tensor:
    """The part of Python's manual that its interpreter carries."""
    return encoded("".join(text for _, text in sorted(pydoc_data.topics.topics.items())))[:300_000]


class Transformer(nn.Module):
    """Two layers of causal attention, 64 wide."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(CHARACTERS, 64), nn.Embedding(CONTEXT, 64)
        self.blocks = nn.ModuleList([Block(64) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, CHARACTERS)

    def forward(self, index: Tensor) -> Tensor:
        x = self.token(index) + self.place(torch.arange(index.shape[1]).expand_as(index))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)).mT  # (B, characters, places)


class Block(nn.Module):
    """Attention with four heads, then a dense layer; both added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.all, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, d = x.shape
        parts = self.all(self.first(x)).view(B, T, 3, 4, d // 4).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(B, T, d))
        return x + self.down(nn.functional.gelu(self.up(self.second(x))))


class Recurrent(nn.Module):
    """A gated recurrent unit over characters."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(CHARACTERS, 32)
        self.unit, self.head = nn.GRU(32, 96, batch_first=True), nn.Linear(96, CHARACTERS)

    def forward(self, index: Tensor) -> Tensor:
        return self.head(self.unit(self.token(index))[0]).mT


def text_task(
    name: str, make: Callable[[], nn.Module], text: Tensor, goal: float, *, was_seen: bool
) -> Task:
    """The next character, from those before it; 32 pieces of text a step."""

    def pieces(starts: Tensor) -> tuple[Tensor, Tensor]:
        index = starts[:, None] + torch.arange(CONTEXT + 1)
        return text[index][:, :-1], text[index][:, 1:]

    def batches(model, generator):
        while True:
            yield pieces(torch.randint(len(text) - CONTEXT - 1, (32,), generator=generator))

    held = pieces(torch.arange(128) * (len(text) // 129))
    return Task(
        name, make, batches, supervised, nn.CrossEntropyLoss,
        mean_loss(nn.CrossEntropyLoss(), *held), goal, most=600, every=10, was_seen=was_seen,
    )  # fmt: skip


def characters() -> Task:
    """A transformer."""
    return text_task("characters, transformer", Transformer, descriptions(), 2.5, was_seen=True)


def topics() -> Task:
    """A recurrent net on Python's manual."""
    return text_task("manual, recurrent", Recurrent, manual(), 2.4, was_seen=False)


class Adder(nn.Module):
    """A gated recurrent unit whose last state gives one number."""

    def __init__(self) -> None:
        super().__init__()
        self.unit, self.head = nn.GRU(2, 48, batch_first=True), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.unit(x)[0][:, -1])


def memory() -> Task:
    """The sum of the two marked numbers among 20: Hochreiter and Schmidhuber (1997)."""

    def sequences(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        values = torch.rand(count, 20, generator=generator)
        marks = torch.zeros(count, 20)
        for half in (0, 10):
            marks.scatter_(1, half + torch.randint(10, (count, 1), generator=generator), 1.0)
        return torch.stack([values, marks], 2), (values * marks).sum(1, keepdim=True)

    def batches(model, generator):
        while True:
            yield sequences(64, generator)

    held = sequences(500, torch.Generator().manual_seed(7))
    return Task(
        "memory, recurrent", Adder, batches, supervised, nn.MSELoss,
        mean_loss(nn.MSELoss(), *held), goal=0.02, most=1500, every=10,
    )  # fmt: skip


TEMPLATES = (
    "5 6 6.5 6.75 7 7 7 7 6.75 6.5 6 5", "5 3 3 3.4 3.8 4.2 4.6 5 5.4 5.8 5 5",
    "5 6 6.5 6.5 6 5.25 4.75 4 3.5 3.5 4 5", "5 6 6.5 6.5 6 5 5 6 6.5 6.5 6 5",
    "5 4.4 3.8 3.2 2.6 2.6 5 5 5 5 5 5", "5 3 3 3 3 5 6 6.5 6.5 6 4.5 5",
    "5 4 3.5 3.25 3 3 3 3 3.25 3.5 4 5", "5 7 7 6.6 6.2 5.8 5.4 5 4.6 4.2 5 5",
    "5 4 3.5 3.5 4 5 5 4 3.5 3.5 4 5", "5 4 3.5 3.5 4 5 5 5 5 4.7 4.3 5",
)  # fmt: skip


@cache
def mnist1d() -> tuple[Tensor, Tensor]:
    """4,000 signals of 40 points: Greydanus (2020), arXiv:2011.14439, its recipe and constants."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(42)
    shapes = np.array([[float(v) for v in line.split()] for line in TEMPLATES])
    shapes = (shapes - shapes.mean(1, keepdims=True)) / shapes.std(1, keepdims=True)
    shapes = (shapes - shapes[:, :1]) / 6.0
    signals: list[np.ndarray] = []
    labels = np.arange(4000) % 10
    for label in labels:
        x = np.concatenate([shapes[label], np.zeros(36 + int(rng.random() * 24))])
        x = x * (1 + 0.4 * (rng.random() - 0.5))
        x = np.roll(x, int(rng.random() * 48))
        x = x + 0.25 * gaussian_filter(rng.standard_normal(len(x)), 2) * np.ptp(x)
        x = x + 0.02 * rng.standard_normal(len(x))
        x = x - 0.75 * (rng.random() - 0.5) * np.linspace(-0.5, 0.5, len(x))
        signals.append(np.interp(np.linspace(0, 1, 40), np.linspace(0, 1, len(x)), x))
    found = np.array(signals)
    x = torch.tensor(found / found.std(), dtype=torch.float32)
    return x[:, None], torch.tensor(labels)


def signals() -> Task:
    """Signals by three convolutions."""
    x, y = mnist1d()

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv1d(1, 25, 5, stride=2, padding=1), nn.ReLU(),
            nn.Conv1d(25, 25, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv1d(25, 25, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(125, 10),
        )  # fmt: skip

    return Task(
        "mnist1d CNN", model, drawn(x, y, size=100), supervised, nn.CrossEntropyLoss,
        mean_loss(nn.CrossEntropyLoss(), x[:2000], y[:2000]), goal=0.5, most=1500, every=10,
    )  # fmt: skip
