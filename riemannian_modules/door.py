"""What callers hand in, checked before anything is computed with it: kinds, numbers and names.

Each function returns what was given, in the type that is computed with, or raises an error of the
library that says where, what was expected and what came.
"""

from __future__ import annotations

import difflib
import math
import numbers
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.errors import DomainError, RiemannianError, SignatureError


def is_quantity(value: object) -> bool:
    """Whether a value is a number or array with a unit, of pint's; pint is not loaded for it."""
    pint = sys.modules.get("pint")
    return pint is not None and isinstance(value, pint.Quantity)


def number_array(
    where: str, value: object, error: type[RiemannianError] = SignatureError
) -> NDArray[np.float64]:
    """A new float64 array of ``value``, which may hold NaN and infinities; raises ``error``.

    Complex numbers are refused, where NumPy would drop their imaginary parts, and quantities,
    where it would drop their units.
    """
    if is_quantity(value):
        raise error(
            f"{where}: expected plain numbers, got {brief(value)} with a unit. Give its magnitude."
        )
    try:
        given = np.asarray(value)
        if given.dtype.kind == "c":
            raise TypeError("complex numbers are not real")
        if given.dtype.kind in "mM":
            raise TypeError("give dates as the time since a start, in the unit of the model")
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as fault:
        raise error(
            f"{where}: expected real numbers in a rectangular array, got {brief(value)} ({fault})."
        ) from fault


def number(where: str, value: object) -> float:
    """One finite number as a float.

    Raises:
        SignatureError: If it is no number, or more than one.
        DomainError: If it is not finite.
    """
    array = number_array(where, value)
    if array.size != 1:
        raise SignatureError(f"{where}: expected one number, got an array of shape {array.shape}.")
    result = float(array.reshape(()))
    if not math.isfinite(result):
        raise DomainError(f"{where}: expected a finite number, got {result}.")
    return result


def whole_number(
    where: str, value: object, least: int, error: type[RiemannianError] = SignatureError
) -> int:
    """A whole number that is at least ``least``; raises ``error``."""
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, numbers.Integral)
        or int(value) < least
    ):
        raise error(f"{where}: expected a whole number of at least {least}, got {brief(value)}.")
    return int(value)


def text(where: str, value: object) -> str:
    """A string, which may be empty.

    Raises:
        SignatureError: If it is no string.
    """
    if not isinstance(value, str):
        raise SignatureError(f"{where}: expected a string, got {brief(value)}.")
    return value


def names(where: str, value: object) -> tuple[str, ...]:
    """Names separated by blanks; raises SignatureError."""
    return tuple(text(where, value).split())


def name_list(where: str, value: object, expected: str) -> list[str]:
    """Names separated by blanks, or in a list or tuple.

    Raises:
        SignatureError: If it is neither.
    """
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, (list, tuple)):
        raise SignatureError(f"{where}: expected {expected}, got {brief(value)}.")
    for name in value:
        require(where, name, str, expected)
    return [*value]


def require(
    where: str,
    value: Any,
    kind: type | tuple[type, ...],
    expected: str,
    error: type[RiemannianError] = SignatureError,
) -> None:
    """Raise ``error`` unless ``value`` is of the kind; ``expected`` says in words which one."""
    if not isinstance(value, kind):
        raise error(f"{where}: expected {expected}, got {brief(value)}.")


def require_mapping(
    where: str, value: Any, expected: str, error: type[RiemannianError] = SignatureError
) -> None:
    """Raise ``error`` unless ``value`` is a mapping whose keys are strings."""
    require(where, value, Mapping, expected, error)
    wrong = [key for key in value if not isinstance(key, str)]
    if wrong:
        raise error(f"{where}: expected names that are strings, got {wrong[:8]!r}.")


def repeated(names: Iterable[str]) -> set[str]:
    """The names that come more than once, in O(n)."""
    return {name for name, count in Counter(names).items() if count > 1}


def keywords(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The free keywords of a constructor, of which a mapping under ``name`` holds more.

    So that those can be given which are words of the constructor itself. Raises SignatureError.

    Raises:
        SignatureError: If a keyword is given both ways.
    """
    inner = given.get(name)
    if not isinstance(inner, Mapping):
        return dict(given)
    require_mapping(name, inner, "names")
    outer = {key: value for key, value in given.items() if key != name}
    twice = sorted(outer.keys() & inner.keys())
    if twice:
        raise SignatureError(f"{name}: {twice} are given beside it and in it; keep one of each.")
    return outer | dict(inner)


def did_you_mean(unknown: Sequence[str], known: Sequence[str]) -> str:
    """`` (did you mean 'angle'?)`` for the nearest known names, or nothing where none is near."""
    near = [difflib.get_close_matches(name, list(known)[:2000], 1) for name in unknown[:4]]
    found = ", ".join(repr(name) for names in near for name in names)
    return f" (did you mean {found}?)" if found else ""


def brief(value: object) -> str:
    """What came, in a few words: its type, and its text where that is short."""
    try:
        shown = " ".join(repr(value).split())
    except ValueError:  # an integer with more digits than Python prints
        shown = "a very long integer"
    return f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"
