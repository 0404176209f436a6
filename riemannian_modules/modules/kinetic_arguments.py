"""The arguments that kinetic modules take: rate constants, checked, and units."""

from __future__ import annotations

import math

from riemannian_modules.errors import DomainError


def positive(where: str, **values: float) -> dict[str, float]:
    """The values as floats; raises DomainError unless each is finite and above zero."""
    checked = {name: float(value) for name, value in values.items()}
    for name, value in checked.items():
        if not (math.isfinite(value) and value > 0.0):
            raise DomainError(f"{where}: {name} has to be positive and finite, got {value}.")
    return checked


def nonnegative(where: str, **values: float) -> dict[str, float]:
    """The values as floats; raises DomainError unless each is finite and not below zero."""
    checked = {name: float(value) for name, value in values.items()}
    for name, value in checked.items():
        if not (math.isfinite(value) and value >= 0.0):
            raise DomainError(f"{where}: {name} has to be finite and at least zero, got {value}.")
    return checked


def rate_unit(unit: str, time_unit: str) -> str:
    """The unit of a rate: that of the amount over that of time; "" where one is not said."""
    return f"{unit}/{time_unit}" if unit and time_unit else ""
