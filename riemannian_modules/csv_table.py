"""Tables of numbers in CSV files, read with the line and the column of each fault."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Container
from pathlib import Path

from riemannian_modules.errors import DomainError, SignatureError, SpecError
from riemannian_modules.whole_file import read_text

NumberedRows = list[tuple[int, list[str]]]


def read_rows(path: str | os.PathLike[str]) -> NumberedRows:
    """The rows of a CSV file in UTF-8, gzipped or not, each with its line; blank ones are left out.

    Raises:
        SpecError: If the file cannot be read or is larger than `LARGEST_FILE`, or is no CSV.
    """
    text = read_text(path, SpecError).removeprefix("\ufeff")  # the mark that Excel writes
    # Coordinates of matrices hold commas, so they are quoted, as "W[0,1]".
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(table.line_num, row) for row in table if row]
    except csv.Error as error:
        raise SpecError(
            f"{Path(path).name}: line {table.line_num}: expected a CSV table, got: {error}."
        ) from None


def numbers_of(
    where: str, row: list[str], columns: list[str], optional: Container[str] = ()
) -> list[float]:
    """The entries of a row as finite numbers; NaN for an empty one of an optional column.

    Raises:
        SignatureError: If it has not as many entries as there are columns.
        DomainError: If an entry is no finite number.
    """
    if len(row) != len(columns):
        raise SignatureError(f"{where}: expected {len(columns)} entries, got {len(row)}.")
    return [
        math.nan if name in optional and not entry.strip() else _number(where, name, entry)
        for name, entry in zip(columns, row, strict=True)
    ]


def _number(where: str, column: str, entry: str) -> float:
    try:
        value = float(entry)
    except ValueError:
        value = math.nan
    # float() takes more than tables hold, as 1_000 and the digits of other scripts.
    if not math.isfinite(value) or not entry.isascii() or "_" in entry:
        raise DomainError(f"{where}: {column}: expected a finite number, got {short(entry)!r}.")
    return value


def short(text: str) -> str:
    """A text that fits into a message."""
    return text if len(text) <= 40 else f"{text[:30]}... of {len(text)} characters"
