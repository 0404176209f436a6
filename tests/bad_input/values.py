"""Values that are nobody's argument, and what may happen when one is handed in."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from riemannian_modules.errors import RiemannianError

BAD: dict[str, Any] = {
    "None": None,
    "NaN": math.nan,
    "infinity": math.inf,
    "negative": -1,
    "zero": 0,
    "text": "abc",
    "no text": "",
    "complex": 1 + 2j,
    "complex array": np.array([1 + 2j, 1.0]),
    "ragged": [[1.0], [1.0, 2.0]],
    "NaN in a list": [1.0, math.nan],
    "three axes": np.ones((2, 2, 2)),
    "empty list": [],
    "mapping": {"unknown": 1.0},
    "object": object(),
    "fraction": 2.5,
    "long integer": 10**400,
    "vector of five": np.ones(5),
    "texts": ("a", "b"),
    "indefinite": -np.eye(2),
}


def foreign_errors(
    call: Callable[..., object], arguments: Mapping[str, object]
) -> list[tuple[str, str, str]]:
    """Each (argument, bad value, error) that is no error of the library, one argument at a time."""
    found: list[tuple[str, str, str]] = []
    for name in arguments:
        for label, value in BAD.items():
            try:
                call(**{**arguments, name: value})
            except RiemannianError:
                continue
            except Exception as error:  # noqa: BLE001 - any other error is what is looked for
                found.append((name, label, f"{type(error).__name__}: {error}"))
    return found
