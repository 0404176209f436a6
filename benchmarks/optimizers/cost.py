"""What a step of GaussNewton costs beside one of Adam, by size; and the memory that both take."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.optimizers.peers import OURS, PEERS
from benchmarks.optimizers.race import block_times
from benchmarks.optimizers.task import Task, always, mlp, supervised

# Width, batch, outputs, and the ratio that was asked for.
DENSE = (
    (256, 128, 10, 2.0), (1024, 128, 10, 1.5), (2048, 128, 10, 1.5),
    (256, 512, 10, None), (1024, 512, 10, None), (2048, 512, 10, None),
    (256, 128, 1000, None), (1024, 128, 1000, 1.5), (256, 128, 50_000, 2.0),
)  # fmt: skip
CHANNELS = ((16, 128, 8), (32, 128, 16), (64, 128, 16))  # channels, batch, pixels a side
WIDTHS = (64, 280, 965, 3120)  # about 10^4 to 10^7 parameters
ADAM = PEERS[0]
BLOCK, REPEATS = 2, 5  # steps; the output change is looked at in every second one


def timed(name: str, model: Any, inputs: torch.Tensor, outputs: int) -> dict[str, Any]:
    """A row: ours beside Adam on random labels."""
    targets = torch.randint(outputs, (len(inputs),))
    task = Task(
        name, model, always(inputs, targets), supervised, nn.CrossEntropyLoss, lambda model: 0.0,
        0.0,
    )  # fmt: skip
    adam, ours = block_times(task, [(ADAM, {"lr": 1e-4}), (OURS, {})], block=BLOCK, repeats=REPEATS)
    return {
        "name": name,
        "ours_s": statistics.median(ours) / BLOCK,
        "reference_s": statistics.median(adam) / BLOCK,
        "ratio": statistics.median(
            o / a for o, a in zip(ours, adam, strict=False)
        ),  # a long one is cut
        "parameters": sum(p.numel() for p in model().parameters()),
    }


def dense_rows(sizes: Sequence[tuple[int, int, int, float | None]] = DENSE) -> Iterator[Any]:
    """64 inputs, two hidden layers."""
    for width, batch, outputs, limit in sizes:
        row = timed(
            f"width {width}, batch {batch}, {outputs:,} outputs",
            lambda w=width, q=outputs: mlp(64, w, w, q), torch.randn(batch, 64), outputs,
        )  # fmt: skip
        yield row if limit is None else {**row, "limit": limit}


def convolution_rows(sizes: Sequence[tuple[int, int, int]] = CHANNELS) -> Iterator[Any]:
    """Three convolutions of 3 x 3, pooled to one dense layer."""
    for channels, batch, side in sizes:

        def model(c: int = channels, n: int = side) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(3, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1), nn.ReLU(),
                nn.MaxPool2d(2), nn.Conv2d(c, 2 * c, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(2 * c * (n // 4) ** 2, 10),
            )  # fmt: skip

        name = f"convolutions of {channels} channels, batch {batch}, {side} x {side} pixels"
        yield {**timed(name, model, torch.randn(batch, 3, side, side), 10), "limit": 2.5}


def linear_rows(widths: Sequence[int] = WIDTHS) -> list[dict[str, Any]]:
    """Time against parameters at batch 128, with the exponent of a power law through the rows."""
    rows = [
        timed(f"width {w}, by parameters", lambda w=w: mlp(64, w, w, 10), torch.randn(128, 64), 10)
        for w in widths
    ]
    size = np.log([row["parameters"] for row in rows])
    for key in ("ours_s", "reference_s"):
        rows[-1][f"exponent_{key}"] = float(np.polyfit(size, np.log([r[key] for r in rows]), 1)[0])
    return rows


# The kernel's peak of this program alone: that of getrusage begins at the peak of the parent.
_MEASURED = """
import torch
from torch import nn
from benchmarks.optimizers.task import mlp
torch.set_num_threads(1)
model, x, y = mlp(64, {w}, {w}, 10), torch.randn({b}, 64), torch.randint(10, ({b},))
criterion = nn.CrossEntropyLoss()
from riemannian_torch import GaussNewton
small = mlp(64, 8, 10)
GaussNewton(small, criterion).step(lambda: criterion(small(x), y))  # what a first step loads
def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0])
before = peak()
if "{who}" == "ours":
    optimizer = GaussNewton(model, criterion)
    for _ in range(4):
        optimizer.step(lambda: criterion(model(x), y))
else:
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(4):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
print(peak() - before)
"""


def memory_row(width: int, batch: int) -> dict[str, Any]:
    """Peak memory of four steps beyond the model, in new processes, and a batch's activations."""
    peaks: dict[str, float] = {}
    for who in ("ours", "adam"):
        source = _MEASURED.format(w=width, b=batch, who=who)
        done = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, text=True, check=True
        )
        peaks[who] = int(done.stdout) / 1024
    return {
        "name": f"memory, width {width}, batch {batch}",
        "ours_MiB": peaks["ours"], "adam_MiB": peaks["adam"],
        # What the four layers of `_MEASURED` give and take: inputs, two hidden layers, outputs.
        "activations_MiB": 4 * batch * (64 + 2 * width + 10) / 2**20,
    }  # fmt: skip


COSTS: Mapping[str, Callable[[], list[Any]]] = {
    "dense_costs": lambda: list(dense_rows()),
    "convolution_costs": lambda: list(convolution_rows()),
    "parameter_costs": linear_rows,
    "memory_cost": lambda: [memory_row(3120, 128)],
}
