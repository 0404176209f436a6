"""Maps over GaussNewton's options: how far its defaults are from the best cell of a grid."""

import math
import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

from benchmarks.optimizers.peers import OURS
from benchmarks.optimizers.race import run, runs
from benchmarks.optimizers.registry import TASKS

MAPPED = ("digits_256", "diabetes", "heat")
DEFAULT = {"lr": 0.5, "momentum": 0.9, "damping": 0.1, "trust_region": 0.3}
GRIDS = (
    {"lr": (0.3, 0.5, 0.7, 1.0), "momentum": (0.0, 0.5, 0.9, 0.95)},
    {"damping": (0.001, 0.01, 0.1, 1.0), "trust_region": (0.03, 0.1, 0.3, 1.0)},
)


def map_rows(names: Sequence[str] = MAPPED, seeds: Sequence[int] = (0, 1, 2)) -> list[Any]:
    """For each task and pair of options: the steps of all cells, medians over the seeds."""
    rows: list[dict[str, Any]] = []
    for name in names:
        task = TASKS[name]()
        default = statistics.median(r.steps for r in runs(task, OURS, {}, seeds))
        for grid in GRIDS:
            cells: dict[str, float] = {}
            for values in product(*grid.values()):
                setting = dict(zip(grid, values, strict=True))
                # Twice the default's steps: what needs more is not the best cell.
                steps = [run(task, OURS, setting, s, 2 * default).steps for s in seeds]
                cell = ", ".join(f"{k} {v:g}" for k, v in setting.items())
                cells[cell] = statistics.median(steps)
            best = min(cells, key=lambda cell: cells[cell])
            rows.append({
                "name": f"{task.name}, {' and '.join(grid)}",
                "default_steps": default, "best_steps": cells[best], "best": best,
                "default_over_best": default / cells[best], "limit": 1.3,
                "never": sum(math.isinf(v) for v in cells.values()), "cells": cells,
            })  # fmt: skip
    return rows
