"""Samples for a fit from a CSV table whose columns are coordinates of inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from riemannian_modules.csv_table import numbers_of, read_rows, short
from riemannian_modules.errors import DomainError, SignatureError, SpecError
from riemannian_modules.modules.module import Signature
from riemannian_modules.space import Array


def read_samples(
    path: Path, signature: Signature, extra: Sequence[str] = ()
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Read one array (B, *shape) for each input and output port from B rows.

    The table is text in UTF-8 with commas, gzipped or not; blank lines are passed over. An empty
    entry of an output is a value that was not measured, NaN.

    Args:
        path: The table.
        signature: Of the module whose ports the columns are.
        extra: Names of other columns that are read, such as standard deviations; empty entries are
            NaN.

    Returns:
        The ports' arrays by name, and the other columns, each (B,).

    Raises:
        SpecError: If the file is missing, unreadable or larger than `LARGEST_FILE`, a column is
            missing, unknown or stands twice, or an entry is no finite number; the message names
            the line.
    """
    rows = read_rows(path)
    ports = (*signature.inputs.ports, *signature.outputs.ports)
    extra = list(dict.fromkeys(extra))
    wanted = [*(name for port in ports for name in port.coordinates()), *extra]
    header = [name.strip() for name in rows[0][1]] if rows else []
    _check_header(path.name, header, wanted)
    optional = {*signature.outputs.coordinates, *extra}
    try:
        values = np.array(
            [numbers_of(f"{path.name}: line {i}", r, header, optional) for i, r in rows[1:]]
        )
    except (SignatureError, DomainError) as fault:
        raise SpecError(str(fault)) from None
    if not len(values):
        raise SpecError(f"{path.name}: expected at least one sample below the header, got none.")
    columns = {name: values[:, i] for i, name in enumerate(header)}
    samples = {
        port.name: np.stack([columns[name] for name in port.coordinates()], -1).reshape(
            len(values), *port.shape
        )
        for port in ports
    }
    return samples, {name: columns[name] for name in extra}


def _check_header(name: str, header: list[str], wanted: list[str]) -> None:
    if sorted(header) == sorted(wanted):
        return
    faults = {
        "missing": sorted(set(wanted) - set(header)),
        "unknown": sorted(set(header) - set(wanted)),
        "twice": sorted({column for column in header if header.count(column) > 1}),
    }
    told = "; ".join(
        f"{word}: {', '.join(map(short, names[:20]))}" for word, names in faults.items() if names
    )
    is_split_otherwise = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
    mend = " Separate the columns by commas." if is_split_otherwise else ""
    raise SpecError(
        f"{name}: line 1: expected a header with each of {', '.join(wanted[:40])} once, but "
        f"{told or 'there is none'}.{mend}"
    )
