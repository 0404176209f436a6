"""What was asked of the optimizer before it was written, beside what was measured."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.optimizers import kept
from benchmarks.optimizers.verdicts import (
    Result,
    least_ratio_to,
    ours_in,
    peers_in,
    ratio_to,
    verdict,
)  # fmt: skip

# Least and most: they differ where a peer was left before it reached its goal.
Bounds = tuple[float, float]
Measured = Callable[[Path], Bounds | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One figure; ``measured`` gives None where its part has not run."""

    words: str
    limit: float
    measured: Measured
    at_least: bool = False

    def verdict(self, bounds: Bounds) -> str:
        """Whether the figure is on the asked side of its limit."""
        low, high = (-b for b in reversed(bounds)) if self.at_least else bounds
        limit = -self.limit if self.at_least else self.limit
        if high <= limit:
            return "met"
        return "**missed**" if low > limit else "open"


def exactly(value: float | None) -> Bounds | None:
    """A figure without doubt."""
    return None if value is None else (value, value)


def ratio(task: str, *peers: str) -> Measured:
    """Our CPU time to a task's goal over that of the best tuned of these peers (of all)."""

    def measured(folder: Path) -> Bounds | None:
        result = kept.read(folder, task)
        if result is None or not peers_in(result):
            return None
        return least_ratio_to(result, *peers), ratio_to(result, *peers)

    return measured


def largest(part: str, figure: Callable[[Result], float | None]) -> Measured:
    """The largest of the figures that a part's rows give; those without one give None."""

    def measured(folder: Path) -> Bounds | None:
        found = [value for row in kept.rows(folder, part) if (value := figure(row)) is not None]
        return exactly(max(found, default=None))

    return measured


def cost_where(*starts: str) -> Callable[[Result], float | None]:
    """The cost of a step in Adam's, of rows whose name starts with one of these."""
    return lambda row: row["ratio"] if row["name"].startswith(starts) else None


def share(won: str) -> Measured:
    """The share of the races that are won in a sense of ``verdict``."""

    def measured(folder: Path) -> Bounds | None:
        found = [verdict(result)[won] for result in kept.races(folder)]
        return exactly(statistics.mean(found) if found else None)

    return measured


def memory(row: Result) -> float:
    """Our memory over twice Adam's and two batches of activations."""
    return row["ours_MiB"] / (2 * row["adam_MiB"] + 2 * row["activations_MiB"])


def mapped(start: str) -> Callable[[Result], float | None]:
    """How far the defaults are from the best cell of a task's maps."""
    return lambda row: row["default_over_best"] if row["name"].startswith(start) else None


def worst_seed(folder: Path) -> Bounds | None:
    """The most steps of ours to an error of 0.001, of the seeds."""
    result = kept.read(folder, "heat_fine")
    return None if result is None else exactly(max(ours_in(result)["tuned_steps"]))


ASKED: Sequence[Asked] = (
    Asked("Step, width ≥ 1024, batch 128", 1.5, largest(
        "dense_costs", cost_where("width 1024, batch 128", "width 2048, batch 128")
    )),
    Asked("Step, width 256, batch 128", 2.0, largest(
        "dense_costs", cost_where("width 256, batch 128, 10 outputs")
    )),
    Asked("Step, 50,000 outputs", 2.0, largest(
        "dense_costs", cost_where("width 256, batch 128, 50,000")
    )),
    Asked("Step, convolutions", 2.5, largest("convolution_costs", lambda row: row["ratio"])),
    Asked("Time ~ parameters to the power, from 10⁴ to 10⁷", 1.0, largest(
        "parameter_costs", lambda row: row.get("exponent_ours_s")
    )),
    Asked("Memory / (2 Adam's + 2 batches of activations)", 1.0, largest("memory_cost", memory)),
    Asked("Digits MLP 256 / tuned Adam", 0.85, ratio("digits_256", "Adam")),
    Asked("Digits MLP 1024 / tuned Adam", 0.6, ratio("digits_1024", "Adam")),
    Asked("Diabetes / tuned Adam", 0.45, ratio("diabetes", "Adam")),
    Asked("Diabetes / tuned Muon", 0.85, ratio("diabetes", "Muon")),
    Asked("Heat equation to 0.01 / best tuned peer", 0.3, ratio("heat")),
    Asked("Heat equation to 0.001: steps of the slowest seed", 60, worst_seed),
    Asked("Digits CNN / best tuned peer", 1.1, ratio("digits_cnn")),
    Asked("Autoencoder / best tuned peer", 1.1, ratio("autoencoder")),
    Asked("Characters, transformer / tuned Adam", 1.0, ratio("characters", "Adam")),
    Asked(
        "Share of tasks on which it beats every untuned peer", 0.8, share("wins_untuned"),
        at_least=True,
    ),
    Asked(
        "Share of tasks on which it beats every tuned peer", 0.6, share("wins_tuned"),
        at_least=True,
    ),
    Asked("Defaults / best cell, digits MLP 256", 1.3, largest("maps", mapped("digits"))),
    Asked("Defaults / best cell, diabetes", 1.3, largest("maps", mapped("diabetes"))),
    Asked("Defaults / best cell, heat equation", 1.3, largest("maps", mapped("heat"))),
)  # fmt: skip
