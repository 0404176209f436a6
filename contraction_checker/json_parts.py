"""Parts of a JSON document, of which nothing is believed: each is asked for what it has to be.

A key that is not known is an error, for what is not proved must not be shown. A text must not stand
for the list of its letters, nor a truth value for a number.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeAlias

from contraction_checker.ranges import INF, Range, near
from contraction_checker.refusals import MalformedError

Json: TypeAlias = "bool | int | Fraction | str | list[Json] | dict[str, Json] | None"


def fields(data: Json, required: str, optional: str = "") -> dict[str, Json]:
    """An object with these keys and no others.

    Raises:
        MalformedError: If it is no object, lacks a key or has another one.
    """
    names = [*required.split(), *optional.split()]
    if not isinstance(data, dict) or not {*required.split()} <= {*data} <= {*names}:
        raise MalformedError(f"expected the keys {names}")
    return data


def listed(data: Json) -> list[Json]:
    """A list.

    Raises:
        MalformedError: If it is anything else.
    """
    if not isinstance(data, list):
        raise MalformedError(f"expected a list, got {data!r:.60}")
    return data


def list_in(part: dict[str, Json], key: str) -> list[Json]:
    """The list under a key; an empty one where the key is left out.

    Raises:
        MalformedError: If anything else stands there.
    """
    return listed(part[key]) if key in part else []


def tuple_of(data: Json, length: int) -> list[Json]:
    """A list of this length.

    Raises:
        MalformedError: If it is anything else.
    """
    found = listed(data)
    if len(found) != length:
        raise MalformedError(f"expected {length} entries, got {data!r:.60}")
    return found


def mapping(data: Json, what: str) -> dict[str, Json]:
    """An object of any keys.

    Raises:
        MalformedError: If it is anything else.
    """
    if not isinstance(data, dict):
        raise MalformedError(f"expected {what}, got {data!r:.60}")
    return data


def text(data: Json, what: str) -> str:
    """A text.

    Raises:
        MalformedError: If it is anything else.
    """
    if not isinstance(data, str):
        raise MalformedError(f"expected {what}, got {data!r:.60}")
    return data


def texts(data: Json, what: str) -> list[str]:
    """A list of texts."""
    return [text(x, what) for x in listed(data)]


def whole(data: Json, what: str) -> int:
    """A whole number.

    Raises:
        MalformedError: If it is anything else, among that a truth value or 1.0.
    """
    if type(data) is not int:
        raise MalformedError(f"expected {what}, got {data!r:.60}")
    return data


def real(data: Json) -> Fraction:
    """A number that is a double.

    Raises:
        MalformedError: If it is anything else, among that a whole number that no double holds.
        OverflowError: If it is beyond every double.
    """
    # bool is a kind of int, and True is no number.
    if type(data) not in (int, Fraction) or not isinstance(data, (int, Fraction)):
        raise MalformedError(f"{data!r} is no double")
    if Fraction(float(data)) != data:
        raise MalformedError(f"{data!r} is no double")
    return Fraction(data)


def reals(data: Json) -> list[Fraction]:
    """A list of doubles."""
    return [real(x) for x in listed(data)]


def between(lo: Json, hi: Json) -> Range:
    """The numbers from lo to hi, which are doubles, "-inf" below, "inf" above; never none.

    Raises:
        MalformedError: If an end is no number, or no number lies between them.
    """
    low = None if lo == "-inf" else real(lo)
    high = None if hi == "inf" else real(hi)
    if low is not None and high is not None and low > high:
        raise MalformedError(f"no number lies between {lo} and {hi}")
    return Range(
        -INF if low is None else near(low).lo,
        INF if high is None else near(high).hi,
    )


def is_between(x: Fraction, lo: Json, hi: Json) -> bool:
    """Whether a number lies between two ends, exactly."""
    return (lo == "-inf" or real(lo) <= x) and (hi == "inf" or x <= real(hi))


def are_distinct(names: Iterable[object]) -> bool:
    """Whether no name comes twice."""
    given = [*names]
    return len({*given}) == len(given)
