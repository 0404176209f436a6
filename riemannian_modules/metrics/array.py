"""The arrays that metrics are made of: any array-API floats, checked once at the door.

Source: the Python array API standard, 2023.12 (https://data-apis.org/array-api/).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj
from array_api_compat import device as device_of

from riemannian_modules.door import number as given_number
from riemannian_modules.errors import DomainError, MetricError

AnyArray: TypeAlias = Any  # the standard has no static type yet
Namespace: TypeAlias = Any


def namespace_of(*arrays: AnyArray) -> Namespace:
    """The array-API namespace that all of ``arrays`` share; TypeError where they mix libraries."""
    namespace: Namespace = array_namespace(*arrays)  # pyright: ignore[reportUnknownVariableType]
    return namespace


def real_array(name: str, values: AnyArray) -> AnyArray:
    """A floating copy of ``values``, in its own library where it has one, else NumPy float64.

    Args:
        name: What the caller calls it; the error says so.
        values: An array-API array, or anything that NumPy reads as one; any shape.

    Raises:
        DomainError: If it holds NaN or infinities, or is not made of real numbers.
    """
    given: AnyArray = values if is_array_api_obj(values) else _numpy_array(name, values)
    xp = namespace_of(given)
    if xp.isdtype(given.dtype, "real floating"):
        copy = xp.asarray(given, copy=True)
    elif xp.isdtype(given.dtype, "integral"):
        copy = xp.astype(given, xp.float64)
    else:
        raise DomainError(
            f"{name}: expected real numbers, got dtype {given.dtype}. Convert to float64."
        )
    finite = xp.isfinite(copy)
    if not bool(xp.all(finite)):
        count = int(xp.sum(xp.astype(~finite, xp.int64)))
        raise DomainError(
            f"{name}: expected finite numbers, got {count} NaN or infinite in shape "
            f"{tuple(finite.shape)}. Check the map or the data that gave them."
        )
    return copy


def positive_number(name: str, value: float) -> float:
    """``value`` as a float.

    Raises:
        DomainError: If it is not positive and finite.
    """
    number = given_number(name, value)
    if not (number > 0.0 and np.isfinite(number)):
        raise DomainError(f"{name}: expected a positive finite number, got {number}.")
    return number


def check_rows(what: str, values: AnyArray, rows: int) -> None:
    """Check that ``values`` has shape (rows,) or (rows, k).

    Raises:
        MetricError: If it has another shape.
    """
    _check_array(what, values)
    if values.ndim not in (1, 2) or values.shape[0] != rows:
        raise MetricError(
            f"{what}: expected shape ({rows},) or ({rows}, k), got {tuple(values.shape)}. "
            "The metric's dimension is the length of the first axis."
        )


def check_matrix(what: str, values: AnyArray, rows: int) -> None:
    """Check that ``values`` has shape (rows, k).

    Raises:
        MetricError: If it has another shape.
    """
    _check_array(what, values)
    if values.ndim != 2 or values.shape[0] != rows:
        raise MetricError(
            f"{what}: expected shape ({rows}, k), got {tuple(values.shape)}. "
            "Columns belong to the second axis; one column is (n, 1)."
        )


def _check_array(what: str, values: AnyArray) -> None:
    if not is_array_api_obj(values):
        raise MetricError(
            f"{what}: expected an array, got {type(values).__name__}. Wrap it with numpy.asarray."
        )


def as_columns(values: AnyArray) -> AnyArray:
    """``values`` with a second axis: (n,) becomes (n, 1), (n, k) stays."""
    return values[:, None] if values.ndim == 1 else values


def like(prototype: AnyArray, values: AnyArray) -> AnyArray:
    """NumPy ``values`` in the library, dtype and device of ``prototype``."""
    xp = namespace_of(prototype)
    return xp.asarray(values, dtype=prototype.dtype, device=device_of(prototype))


def rounding_unit(prototype: AnyArray) -> float:
    """The spacing of floats at one in the dtype of ``prototype``."""
    return float(namespace_of(prototype).finfo(prototype.dtype).eps)


def _numpy_array(name: str, values: AnyArray) -> AnyArray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DomainError(
            f"{name}: expected an array of real numbers, got {type(values).__name__} ({error})."
        ) from error
