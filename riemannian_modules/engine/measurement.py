"""What is said of measurements: their errors, their weights, and which of them are missing.

Source: none; `sigma` means what it means to SciPy's curve_fit, `weights` what they are in
statsmodels and R: they multiply squares, and are ``1 / sigma^2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riemannian_modules.door import brief, name_list, number_array, require_mapping
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array, Space
from riemannian_modules.units import in_unit

Missing: TypeAlias = str | Sequence[str] | Mapping[str, ArrayLike] | None
ByOutput: TypeAlias = ArrayLike | Mapping[str, ArrayLike]
Marks: TypeAlias = NDArray[np.bool_]


def measured_targets(
    where: str, space: Space, values: ByOutput, missing: Missing
) -> tuple[Array, Array | None]:
    """A user's targets, flat (B, q), 0 where nothing was measured, and weights 1 or 0 if any is.

    Raises:
        SignatureError: For wrong names or shapes.
        DomainError: For infinite values, or NaN where `missing` does not allow it.
    """
    if isinstance(values, Mapping):
        require_mapping(where, values, "columns by name")
        space.check_names(values, where)
        given = {
            name: number_array(where, in_unit(f"{where}: {name!r}", v, space.unit_of(name)))
            for name, v in values.items()
        }
        t = space.pack({n: np.where(np.isnan(v), 0.0, v) for n, v in given.items()}, where)
        gaps = space.pack({n: np.isnan(v) * 1.0 for n, v in given.items()}, where)
    else:
        flat = number_array(where, values)
        t = space.pack(np.where(np.isnan(flat), 0.0, flat), where)
        gaps = np.broadcast_to(np.isnan(flat), t.shape)
    if t.ndim != 2:
        return t, None  # the caller says what is wrong with it
    return targets_with_weights(where, space, np.where(gaps, np.nan, t), missing)


def targets_with_weights(
    where: str, space: Space, flat: Array, missing: Missing
) -> tuple[Array, Array | None]:
    """`measured_targets` of flat columns (B, q), in which NaN is what may be missing."""
    absent = np.isnan(flat)
    if missing is None and not absent.any():
        return flat, None
    gone = _gone(where, space, missing, absent)
    _check_explained(where, space, absent & ~gone)
    return np.where(gone, 0.0, flat), (np.where(gone, 0.0, 1.0) if gone.any() else None)


def _gone(where: str, space: Space, missing: Missing, absent: Marks) -> Marks:
    """What was not measured, as `missing` says."""
    if missing is None:
        return np.zeros_like(absent)
    if isinstance(missing, Mapping):
        return _marked(where, space, missing, absent.shape)
    expected = "names of outputs in which NaN is a missing value"
    names = name_list(f"{where}: missing", missing, expected)
    space.check_names(names, f"{where}: missing")
    allowed = np.zeros(space.size, dtype=bool)
    for name in names:
        allowed[space.slice_of(name)] = True
    return absent & allowed


def _marked(
    where: str, space: Space, missing: Mapping[str, ArrayLike], shape: tuple[int, ...]
) -> Marks:
    require_mapping(f"{where}: missing", missing, "arrays of booleans by name")
    space.check_names(missing, f"{where}: missing")
    gone = np.zeros(shape, dtype=bool)
    for name, given in missing.items():
        mark, place = np.asarray(given), space.slice_of(name)
        wide = gone[:, place].shape
        if mark.dtype != bool or mark.size not in (wide[0], wide[0] * wide[1]):
            raise SignatureError(
                f"{where}: missing: {name!r} expects {wide[0]} booleans, one for each sample, true "
                f"where nothing was measured; got {brief(given)}."
            )
        gone[:, place] = mark.reshape(wide[0], -1)
    return gone


def _check_explained(where: str, space: Space, unexplained: Marks) -> None:
    if unexplained.any():
        columns = np.flatnonzero(unexplained.any(axis=0))
        names = [space.coordinates[i] for i in columns[:8]]
        rows = unexplained.any(axis=1)
        raise DomainError(
            f"{where}: column {names[0]!r} holds NaN in {int(rows.sum())} rows, first in row "
            f"{int(np.argmax(rows))}. If NaN means that nothing was measured, say "
            f"missing={' '.join(names)!r}; else leave these samples out."
        )


def weights_of(
    where: str, space: Space, count: int, sigma: ByOutput | None, weights: ByOutput | None
) -> Array | None:
    """``weights / sigma^2``, (B, q); None where neither is given. NaN stays, for missing values."""
    if sigma is None and weights is None:
        return None
    total = np.ones((count, space.size))
    if sigma is not None:
        deviations = _by_output(f"{where}: sigma", space, sigma, count, np.nan)
        total /= np.where(deviations > 0.0, deviations, np.nan) ** 2
    if weights is not None:
        total *= _by_output(f"{where}: weights", space, weights, count, 1.0)
    return total


def _by_output(where: str, space: Space, given: ByOutput, count: int, absent: float) -> Array:
    """Numbers for each entry of the targets, (B, q), from one number, an array, or by name."""
    shape = (count, space.size)
    if isinstance(given, Mapping):
        require_mapping(where, given, "numbers by output")
        space.check_names(given, where)
        laid = np.full(shape, absent)
        for name, value in given.items():
            place, said = space.slice_of(name), f"{where}: {name!r}"
            plain = number_array(said, in_unit(said, value, space.unit_of(name)))
            laid[:, place] = _spread(said, plain, laid[:, place].shape)
        return laid
    return _spread(where, number_array(where, given), shape)


def _spread(where: str, value: Array, shape: tuple[int, int]) -> Array:
    """One number, one for each sample, one for each output, or one for each entry."""
    count, size = shape
    if value.ndim == 1 and count == size > 1:
        raise SignatureError(
            f"{where}: {count} numbers could be those of the samples or of the outputs; give an "
            f"array of shape {shape}, or one by output's name."
        )
    if value.shape == (count,):
        value = value[:, None]
    elif value.ndim > 2 and value.shape[0] == count and value.size == count * size:
        value = value.reshape(shape)
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise SignatureError(
            f"{where}: expected one number, {count} for the samples, or an array of shape {shape}, "
            f"got shape {value.shape}."
        ) from None


def checked_weights(where: str, space: Space, weights: Array, measured: Marks) -> Array:
    """The weights of what was measured, 0 elsewhere.

    Raises:
        DomainError: If a weight is negative, infinite or NaN, or an error is not positive.
    """
    total = np.where(measured, weights, 0.0)
    wrong = ~(np.isfinite(total) & (total >= 0.0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DomainError(
            f"{where}: expected a positive, finite sigma and weights of at least 0, but those of "
            f"{space.coordinates[column]!r} in row {row} are not. Give each measurement one, or "
            "name it in `missing`."
        )
    return total
