"""What stands on the command line, turned into files, numbers and regions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from riemannian_modules.region import Side
    from riemannian_modules.spaces import Array, Space
    from riemannian_modules.spec import System

EXAMPLE = "gene_control.json"

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A system file (JSON or YAML); the bundled example where none is given.",
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for the results; made if it is not there."),
]


def load(path: Path | None) -> System:
    """The system of a file, or the bundled example."""
    from riemannian_modules.spec import load_system

    if path is not None:
        return load_system(path)
    with as_file(files("riemannian_modules") / "examples" / EXAMPLE) as example:
        return load_system(example)


def finite(option: str, value: float) -> float:
    """A number that is neither NaN nor infinite."""
    if not math.isfinite(value):
        raise misuse(option, f"expected a finite number, got {value}.")
    return value


def misuse(option: str, message: str) -> typer.BadParameter:
    """The error of an option's value."""
    return typer.BadParameter(message, param_hint=f"'{option}'")


def region_sides(
    stored: Mapping[str, Side], given: Sequence[str], option: str = "--region"
) -> dict[str, Side]:
    """The file's sides with those of the command line over them."""
    new = dict(_side(text, option) for text in given)
    # Later sides overrule earlier ones where a port and one of its coordinates are both named.
    return {**{name: side for name, side in stored.items() if name not in new}, **new}


def _side(text: str, option: str) -> tuple[str, Side]:
    name, equals, sides = text.partition("=")
    low, colon, high = sides.partition(":")
    try:
        lower, upper = float(low), float(high)
    except ValueError:
        got = repr(text) if equals and colon else f"{text!r} (without '=' or ':')"
        raise misuse(
            option, f"expected NAME=LOWER:UPPER such as plant.q=-1:inf, got {got}."
        ) from None
    if not lower <= upper:
        raise misuse(
            option,
            f"{name.strip()}: expected LOWER <= UPPER, got {low}:{high}. Exchange the sides.",
        )
    return name.strip(), (lower, upper)


def port_values(
    space: Space, stored: Mapping[str, Any], given: Sequence[str], option: str
) -> Array:
    """A space's values (size,): those of the command line over the file's, zero elsewhere."""
    import numpy as np

    flat = np.zeros(space.size)
    for name, value in stored.items():
        _put(space, flat, name, value, "the file's `simulation`")
    for text in given:
        name, numbers = _assignment(option, text)
        _put(space, flat, name, numbers, option)
    return flat


def _put(space: Space, flat: Array, name: str, value: Any, where: str) -> None:
    import numpy as np

    places = {c: slice(i, i + 1) for i, c in enumerate(space.coordinates)}
    place = space.slice_of(name) if name in space else places.get(name)
    if place is None:
        known = ", ".join(space.names) or "none"
        raise misuse(where, f"there is no {name!r}; known are: {known}.")
    numbers = np.asarray(value, dtype=np.float64).ravel()
    if numbers.size not in (1, flat[place].size):
        size = flat[place].size
        raise misuse(where, f"{name!r} expects {size} numbers, got {numbers.size}.")
    if not np.isfinite(numbers).all():
        raise misuse(where, f"{name!r} expects finite numbers, got {numbers.tolist()}.")
    flat[place] = numbers


def _assignment(option: str, text: str) -> tuple[str, list[float]]:
    name, equals, value = text.partition("=")
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if not equals or not numbers:
        raise misuse(option, f"expected NAME=VALUE or NAME=V1,V2 such as plant.q=1, got {text!r}.")
    return name.strip(), numbers
