"""What a claim can speak of: a system of one of the forms that certificates know."""

from __future__ import annotations

import abc
from typing import Any

from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.kind import KINDS
from riemannian_modules.claims.norms import Norm
from riemannian_modules.modules.signature import Time
from riemannian_modules.spaces import Array


class ClaimedSystem(abc.ABC):
    """A flow, step or static map over a box of its coordinates.

    Attributes:
        time: Continuous, discrete or static.
        lower: Lower sides (dim,) of the region.
        upper: Upper sides (dim,).
        horizontal: The directions that count, where conserved or symmetric ones do not.
    """

    time: Time
    lower: Array
    upper: Array
    horizontal: Horizontal | None

    @property
    def kind(self) -> str:
        """The kind of claim that is made of it: "flow", "step" or "map"."""
        return KINDS[self.time]

    @property
    def is_flow(self) -> bool:
        """Whether time is continuous."""
        return self.time is Time.CONTINUOUS

    @property
    @abc.abstractmethod
    def coordinates(self) -> tuple[str, ...]:
        """The names of the region's sides."""

    @property
    @abc.abstractmethod
    def symbols(self) -> tuple[Any, ...]:
        """The symbols in which a norm that changes with the point is written."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of coordinates of the norm."""

    @property
    @abc.abstractmethod
    def input_size(self) -> int:
        """The number of coordinates that the system is differentiated by."""

    @property
    @abc.abstractmethod
    def region_in_words(self) -> str:
        """The region, with all digits: rounded ones would claim another region."""

    @abc.abstractmethod
    def in_symbols(self, norm: Norm) -> str:
        """What a bound b asks of the system in a norm, in symbols."""

    @abc.abstractmethod
    def to_data(self) -> dict[str, Any]:
        """The system as data; its type is named in it."""

    @abc.abstractmethod
    def region_to_data(self) -> dict[str, Any]:
        """The region as data."""
