"""The files of a fit: ``fit.json`` with its numbers, ``history.csv`` with its iterations."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from riemannian_modules.engine.descend import Iteration
from riemannian_modules.errors import OutputError
from riemannian_modules.whole_file import write_whole


def write_fit(folder: str | Path, summary: Mapping[str, Any], history: Sequence[Iteration]) -> None:
    """Write both files, each whole or not at all, into a folder that is made if need be.

    Raises:
        OutputError: If the folder cannot be made, or a file cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise OutputError(
            f"{place}: the folder for the fit cannot be made ({fault.strerror}). Name a folder "
            "that exists or can be made."
        ) from None
    table = io.StringIO()
    writer = csv.DictWriter(table, list(Iteration.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in history)
    write_whole(place / "history.csv", table.getvalue())
    write_whole(place / "fit.json", json.dumps(summary, indent=2) + "\n")
