"""Experiments from a table: a CSV file, a DataFrame, or columns by name.

Source: none; the long form is that of PEtab's measurement tables and of tidy data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from riemannian_modules.csv_table import read_rows, short
from riemannian_modules.door import did_you_mean, require, require_mapping
from riemannian_modules.engine.time_courses.dose_rows import (
    Columns,
    dose_columns,
    doses_of,
    is_empty,
    is_measured,
    renamed,
    require_doses_first,
)
from riemannian_modules.engine.time_courses.experiments import Experiment, experiment
from riemannian_modules.engine.time_courses.series import frame_columns
from riemannian_modules.errors import SignatureError, SpecError

_LONG = ("experiment", "observable", "time", "value", "sigma")
_SETTINGS = {"input.": "inputs", "x0.": "x0", "theta.": "theta"}


def read_experiments(
    table: Any, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Experiment, ...]:
    """Read experiments from a table with a time column.

    The long form has a row for each value, with the columns observable, time and value, perhaps
    experiment and sigma; the wide form a column for each observable beside time, perhaps
    experiment. Empty cells are missing values. Columns such as "input.dose", "x0.A" and "theta.k"
    set an input, an initial state or a parameter of the row's experiment, to a number or a formula.

    Doses are rows as pharmacometric programs have them, in either form: AMT (a number or a formula)
    is added at the row's time to the state that CMT names; ADDL more follow, II apart. Of such
    tables ID, TIME, DV and DVID are read as experiment, time, value and observable, EVID and MDV as
    there; without DVID the observable is named DV. Names may be written small. What is measured at
    a dose's time is measured after it, so that a row above the dose's is refused.

    Args:
        table: A path to a CSV file, a DataFrame, or columns by name.
        settings: By experiment further arguments of `experiment`, such as ``{"fast": {"inputs":
            {"dose": 2.0}}}``.

    Returns:
        The experiments, in the order of their first rows.

    Raises:
        SpecError: If a file cannot be read, or a row has not as many entries as the header.
        SignatureError: For missing columns, what is no number, settings that change within an
            experiment, or of unknown experiments.
    """
    columns = renamed(_columns(table))
    given = {} if settings is None else settings
    require_mapping("read_experiments: settings", given, "settings by experiment")
    _check_header(columns)
    count = len(columns["time"])
    names = [str(n) for n in columns.get("experiment", ["data"] * count)]
    is_blank = [all(is_empty(column[i]) for column in columns.values()) for i in range(count)]
    nameless = [i + 1 for i in range(count) if is_empty(names[i]) and not is_blank[i]]
    if nameless:
        raise SignatureError(
            f"read_experiments: the rows {nameless[:8]} belong to no experiment. Fill its column, "
            "or leave it out where there is one experiment alone."
        )
    unknown = [name for name in given if name not in names]
    if unknown:
        raise SignatureError(
            f"read_experiments: settings of {unknown}{did_you_mean(unknown, names)}; the table has "
            f"the experiments: {', '.join(dict.fromkeys(names))}."
        )
    found: list[Experiment] = []
    for name in dict.fromkeys(n for n, skipped in zip(names, is_blank, strict=True) if not skipped):
        rows = [i for i, other in enumerate(names) if other == name and not is_blank[i]]
        own = dict(given.get(name, {}))
        for what, values in _set(name, columns, rows).items():
            own[what] = values | dict(own.get(what, {}))
        own["doses"] = [*doses_of(columns, rows), *own.get("doses", ())]
        found.append(experiment(_data(columns, rows), name=name, **own))
    return tuple(found)


def _columns(table: Any) -> Columns:
    if isinstance(table, (str, os.PathLike)):
        return _from_file(Path(table))
    if hasattr(table, "columns") and not isinstance(table, Mapping):  # a DataFrame
        table = frame_columns("read_experiments", table)
    require_mapping("read_experiments", table, "a path, a DataFrame, or columns by name")
    arrays = {name: np.asarray(column) for name, column in table.items()}
    dates = [name for name, column in arrays.items() if column.dtype.kind in "mM"]
    if dates:  # of nanoseconds NumPy would make whole numbers
        raise SignatureError(
            f"read_experiments: the columns {dates} hold dates. Give the time since a start, as "
            "numbers in the model's unit."
        )
    columns: Columns = {name: column.tolist() for name, column in arrays.items()}
    for name, column in columns.items():
        require(f"read_experiments: column {name!r}", column, list, "a column of values")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise SignatureError(f"read_experiments: columns have different lengths: {lengths}.")
    return columns


def _from_file(path: Path) -> Columns:
    rows = read_rows(path)
    header = [name.strip() for name in rows[0][1]] if rows else []
    if len(set(header)) < len(header):
        raise SpecError(f"{path.name}: line 1: a column stands twice in {header}.")
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise SpecError(
                f"{path.name}: line {line}: expected {len(header)} entries, got {len(row)}."
            )
    return {name: [row[i].strip() for _, row in rows[1:]] for i, name in enumerate(header)}


def _check_header(columns: Columns) -> None:
    is_long = "observable" in columns or "value" in columns
    wanted = ["time", "observable", "value"] if is_long else ["time"]
    missing = [name for name in wanted if name not in columns]
    known = (*_LONG, *dose_columns(columns))
    others = [n for n in columns if n not in known and not n.startswith(tuple(_SETTINGS))]
    if missing or (is_long and others) or (not is_long and not others):
        raise SignatureError(
            "read_experiments: expected the columns time, observable and value (perhaps "
            "experiment, sigma, settings such as input.NAME, x0.NAME, theta.NAME, and amt, cmt of "
            f"doses), or time and a column for each observable; got {[*columns]}."
        )


def _data(columns: Columns, rows: list[int]) -> dict[str, tuple[Any, ...]]:
    def numbers(name: str, places: list[int]) -> list[float]:
        return [_number(name, columns[name][i], i) for i in places]

    is_long = "observable" in columns
    skipped = ("time", "experiment", *dose_columns(columns))
    shown = [n for n in columns if n not in skipped and not n.startswith(tuple(_SETTINGS))]
    shown = ["value"] if is_long else shown
    require_doses_first(columns, rows, shown)
    rows = [i for i in rows if is_measured(columns, i, shown)]
    if not is_long:
        return {name: (numbers("time", rows), numbers(name, rows)) for name in shown}
    observables = [str(columns["observable"][i]) for i in rows]
    found: dict[str, tuple[Any, ...]] = {}
    for name in dict.fromkeys(observables):
        places = [i for i, other in zip(rows, observables, strict=True) if other == name]
        sigma = numbers("sigma", places) if "sigma" in columns else [np.nan] * len(places)
        found[name] = numbers("time", places), numbers("value", places), sigma
    return found


def _set(name: str, columns: Columns, rows: list[int]) -> dict[str, dict[str, Any]]:
    """What the table sets in an experiment: inputs, x0, theta."""
    found: dict[str, dict[str, Any]] = {}
    for column, entries in columns.items():
        for prefix, what in _SETTINGS.items():
            if not column.startswith(prefix):
                continue
            given = {str(entries[i]) for i in rows if not is_empty(entries[i])}
            if len(given) > 1:
                raise SignatureError(
                    f"read_experiments: column {column!r} has the values {sorted(given)[:4]} in "
                    f"the experiment {name!r}; expected one. Give what changes over time "
                    "as a table in `settings`."
                )
            for text in given:
                found.setdefault(what, {})[column.removeprefix(prefix)] = _value(text)
    return found


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # a formula of parameters


def _number(column: str, entry: Any, row: int) -> float:
    if is_empty(entry):
        return float("nan")
    try:
        return float(entry)
    except (TypeError, ValueError):
        raise SignatureError(
            f"read_experiments: column {column!r}, row {row + 1}: expected a number, got "
            f"{short(str(entry))!r}."
        ) from None
