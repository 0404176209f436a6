"""Doses as rows of a table, in the columns that pharmacometric programs share.

Source: Beal, Sheiner, Boeckmann and Bauer, *NONMEM Users Guide*, part IV, chapter II (data items).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from riemannian_modules.engine.time_courses.experiments import Dose
from riemannian_modules.errors import SignatureError

AMOUNT, STATE, MORE, APART, EVENT, MISSING, RATE, STEADY = (
    "amt", "cmt", "addl", "ii", "evid", "mdv", "rate", "ss",
)  # fmt: skip
_DOSE_COLUMNS = (AMOUNT, STATE, MORE, APART, EVENT, MISSING, RATE, STEADY)
_OURS = {"id": "experiment", "time": "time", "dvid": "observable", "sigma": "sigma"}
Columns = dict[str, list[Any]]
_EMPTY = ("", "nan", "na", "none", ".", "<na>", "nat")


def dose_columns(columns: Columns) -> tuple[str, ...]:
    """The names that speak of doses: none where the table has no amounts."""
    return _DOSE_COLUMNS if AMOUNT in columns else ()


def is_empty(entry: object) -> bool:
    """Whether a cell says nothing."""
    return str(entry).strip().lower() in _EMPTY


def renamed(columns: Columns) -> Columns:
    """Columns under this library's names, where the table has one of amounts, "AMT" or "amt".

    Raises:
        SignatureError: If two columns would have one name.
    """
    if AMOUNT not in (name.lower() for name in columns):
        return columns
    found: Columns = {}
    is_long = "dvid" in (name.lower() for name in columns) or "observable" in columns
    for name, column in columns.items():
        low = name.lower()
        ours = low if low in _DOSE_COLUMNS else _OURS.get(low, name)
        ours = "value" if low == "dv" and is_long else ours
        if ours in found:
            raise SignatureError(
                f"read_experiments: the column {name!r} stands beside another one of {ours!r}. "
                "Keep one."
            )
        found[ours] = column
    return found


def is_measured(columns: Columns, row: int, values: Sequence[str]) -> bool:
    """Whether a row's values count as measured: neither a dose's, nor marked by MDV or EVID.

    Raises:
        SignatureError: If a row has an amount and a value, and does not say which it is.
    """
    if AMOUNT not in columns:
        return True
    event, marked = _flag(columns, EVENT, row), _flag(columns, MISSING, row)
    if marked or event:
        return False
    if not _amount(columns, row):
        return True
    held = [columns[name][row] for name in values if not is_empty(columns[name][row])]
    if any(_number(value, "value", row) != 0.0 for value in held) and event is None:
        raise SignatureError(
            f"read_experiments: row {row + 1} has an amount and a value. Write a row of each, or "
            "mark the dose by EVID = 1."
        )
    return False


def require_doses_first(columns: Columns, rows: Sequence[int], values: Sequence[str]) -> None:
    """Check that no value stands above a dose of its time: NONMEM takes it before.

    Args:
        columns: The table.
        rows: Of one experiment.
        values: Columns of measured values.

    Raises:
        SignatureError: If one does.
    """
    above: dict[float, int] = {}
    for row in rows if AMOUNT in columns else ():
        if is_measured(columns, row, values):
            if any(not is_empty(columns[name][row]) for name in values):
                above.setdefault(_number(columns["time"][row], "time", row), row)
        elif _amount(columns, row) and (at := _number(columns["time"][row], "time", row)) in above:
            raise SignatureError(
                f"read_experiments: row {above[at] + 1} is measured before the dose of row "
                f"{row + 1} at the same time, {at:g}, but what is measured at a dose's time counts "
                "as measured after it. Write the measurement a little earlier, or below the dose."
            )


def doses_of(columns: Columns, rows: Sequence[int]) -> list[Dose]:
    """The doses of an experiment's rows, repeated ones spelled out.

    Raises:
        SignatureError: For amounts without a state or a time, infusions, resets and doses at steady
            state.
    """
    if AMOUNT not in columns:
        return []
    return [dose for row in rows for dose in _doses(columns, row)]


def _doses(columns: Columns, row: int) -> list[Dose]:
    where, event = f"read_experiments: row {row + 1}", _flag(columns, EVENT, row)
    amount = _amount(columns, row)
    if event is not None and (event not in (0.0, 1.0) or bool(event) != bool(amount)):
        raise SignatureError(
            f"{where}: EVID is 1 on rows with an amount and 0 on measured ones; got {event:g} with "
            f"the amount {amount or 'missing'}. Others have no meaning here."
        )
    if not amount:
        return []
    for name, mend in (
        (RATE, "State an infusion as an input, with held_table."),
        (STEADY, "Write the doses before it down."),
    ):
        if _flag(columns, name, row):
            raise SignatureError(f"{where}: {name.upper()} is not read. {mend}")
    state = str(columns[STATE][row]).strip() if STATE in columns else ""
    if is_empty(state):
        raise SignatureError(f"{where}: in which state is the dose given? Write its name as CMT.")
    begin = _number(columns["time"][row], "time", row)
    count, apart = (_flag(columns, name, row) or 0.0 for name in (MORE, APART))
    is_whole = math.isfinite(count) and count == int(count) >= 0
    if not is_whole or (count and not 0.0 < apart < math.inf) or not math.isfinite(begin):
        raise SignatureError(
            f"{where}: expected a time, and ADDL further doses with an II > 0 between them, got "
            f"ADDL = {count:g}, II = {apart:g}."
        )
    return [Dose(begin + i * apart, {state: amount}) for i in range(1 + int(count))]


def _amount(columns: Mapping[str, list[Any]], row: int) -> float | str | None:
    """A number, a formula of parameters, or None for none."""
    entry = columns[AMOUNT][row]
    if is_empty(entry):
        return None
    try:
        return float(entry) or None
    except (TypeError, ValueError):
        return str(entry)


def _flag(columns: Mapping[str, list[Any]], name: str, row: int) -> float | None:
    if name not in columns or is_empty(columns[name][row]):
        return None
    return _number(columns[name][row], name, row)


def _number(entry: Any, name: str, row: int) -> float:
    try:
        return float(entry)
    except (TypeError, ValueError):
        raise SignatureError(
            f"read_experiments: column {name!r}, row {row + 1}: expected a number, got {entry!r}."
        ) from None
