"""Measurements of one observable over time, read from what people hold them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import brief, is_quantity, number_array, repeated, require_mapping
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array

TIME = "time"


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Series(Shown):
    """The measured values of one observable.

    Attributes:
        observable: Its name.
        times: (T,), in any order; replicates repeat a time.
        values: (T,), finite.
        sigma: Their errors' sizes (T,) > 0; NaN where the observable says it.
        time_unit: The unit of the times, where they came with one; else they are in the flow's.
        unit: That of the values, likewise.
        sigma_unit: That of the errors, likewise.
    """

    observable: str
    times: Array
    values: Array
    sigma: Array
    time_unit: str = ""
    unit: str = ""
    sigma_unit: str = ""

    @override
    def facts(self) -> Facts:
        span = f" from {self.times.min():.6g} to {self.times.max():.6g}" if len(self.times) else ""
        return Facts(f"Series of {self.observable}: {counted(len(self.times), 'value')}{span}")


def read_series(where: str, data: Any, sigma: Mapping[str, Any] | None) -> tuple[Series, ...]:
    """The series of one experiment.

    Args:
        where: What is being read, for messages.
        data: By observable a pair ``(times, values)`` or a triple with the sigmas; or columns by
            name, one of them "time"; or a DataFrame of such columns. Values are (T,), or (R, T)
            for R replicates; NaN is missing. Each may be a quantity of pint's.
        sigma: By observable the errors' sizes: one number, or one for each value.

    Raises:
        SignatureError: For what has another form, or lengths that differ.
        DomainError: For infinite values or times, or sigmas that are not positive.
    """
    if hasattr(data, "columns") and not isinstance(data, Mapping):  # a DataFrame
        data = frame_columns(where, data)
    require_mapping(where, data, "observables by name, or a DataFrame with a column 'time'")
    given = {} if sigma is None else dict(sigma)
    require_mapping(f"{where}: sigma", given, "numbers by observable")
    if TIME in data:
        data = {name: (data[TIME], column) for name, column in data.items() if name != TIME}
    found: list[Series] = []
    for name, entry in data.items():
        if not isinstance(entry, (tuple, list)) or len(entry) not in (2, 3):
            raise SignatureError(
                f"{where}: {name!r}: expected (times, values) or (times, values, sigma), or a "
                f"column beside a column {TIME!r}, got {brief(entry)}."
            )
        if len(entry) == 3 and name in given:
            raise SignatureError(
                f"{where}: {name!r}: sigma is given with the values and in `sigma`. Keep one."
            )
        errors = entry[2] if len(entry) == 3 else given.pop(name, np.nan)
        found.append(_series(f"{where}: {name!r}", name, entry[0], entry[1], errors))
    if given:
        raise SignatureError(
            f"{where}: sigma names {sorted(given)}, which are not measured; measured are: "
            f"{', '.join(data) or 'none'}."
        )
    return tuple(found)


def frame_columns(where: str, frame: Any) -> dict[str, Any]:
    """The columns of a DataFrame by name.

    Raises:
        SignatureError: If two have one name, written as texts.
    """
    names = [str(name) for name in frame.columns]
    if repeated(names):
        raise SignatureError(
            f"{where}: the columns {sorted(repeated(names))} stand twice in the table. Rename one."
        )
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _series(where: str, name: str, times: Any, values: Any, sigma: Any) -> Series:
    (t, time_unit), (v, unit), (s, sigma_unit) = (
        _magnitudes(f"{where}: {what}", given)
        for what, given in (("times", times), ("values", values), ("sigma", sigma))
    )
    if t.ndim != 1 or v.ndim not in (1, 2) or v.shape[-1] != len(t):
        raise SignatureError(
            f"{where}: expected times (T,) and as many values (T,), or (R, T) for R replicates, "
            f"got shapes {t.shape} and {v.shape}."
        )
    try:
        s = np.broadcast_to(s, v.shape).ravel()
    except ValueError:
        raise SignatureError(
            f"{where}: expected one sigma, or one for each value {v.shape}, got shape {s.shape}."
        ) from None
    t, v = np.broadcast_to(t, v.shape).ravel(), v.ravel()
    is_there = ~np.isnan(v)
    t, v, s = t[is_there], v[is_there], s[is_there]
    if np.isinf(v).any() or not np.isfinite(t).all():
        raise DomainError(f"{where}: expected finite times and values (NaN for missing ones).")
    if (s <= 0).any() or np.isinf(s).any():
        raise DomainError(
            f"{where}: expected positive, finite sigmas, got {s[(s <= 0) | np.isinf(s)][0]}. Leave "
            "a sigma out (NaN) to have it estimated."
        )
    return Series(name, t, v, s, time_unit, unit, sigma_unit)


def _magnitudes(where: str, given: Any) -> tuple[Array, str]:
    """Numbers and their unit; "" for plain ones."""
    if not is_quantity(given):
        return number_array(where, given), ""
    return number_array(where, given.magnitude), str(given.units)
