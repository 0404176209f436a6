"""Samples for a fit from a CSV table whose columns are coordinates of inputs and outputs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from riemannian_modules.errors import SpecError
from riemannian_modules.modules.module import Signature
from riemannian_modules.space import Array


def read_samples(path: Path, signature: Signature) -> dict[str, Array]:
    """Read one array (B, *shape) for each input and output port from B rows.

    Raises:
        SpecError: If the file is missing, a column is missing or stands twice, or an entry is no
            finite number; the message names the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # Coordinates of matrices hold commas, so they are quoted, as "W[0,1]".
            rows = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file. Check the path and the name.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecError(f"{path}: expected a CSV table in UTF-8, got: {error}.") from None
    header = [name.strip() for name in rows[0]] if rows else []
    ports = (*signature.inputs.ports, *signature.outputs.ports)
    wanted = [name for port in ports for name in port.coordinates()]
    if sorted(header) != sorted(wanted):
        missing, unknown = sorted(set(wanted) - set(header)), sorted(set(header) - set(wanted))
        raise SpecError(
            f"{path.name}: line 1: expected a header with each of {', '.join(wanted)} once; "
            f"missing are "
            f"{', '.join(missing) or 'none'}, unknown are {', '.join(unknown) or 'none'}."
        )
    values = np.array([_row(path, i, row, len(header)) for i, row in enumerate(rows[1:], 2)])
    if not len(values):
        raise SpecError(f"{path.name}: expected at least one sample below the header, got none.")
    columns = {name: values[:, i] for i, name in enumerate(header)}
    return {
        port.name: np.stack([columns[name] for name in port.coordinates()], -1).reshape(
            len(values), *port.shape
        )
        for port in ports
    }


def _row(path: Path, line: int, row: list[str], width: int) -> list[float]:
    if len(row) != width:
        raise SpecError(f"{path.name}: line {line}: expected {width} entries, got {len(row)}.")
    try:
        numbers = [float(entry) for entry in row]
    except ValueError as error:
        raise SpecError(f"{path.name}: line {line}: expected numbers, got: {error}.") from None
    if not np.isfinite(numbers).all():
        raise SpecError(f"{path.name}: line {line}: expected finite numbers, got {row}.")
    return numbers
