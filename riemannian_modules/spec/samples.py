"""Samples for a fit from a CSV table whose columns are coordinates of inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from riemannian_modules.csv_table import numbers_of, read_rows, short
from riemannian_modules.errors import DomainError, SignatureError, SpecError
from riemannian_modules.modules.module import Signature
from riemannian_modules.spaces import Array
from riemannian_modules.units import conversion

_WITH_UNIT = re.compile(r"(.*\S)\s*\[([^][]*)\]")


def read_samples(
    path: Path, signature: Signature, extra: Sequence[str] = ()
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Read one array (B, *shape) for each input and output port from B rows.

    The table is text in UTF-8 with commas, gzipped or not; blank lines are passed over. An empty
    entry of an output is a value that was not measured, NaN. A column may say its unit, as
    ``conc [nM]``, and is converted to that of its port.

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
    titles = [name.strip() for name in rows[0][1]] if rows else []
    known = {*wanted}
    parts = [_split(title, known) for title in titles]
    header = [name for name, _ in parts]
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
    of_ports = {c: port.unit for port in ports for c in port.coordinates()}
    columns = {
        name: _ratio(path.name, name, unit, of_ports.get(name, "")) * values[:, i]
        for i, (name, unit) in enumerate(parts)
    }
    samples = {
        port.name: np.stack([columns[name] for name in port.coordinates()], -1).reshape(
            len(values), *port.shape
        )
        for port in ports
    }
    return samples, {name: columns[name] for name in extra}


def _split(title: str, known: Container[str]) -> tuple[str, str]:
    """A column's name and its unit, as of ``conc [nM]``; those of ``u[0]`` belong to its name."""
    found = _WITH_UNIT.fullmatch(title)
    return (title, "") if title in known or found is None else (found[1], found[2].strip())


def _ratio(table: str, column: str, have: str, want: str) -> float:
    """What a column in one unit is multiplied with to be in another."""
    ratio = conversion(have, want)
    if ratio is None:
        raise SpecError(
            f"{table}: line 1: column {column} is in [{have}], which cannot be given in [{want}], "
            "the unit of the port. Correct one of them."
        )
    return ratio


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
