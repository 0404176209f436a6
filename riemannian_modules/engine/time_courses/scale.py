"""Scales on which parameters are searched and measurements compared: linear, logarithmic.

Source: Hass et al. (2019), Bioinformatics 35, 3073-3082 (rates are found better on logarithms).
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from typing_extensions import override

from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array


class Scale(abc.ABC, Shown):
    """A monotone map of values to the scale's own numbers: `LinearScale`, `LogScale`, `Log10Scale`.

    Attributes:
        function: The map's name in formulas; empty for the identity.
    """

    function: ClassVar[str]

    @abc.abstractmethod
    def of(self, values: Array) -> Array:
        """The values on the scale; NaN or infinite where it has no place for them."""

    @abc.abstractmethod
    def back(self, scaled: Array) -> Array:
        """The values that stand at these places of the scale."""

    @abc.abstractmethod
    def slope(self, values: Array) -> Array:
        """How fast values move along the scale, ``d value / d scaled``, at the values."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class LinearScale(Scale):
    """Values as they are."""

    function: ClassVar[str] = ""

    @override
    def of(self, values: Array) -> Array:
        return values

    @override
    def back(self, scaled: Array) -> Array:
        return scaled

    @override
    def slope(self, values: Array) -> Array:
        return np.ones_like(values)


@final
@dataclass(frozen=True, slots=True, repr=False)
class LogScale(Scale):
    """Natural logarithms of positive values."""

    function: ClassVar[str] = "log"

    @override
    def of(self, values: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(values)

    @override
    def back(self, scaled: Array) -> Array:
        return np.exp(scaled)

    @override
    def slope(self, values: Array) -> Array:
        return values


@final
@dataclass(frozen=True, slots=True, repr=False)
class Log10Scale(Scale):
    """Decadic logarithms of positive values."""

    function: ClassVar[str] = "log10"

    @override
    def of(self, values: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log10(values)

    @override
    def back(self, scaled: Array) -> Array:
        return 10.0**scaled

    @override
    def slope(self, values: Array) -> Array:
        return math.log(10.0) * values
