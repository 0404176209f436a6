"""Values of modules and settings as JSON's types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from riemannian_modules.errors import UnsupportedError


def plain(value: Any) -> Any:
    """Arrays and NumPy numbers as lists and numbers; the rest as it is.

    Raises:
        UnsupportedError: For numbers that are not finite, and functions.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if callable(value):
        raise UnsupportedError(
            "A file holds numbers and texts, but an argument of a module is a function. Write it "
            'as a formula, such as "1 + sin(t)", where the module takes one.'
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UnsupportedError(
            f"A file holds finite numbers, but an argument of a module is {value}. Use a large "
            f"number."
        )
    return value
