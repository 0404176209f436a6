"""Race on some tasks: ``python -m benchmarks.optimizers FOLDER [TASK ...]``, a file a task."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.__main__ import write_json
from benchmarks.machine import machine
from benchmarks.optimizers.race import SEEDS, raced
from benchmarks.optimizers.registry import TASKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Each task's result is written as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in options.tasks or TASKS:
        found = raced(TASKS[name](), range(options.seeds))
        write_json(options.folder / f"{name}.json", {**found, "machine": machine()})
        print(name, "done")


if __name__ == "__main__":
    main()
