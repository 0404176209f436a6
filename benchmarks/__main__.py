"""Run benchmarks, print their ratios and write them as JSON.

``python -m benchmarks [NAME ...] --out results.json``; without a name, all of them.
"""

import argparse
import importlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.peers import SETTING

Row = Mapping[str, Any]
COLUMNS = ("ours_s", "reference_s", "ratio")


def found_benchmarks() -> list[str]:
    """The files and packages here that define ``run``; read only: each needs its own libraries."""
    folder = Path(__file__).parent
    files = {path.stem: path for path in folder.glob("*.py")}
    files |= {path.parent.name: path for path in folder.glob("*/__init__.py")}
    sources = {name: path.read_text(encoding="utf-8") for name, path in sorted(files.items())}
    return [name for name, source in sources.items() if re.search(r"^def run\(", source, re.M)]


def shown(value: object) -> str:
    """A number to three digits, anything else as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def table(benchmark: str, rows: Sequence[Row]) -> Table:
    """The rows of one benchmark; what a row says beyond the times goes into the last column."""
    result = Table(title=benchmark, title_justify="left")
    result.add_column("name")
    for column in COLUMNS:
        result.add_column(column, justify="right")
    result.add_column("more")
    for row in rows:
        more = [f"{k} {shown(v)}" for k, v in row.items() if k not in ("name", *COLUMNS)]
        numbers = [shown(row[column]) if column in row else "" for column in COLUMNS]
        result.add_row(str(row["name"]), *numbers, ", ".join(more))
    return result


def write_json(path: Path, content: object) -> None:
    """Write all or nothing: a sibling file is completed first and then takes the name."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; exit code 2 for a name that is no benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (all)")
    parser.add_argument("--out", type=Path, help="write the results to this JSON file")
    parser.add_argument(
        "--peers", action="append", default=[], metavar="PYTHON",
        help="an interpreter that has other tools, see benchmarks/peers.txt; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="less of those benchmarks that have a quick form"
    )
    options = parser.parse_args(arguments)
    if options.peers:
        os.environ[SETTING] = os.pathsep.join(options.peers)
    known = found_benchmarks()
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known) or 'none'}")
    console = Console()
    results: dict[str, object] = {}
    for name in options.names or known:
        start = time.perf_counter()
        benchmark = importlib.import_module(f"benchmarks.{name}")
        work = getattr(benchmark, "quick", benchmark.run) if options.quick else benchmark.run
        results[name] = outcome = work()
        console.print(table(name, outcome["rows"]))
        console.print(f"[dim]{name}: {time.perf_counter() - start:.1f} s[/dim]")
        # Written after each benchmark, so that an interrupted run keeps what it measured.
        if options.out:
            write_json(options.out, {"machine": machine(), "benchmarks": results})
            # A benchmark with a plot has it drawn beside the results.
            draw = getattr(benchmark, "draw", None)
            if draw is not None:
                draw(outcome).savefig(options.out.with_name(f"{name}.png"), dpi=150)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
