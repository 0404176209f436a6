"""How measurements scatter about the model: normal or Laplace, on the observable's scale.

Source: Schmiester et al. (2021), PLoS Comput Biol 17, e1008646 (PEtab's noise models).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, final

from riemannian_modules.shown import Shown


class Noise(abc.ABC, Shown):
    """The density of an error e of size sigma, falling as ``exp(-|e / sigma|^p / p)``.

    Attributes:
        power: The power p.
    """

    power: ClassVar[float]


@final
@dataclass(frozen=True, slots=True, repr=False)
class NormalNoise(Noise):
    """Gaussian errors of standard deviation sigma."""

    power: ClassVar[float] = 2.0


@final
@dataclass(frozen=True, slots=True, repr=False)
class LaplaceNoise(Noise):
    """Errors with heavy tails, of mean absolute value sigma: outliers pull less."""

    power: ClassVar[float] = 1.0
