"""The results that are kept beside the benchmark: a small JSON file for each task or part.

Steps, costs and settings are kept as measured, curves as at most 25 points of four digits.
"""

import datetime
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.optimizers.registry import TASKS

Result = Mapping[str, Any]
ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
POINTS = 25


def thinned(curve: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Some of a curve's points, its ends among them, rounded."""
    last = len(curve) - 1
    places = {round(k * last / (POINTS - 1)) for k in range(POINTS)} if last >= POINTS else None
    return [
        (step, float(f"{value:.4g}"))
        for k, (step, value) in enumerate(curve) if places is None or k in places
    ]  # fmt: skip


def write(folder: Path, name: str, result: Result) -> None:
    """All or nothing; a line each for what is said of the race and of every optimizer in it."""
    rows = [
        {k: thinned(v) if k == "curve" else v for k, v in row.items()} for row in result["rows"]
    ]
    said = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in result.items() if k != "rows"]
    listed = ",\n  ".join(json.dumps(row) for row in rows)
    unfinished = folder / f"{name}.json.part"
    unfinished.write_text(
        "{\n " + ",\n ".join([*said, f'"rows": [\n  {listed}\n ]']) + "\n}\n", encoding="utf-8"
    )
    unfinished.replace(folder / f"{name}.json")


def read(folder: Path, name: str) -> Result | None:
    """What was kept under a name; None where it has not run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def races(folder: Path) -> list[Result]:
    """The tasks that all raced on, in the order of the registry."""
    return [result for result in tasks(folder) if len(result["rows"]) > 1]


def alone(folder: Path) -> list[Result]:
    """The tasks on which only ours has run."""
    return [result for result in tasks(folder) if len(result["rows"]) == 1]


def tasks(folder: Path) -> list[Result]:
    """What is kept of all tasks."""
    found = (read(folder, name) for name in TASKS)
    return [result for result in found if result is not None]


def rows(folder: Path, *names: str) -> list[Result]:
    """The rows of parts that are no races; none of those that have not run."""
    found = (read(folder, name) for name in names)
    return [row for result in found if result is not None for row in result["rows"]]


def today() -> str:
    """The date."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def state() -> str:
    """The last change of the optimizer's folder, with a plus where it was edited after it."""
    told: list[str] = []
    for command in (("log", "-1", "--format=%h"), ("status", "--porcelain")):
        done = subprocess.run(
            ["git", "-C", str(ROOT), *command, "--", "adapters/riemannian_torch"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        told.append(done.stdout.strip())
    return told[0] + ("+" if told[1] else "")
