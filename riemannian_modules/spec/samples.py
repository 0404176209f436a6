"""Samples for a fit from a CSV table whose columns are coordinates of inputs and outputs."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from riemannian_modules.errors import SpecError
from riemannian_modules.modules.module import Signature
from riemannian_modules.space import Array
from riemannian_modules.whole_file import read_text


def read_samples(path: Path, signature: Signature) -> dict[str, Array]:
    """Read one array (B, *shape) for each input and output port from B rows.

    The table is text in UTF-8 with commas, gzipped or not; blank lines are passed over.

    Raises:
        SpecError: If the file is missing, unreadable or larger than `LARGEST_FILE`, a column is
            missing, unknown or stands twice, or an entry is no finite number; the message names
            the line.
    """
    text = read_text(path, SpecError).removeprefix("\ufeff")  # the mark that Excel writes
    # Coordinates of matrices hold commas, so they are quoted, as "W[0,1]".
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(table.line_num, row) for row in table if row]
    except csv.Error as error:
        raise SpecError(
            f"{path.name}: line {table.line_num}: expected a CSV table, got: {error}."
        ) from None
    ports = (*signature.inputs.ports, *signature.outputs.ports)
    wanted = [name for port in ports for name in port.coordinates()]
    header = [name.strip() for name in rows[0][1]] if rows else []
    _check_header(path.name, header, wanted)
    values = np.array([_row(f"{path.name}: line {i}", row, header) for i, row in rows[1:]])
    if not len(values):
        raise SpecError(f"{path.name}: expected at least one sample below the header, got none.")
    columns = {name: values[:, i] for i, name in enumerate(header)}
    return {
        port.name: np.stack([columns[name] for name in port.coordinates()], -1).reshape(
            len(values), *port.shape
        )
        for port in ports
    }


def _check_header(name: str, header: list[str], wanted: list[str]) -> None:
    if sorted(header) == sorted(wanted):
        return
    faults = {
        "missing": sorted(set(wanted) - set(header)),
        "unknown": sorted(set(header) - set(wanted)),
        "twice": sorted({column for column in header if header.count(column) > 1}),
    }
    told = "; ".join(
        f"{word}: {', '.join(map(_short, names[:20]))}" for word, names in faults.items() if names
    )
    is_split_otherwise = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
    mend = " Separate the columns by commas." if is_split_otherwise else ""
    raise SpecError(
        f"{name}: line 1: expected a header with each of {', '.join(wanted[:40])} once, but "
        f"{told or 'there is none'}.{mend}"
    )


def _row(where: str, row: list[str], header: list[str]) -> list[float]:
    if len(row) != len(header):
        raise SpecError(f"{where}: expected {len(header)} entries, got {len(row)}.")
    return [_number(where, name, entry) for name, entry in zip(header, row, strict=True)]


def _number(where: str, column: str, entry: str) -> float:
    try:
        value = float(entry)
    except ValueError:
        value = math.nan
    # float() takes more than tables hold, as 1_000 and the digits of other scripts.
    if not math.isfinite(value) or not entry.isascii() or "_" in entry:
        raise SpecError(f"{where}: {column}: expected a finite number, got {_short(entry)!r}.")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}... of {len(text)} characters"
