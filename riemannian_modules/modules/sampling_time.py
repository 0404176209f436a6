"""The sampling time of a discrete module: how long one step takes, in a unit that may be named.

Source: Astrom and Wittenmark (1997), Computer-Controlled Systems, third edition, section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from riemannian_modules.door import brief, number, text
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Shown

# Two lengths that differ by no more than this, relative, are one: 0.1 + 0.2 and 0.3.
ROUNDING = 1e-12


@final
@dataclass(frozen=True, slots=True, repr=False)
class SamplingTime(Shown):
    """The time from one step to the next, above zero; its unit is "" when not said.

    Units are labels, as those of ports are: they have to agree, and nothing is converted.
    """

    length: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.length!r} {self.unit}".rstrip()

    @property
    def argument(self) -> float | tuple[float, str]:
        """What a constructor takes to make it."""
        return (self.length, self.unit) if self.unit else self.length

    def fits(self, other: SamplingTime) -> bool:
        """Whether modules with these sampling times step together."""
        return self.steps_in(other) == 1

    def steps_in(self, longer: SamplingTime) -> int | None:
        """How many whole steps of this length are one of ``longer``; None if no whole number is."""
        if self.unit and longer.unit and self.unit != longer.unit:
            return None
        ratio = longer.length / self.length
        count = round(ratio) if math.isfinite(ratio) else 0
        is_whole = count >= 1 and math.isclose(ratio, count, rel_tol=ROUNDING)
        return count if is_whole else None


def checked_sampling_time(where: str, given: object) -> SamplingTime | None:
    """What a user says of the sampling time: None, a length, or a length and its unit.

    Raises:
        SignatureError: For anything else.
        DomainError: For a length that is not positive and finite.
    """
    if given is None or isinstance(given, SamplingTime):
        return given
    length, unit = given if isinstance(given, (tuple, list)) and len(given) == 2 else (given, "")
    if isinstance(length, (str, bool)):
        raise SignatureError(
            f"{where}: sampling_time: expected a length such as 0.2, or with its unit (0.2, 's'), "
            f"got {brief(given)}."
        )
    seconds = number(f"{where}: sampling_time", length)
    if not seconds > 0.0:
        raise DomainError(
            f"{where}: sampling_time: expected a positive length, got {seconds}. Leave it out "
            "where it is not known."
        )
    return SamplingTime(seconds, text(f"{where}: the unit of sampling_time", unit))


def common_sampling_time(
    stated: Mapping[str, SamplingTime],
) -> tuple[SamplingTime | None, list[str]]:
    """The sampling time of modules that step together, and what stands against it, in words.

    Args:
        stated: By name, for the modules that state one; the others fit any.

    Returns:
        The longest of them, with a unit where one is said, and a fault for each other length that
        a module has, naming both modules and the mend.
    """
    if not stated:
        return None, []
    slow = max(stated, key=lambda name: (stated[name].length, stated[name].unit))
    longest, faults = stated[slow], dict[SamplingTime, str]()
    for name, own in stated.items():
        if own not in faults and not own.fits(longest):
            faults[own] = _mixed(slow, longest, name, own)
    units = {own.unit for own in stated.values()} - {""}
    unit = longest.unit or min(units, default="")
    return SamplingTime(longest.length, unit), list(faults.values())


def _mixed(slow: str, longest: SamplingTime, fast: str, own: SamplingTime) -> str:
    count = own.steps_in(longest)
    if count is not None:
        mend = (
            f"Put Resampled({fast}, {longest.argument!r}) in its place: {count} of its steps are "
            "one then, its inputs held meanwhile"
        )
    elif own.unit != longest.unit:
        mend = "Give both sampling times in one unit; nothing is converted"
    else:
        mend = (
            "The longer is no whole multiple of the shorter, so neither can be resampled to the "
            "other: discretise one of them again"
        )
    return (
        f"{slow!r} takes a step every {longest} and {fast!r} every {own}, but in one graph all "
        f"take their steps together. {mend}."
    )
