"""What some modules can do and others cannot: each a class that a module is recognised to be of.

A class that defines the methods of a capability has it, as what has a length is `Sized`
(`collections.abc`). The functions `outputs_then_differential` and the like take any module: they
use the capability where it is there, and what every module has otherwise.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules.differential import Differential
from riemannian_modules.spaces import Array, Signals

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval
    from riemannian_modules.modules.enclosure import Enclosure


class Capability(abc.ABC):  # noqa: B024 - each capability has methods of its own
    """A few methods; what defines them all is recognised, by inheritance or without it."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        if cls.__bases__ != (Capability,):
            return NotImplemented
        wanted = cls.__abstractmethods__
        has_all = all(any(name in vars(part) for part in other.__mro__) for name in wanted)
        return has_all or NotImplemented


class ExactForm(Capability):
    """A module whose map is written in NumPy, so that it has exact expressions."""

    @abc.abstractmethod
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        """``(dx, y)`` in NumPy for one point, traceable; expressions are made of it.

        Raises:
            UnsupportedError: If this module has no exact form after all.
        """


class EnclosedMap(Capability):
    """A module that encloses its values and its Jacobian over boxes."""

    @abc.abstractmethod
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        """Rigorous enclosures of values and Jacobian over a batch of boxes.

        Raises:
            UnsupportedError: If this module has no exact form after all.
        """


class RefusedForm(ExactForm, EnclosedMap):
    """A module about which nothing can be proved, and that says why and what to do instead."""

    @abc.abstractmethod
    def _refusal(self) -> str:
        """Why, and the way out."""

    @override
    @final
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        raise UnsupportedError(self._refusal())

    @override
    @final
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        raise UnsupportedError(self._refusal())


class StagedMap(Capability):
    """A module whose outputs share work with its derivative, which may be asked for later."""

    @abc.abstractmethod
    def output_then_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Callable[[], Differential]]:
        """`output`, and what gives `differential` if it is called."""


class JointMap(Capability):
    """A module that computes its outputs and its derivative at once."""

    @abc.abstractmethod
    def output_with_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Differential]:
        """`output` and `differential` at once."""


class TangentMap(Capability):
    """A module that carries tangents along with its values, in one sweep."""

    @abc.abstractmethod
    def push_forward(
        self, x: Array, u: Array, theta: Array, t_x: Array, t_u: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Values ``(dx, y)`` and their tangents along ``t_x`` (..., n, k), ``t_u`` (..., m, k)."""


class StatedAccuracy:
    """A module whose outputs are less exact than rounding, as what is integrated.

    Attributes:
        accuracy: How exactly outputs are computed, relative to their size.
    """

    accuracy: float


def enclosure_of(module: object, x: Interval, u: Interval, theta: Interval) -> Enclosure:
    """Rigorous enclosures of values and Jacobian over a batch of boxes.

    Raises:
        UnsupportedError: If the module has no exact form, so nothing about it can be proved.
    """
    if isinstance(module, EnclosedMap):
        return module.enclose(x, u, theta)
    raise UnsupportedError(
        f"{type(module).__name__} has no rigorous enclosure, so nothing is proved about it. Write "
        "it as a Flow, StepMap or StaticMap in NumPy, or of built-in modules."
    )
