"""Parts of the benchmark: ``python -m benchmarks.optimizers [TASK ...]`` keeps a file for each.

With ``--ours`` peers are left as they are kept: GaussNewton runs again, beside Adam for the cost of
a step. Then ``python -m benchmarks.optimizers.page`` writes the page from the files.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.machine import machine
from benchmarks.optimizers import kept
from benchmarks.optimizers.cost import COSTS
from benchmarks.optimizers.held_out import FRESH, held_out
from benchmarks.optimizers.maps import map_rows
from benchmarks.optimizers.race import SEEDS, ours_again, raced
from benchmarks.optimizers.registry import TASKS

OTHERS = {**COSTS, "maps": map_rows}
KNOWN = [*TASKS, *OTHERS, *FRESH]


def main(arguments: Sequence[str] | None = None) -> None:
    """Each part's result is written as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(KNOWN))
    parser.add_argument("--folder", type=Path, default=kept.RESULTS, help="of the files")
    parser.add_argument("--ours", action="store_true", help="leave the peers as they are kept")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.tasks if name not in KNOWN]:
        parser.error(f"expected tasks among {', '.join(KNOWN)}; got {', '.join(unknown)}")
    try:
        options.folder.mkdir(parents=True, exist_ok=True)  # now, and not after hours
    except OSError as error:
        parser.error(f"--folder: expected a folder that can be written, got {error}")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # peers' own
    for name in options.tasks or KNOWN:
        when = {"ours_raced": kept.today(), "state": kept.state()}
        if name in OTHERS:
            found = {"rows": OTHERS[name]()}
        elif name in FRESH:
            found = held_out(name)
        elif options.ours:
            found = ours_again(TASKS[name](), kept.read(options.folder, name), SEEDS)
        else:
            found = {**raced(TASKS[name](), SEEDS), "peers_raced": kept.today()}
        kept.write(options.folder, name, {**found, **when, "machine": machine()})
        print(name, "done", flush=True)


if __name__ == "__main__":
    main()
