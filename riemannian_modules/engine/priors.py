"""What is known of parameters before the data: priors, one for each parameter by name.

A prior is a pseudo-measurement of a parameter, or of its logarithm, or a range.
Sources: Gelman et al. (2013), Bayesian Data Analysis, section 14.8 (priors as extra data); Raue et
al. (2013), Phil. Trans. R. Soc. A 371, 20110544.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.door import number
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Shown


@final
@dataclass(frozen=True, slots=True)
class Pull:
    """``z = (theta - location) / scale``, or of its logarithm; it costs ``z^2 / 2`` or ``|z|``."""

    location: float
    scale: float
    is_logarithm: bool = False
    is_linear: bool = False


class Prior(abc.ABC, Shown):
    """The density of a parameter before the data; a fit finds the mode of its product with them."""

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

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        number("NormalPrior: mean", self.mean)
        _positive("NormalPrior: deviation", self.deviation)

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

    median: float
    log_deviation: float

    def __post_init__(self) -> None:
        _positive("LogNormalPrior: median", self.median)
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

    lower: float
    upper: float

    def __post_init__(self) -> None:
        lower, upper = (number(f"UniformPrior: {n}", getattr(self, n)) for n in ("lower", "upper"))
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

    location: float
    scale: float

    def __post_init__(self) -> None:
        number("LaplacePrior: location", self.location)
        _positive("LaplacePrior: scale", self.scale)

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


def _positive(where: str, value: float) -> float:
    given = number(where, value)
    if not given > 0.0:
        raise DomainError(f"{where}: expected a positive number, got {given}.")
    return given
