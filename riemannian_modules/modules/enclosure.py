"""Intervals that hold what a module computes at every point of a box.

Source: Moore, Kearfott and Cloud (2009), Introduction to Interval Analysis, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from riemannian_modules.shown import Shown

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Enclosure(Shown):
    """Intervals that contain a module's values and its Jacobian at every point of a box."""

    dx: Interval
    y: Interval
    A: Interval
    B: Interval
    C: Interval
    D: Interval
