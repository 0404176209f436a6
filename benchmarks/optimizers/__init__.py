"""GaussNewton beside other optimizers of torch: races, costs by size, and maps of its options.

Each task is one race in one process: equal starts, equal batches, medians over three seeds. Ours
runs with its defaults; the others with theirs, and with the best cell of their grids. Time is CPU
time in units of Adam's step on the same task, from blocks that alternate.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

QUICK = ("digits_256", "wine", "karate")


def run() -> dict[str, Any]:
    """All tasks, peers, sizes and maps; hours on one core."""
    from benchmarks.optimizers.cost import COSTS
    from benchmarks.optimizers.maps import map_rows
    from benchmarks.optimizers.race import SEEDS
    from benchmarks.optimizers.registry import TASKS

    found = _raced(list(TASKS), SEEDS)
    costs = [row for rows in COSTS.values() for row in rows()]
    return {**found, "rows": [*found["rows"], *costs, *map_rows()]}


def quick() -> dict[str, Any]:
    """Three tasks with one seed, and the cost of two sizes; two minutes."""
    from benchmarks.optimizers.cost import dense_rows

    found = _raced(QUICK, (0,))
    return {**found, "rows": [*found["rows"], *dense_rows([(256, 128, 10, 2.0)])]}


def draw(outcome: dict[str, Any]) -> Figure:
    """The measure against steps and time, on some of the tasks."""
    from benchmarks.optimizers.picture import DRAWN, figure

    chosen = [r for r in outcome["races"] if r["task"] in DRAWN]
    return figure(chosen or outcome["races"])


def _raced(names: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    import torch

    from benchmarks.optimizers.race import raced
    from benchmarks.optimizers.registry import TASKS
    from benchmarks.optimizers.verdicts import ratio_to, verdict

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers' own
        races = [raced(TASKS[name](), seeds) for name in names]
    rows = [{"name": race["task"], "ratio": ratio_to(race), **verdict(race)} for race in races]
    return {"races": races, "rows": rows}
