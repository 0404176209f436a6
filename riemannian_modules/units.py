"""Units: what a label of a port means, and numbers with a unit turned into those of a port.

Labels are free text; those that pint knows (https://pint.readthedocs.io) are compared by what they
mean, so that ``1/s`` is ``s^-1`` and ``nM`` is ``nmol/L``; others by their letters.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from riemannian_modules.door import brief, is_quantity
from riemannian_modules.errors import SignatureError


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


def is_known(unit: str) -> bool:
    """Whether a label means a unit, rather than being a mere name such as ``cells``."""
    return _meaning(unit) is not None


@cache
def _meaning(unit: str) -> Any:
    """A unit of pint's, or None."""
    if not unit.strip():
        return None
    try:
        return _registry().parse_units(unit)
    except Exception:  # noqa: BLE001 - pint raises many kinds for what it cannot read
        return None


@cache
def conversion(have: str, want: str) -> float | None:
    """What a number in ``have`` is multiplied with to be one in ``want``.

    1 where a label is empty, for that fits every other, or both are equal; None where there is no
    such number: another dimension, another zero as of degC and K, hertz against angles by time, or
    a label that is no unit.
    """
    if have == want or not have or not want:
        return 1.0
    source, target = _meaning(have), _meaning(want)
    if source is None or target is None or _mixes_turns(source, target):
        return None
    quantity = _registry().Quantity
    try:
        zero = float(quantity(0.0, source).to(target).magnitude)
        one = float(quantity(1.0, source).to(target).magnitude)
    except Exception:  # noqa: BLE001 - another dimension, or a scale that is no ratio
        return None
    if zero != 0.0 or not (math.isfinite(one) and one != 0.0):
        return None
    return float(f"{one:.15g}")  # 60, not 59.99999999999999


def _mixes_turns(source: Any, target: Any) -> bool:
    """Whether one counts in hertz and the other in angles: 2 pi apart, which pint takes for 1."""
    names = [str(unit) for unit in (source, target)]
    angles = ["radian" in str(_registry().get_root_units(unit)[1]) for unit in (source, target)]
    return any("hertz" in names[i] and angles[1 - i] for i in (0, 1))


def in_unit(where: str, value: Any, unit: str) -> Any:
    """A quantity of pint's as a plain number or array in a unit; other values as they are.

    Raises:
        SignatureError: If the unit is not said, or is of another dimension.
    """
    if not is_quantity(value):
        return value
    if not unit:
        if value.dimensionless:
            return value.to("dimensionless").magnitude
        raise SignatureError(
            f"{where}: got a quantity in [{value.units:~}], but the unit that is expected here is "
            "not said. Give the port its unit, as space(x='nM'), or the plain number."
        )
    source, target = _meaning(str(value.units)), _meaning(unit)
    if source is not None and target is not None and _mixes_turns(source, target):
        raise SignatureError(
            f"{where}: expected a quantity in [{unit}], got one in [{value.units:~}]: whether "
            "turns or radians are counted is not said. Multiply by 2 pi where hertz become angles, "
            "and give it in the unit expected."
        )
    try:
        return value.to(unit).magnitude
    except Exception as fault:  # noqa: BLE001 - pint raises many kinds; each is told in our words
        raise SignatureError(
            f"{where}: expected a quantity that can be given in [{unit}], got {brief(value)} "
            f"({fault})."
        ) from None
