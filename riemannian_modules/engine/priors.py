"""What is known of parameters before the data: priors, one for each parameter by name.

A prior is a pseudo-measurement of a parameter, or of its logarithm, or a range.
Sources: Gelman et al. (2013), Bayesian Data Analysis, section 14.8 (priors as extra data); Raue et
al. (2013), Phil. Trans. R. Soc. A 371, 20110544.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

from typing_extensions import override

from riemannian_modules.door import is_quantity, number
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Shown
from riemannian_modules.units import in_unit


@final
@dataclass(frozen=True, slots=True)
class Pull:
    """``z = (theta - location) / scale``, or of its logarithm; it costs ``z^2 / 2`` or ``|z|``."""

    location: float
    scale: float
    is_logarithm: bool = False
    is_linear: bool = False


class Prior(abc.ABC, Shown):
    """The density of a parameter before the data; a fit finds the mode of its product with them.

    Attributes:
        in_units: What of it has the parameter's unit, and may be a quantity of pint's.
    """

    in_units: ClassVar[tuple[str, ...]]

    def plain(self, where: str, unit: str) -> Self:
        """This prior in plain numbers of the parameter's unit; itself where it has no quantities.

        Raises:
            SignatureError: For quantities of another dimension, or where the unit is not said.
        """
        given = {n: v for n in self.in_units if is_quantity(v := getattr(self, n))}
        if given and len(given) < len(self.in_units):
            raise SignatureError(
                f"{where}: {[*given]} have a unit, and others of {[*self.in_units]} have none. "
                "Give all with their units, or all as plain numbers."
            )
        changed: Any = replace(self, **{  # type: ignore[type-var]
            n: float(in_unit(f"{where}: {n}", v, unit)) for n, v in given.items()
        })  # fmt: skip
        return changed if given else self

    @abc.abstractmethod
    def pull(self) -> Pull | None:
        """What its negative logarithm is, less a constant; None where that is constant."""

    @property
    def support(self) -> tuple[float, float]:
        """The range outside of which the density is 0."""
        return -math.inf, math.inf


@final
@dataclass(frozen=True, slots=True, repr=False)
class NormalPrior(Prior):
    """A parameter near a mean.

    Attributes:
        mean: In the parameter's unit.
        deviation: The standard deviation, positive.
    """

    in_units: ClassVar[tuple[str, ...]] = ("mean", "deviation")

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        number("NormalPrior: mean", _magnitude(self.mean))
        _positive("NormalPrior: deviation", _magnitude(self.deviation))

    @override
    def pull(self) -> Pull:
        return Pull(self.mean, self.deviation)


@final
@dataclass(frozen=True, slots=True, repr=False)
class LogNormalPrior(Prior):
    """A positive parameter known up to a factor: its logarithm is normal.

    The density is that of the parameter itself, so its mode is ``median exp(-log_deviation^2)``.
    PEtab's ``logNormal`` with parameters m; s is ``LogNormalPrior(exp(m), s)``.

    Attributes:
        median: In the parameter's unit, positive.
        log_deviation: The standard deviation of the natural logarithm, positive.
    """

    in_units: ClassVar[tuple[str, ...]] = ("median",)

    median: float
    log_deviation: float

    def __post_init__(self) -> None:
        _positive("LogNormalPrior: median", _magnitude(self.median))
        _positive("LogNormalPrior: log_deviation", self.log_deviation)

    @override
    def pull(self) -> Pull:
        # log theta + (log theta - m)^2 / (2 s^2) is (log theta - (m - s^2))^2 / (2 s^2) + constant.
        s = self.log_deviation
        return Pull(math.log(self.median) - s**2, s, is_logarithm=True)

    @property
    @override
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf


@final
@dataclass(frozen=True, slots=True, repr=False)
class UniformPrior(Prior):
    """A parameter in a range, nothing else known: bounds.

    Attributes:
        lower: The least value.
        upper: The largest, above it.
    """

    in_units: ClassVar[tuple[str, ...]] = ("lower", "upper")

    lower: float
    upper: float

    def __post_init__(self) -> None:
        ends: Any = self.lower, self.upper
        if is_quantity(self.lower):
            ends = ends[0].magnitude, in_unit("UniformPrior: upper", ends[1], str(ends[0].units))
        lower, upper = (number("UniformPrior: a side", end) for end in ends)
        if not lower < upper:
            raise DomainError(
                f"UniformPrior: expected lower < upper, got {lower} and {upper}. Exchange them, or "
                "fix the parameter."
            )

    @override
    def pull(self) -> None:
        return None

    @property
    @override
    def support(self) -> tuple[float, float]:
        return self.lower, self.upper


@final
@dataclass(frozen=True, slots=True, repr=False)
class LaplacePrior(Prior):
    """A parameter that mostly equals a location; its penalty ``|theta - location| / scale``.

    That is the lasso's: where the data pull with less than ``1 / scale``, the estimate is the
    location.

    Attributes:
        location: In the parameter's unit.
        scale: Positive, likewise.
    """

    in_units: ClassVar[tuple[str, ...]] = ("location", "scale")

    location: float
    scale: float

    def __post_init__(self) -> None:
        number("LaplacePrior: location", _magnitude(self.location))
        _positive("LaplacePrior: scale", _magnitude(self.scale))

    @override
    def pull(self) -> Pull:
        return Pull(self.location, self.scale, is_linear=True)


def ridge(strength: float) -> NormalPrior:
    """The prior that adds ``strength / 2 theta^2`` to the loss: ridge regression, weight decay.

    Args:
        strength: Positive, in the loss's unit over the parameter's squared.

    Raises:
        DomainError: If it is not positive.
    """
    return NormalPrior(0.0, 1.0 / math.sqrt(_positive("ridge: strength", strength)))


def _magnitude(value: Any) -> Any:
    return value.magnitude if is_quantity(value) else value


def _positive(where: str, value: float) -> float:
    given = number(where, value)
    if not given > 0.0:
        raise DomainError(f"{where}: expected a positive number, got {given}.")
    return given
