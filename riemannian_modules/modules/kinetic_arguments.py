"""The arguments that kinetic modules take: rate constants, checked, and units."""

from __future__ import annotations

from riemannian_modules.door import number, text
from riemannian_modules.errors import DomainError


def positive(where: str, /, **values: float) -> dict[str, float]:
    """The values as floats.

    Raises:
        DomainError: If one is not positive and finite.
    """
    checked = {name: number(f"{where}: {name}", value) for name, value in values.items()}
    for name, value in checked.items():
        if not value > 0.0:
            raise DomainError(f"{where}: {name} has to be positive and finite, got {value}.")
    return checked


def nonnegative(where: str, /, **values: float) -> dict[str, float]:
    """The values as floats.

    Raises:
        DomainError: If one is negative or not finite.
    """
    checked = {name: number(f"{where}: {name}", value) for name, value in values.items()}
    for name, value in checked.items():
        if not value >= 0.0:
            raise DomainError(f"{where}: {name} has to be finite and at least zero, got {value}.")
    return checked


def rate_unit(unit: str, time_unit: str) -> str:
    """The unit of a rate: that of the amount over that of time; "" where one is not said."""
    amount, time = text("The unit of an amount", unit), text("The unit of time", time_unit)
    return f"{amount}/{time}" if amount and time else ""
