"""Parts of the benchmark: ``python -m benchmarks.optimizers FOLDER [TASK ...]``, a file a part."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.__main__ import write_json
from benchmarks.machine import machine
from benchmarks.optimizers.cost import COSTS
from benchmarks.optimizers.maps import map_rows
from benchmarks.optimizers.race import SEEDS, ours_again, raced
from benchmarks.optimizers.registry import TASKS

OTHERS = {**COSTS, "maps": map_rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Each part's result is written as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join([*TASKS, *OTHERS]))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument(
        "--ours", action="store_true", help="keep what the peers did in the folder's files"
    )
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in options.tasks or [*TASKS, *OTHERS]:
        path = options.folder / f"{name}.json"
        if name in OTHERS:
            found = {"rows": OTHERS[name]()}
        elif options.ours and path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            found = ours_again(TASKS[name](), before, range(options.seeds))
        else:
            found = raced(TASKS[name](), range(options.seeds))
        write_json(path, {**found, "machine": machine()})
        print(name, "done")


if __name__ == "__main__":
    main()
