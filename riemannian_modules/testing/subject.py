"""The module under test with the box that points are drawn from and the error that is forgiven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.modules.module import Point, RiemannianModule
from riemannian_modules.spaces import Array

ROUNDING = float(np.finfo(np.float64).eps)
PARAMETER_SPREAD = 0.1  # relative, so that a parameter keeps its sign
# A result is the end of some dozen roundings of intermediate numbers that may be larger than
# itself.
SLACK = 256


@final
@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A module, its box ``|x - centre.x| <= spread``, and the relative error of one evaluation."""

    module: RiemannianModule
    rng: np.random.Generator
    centre: Point
    spread: float
    rounding: float

    @staticmethod
    def of(
        module: RiemannianModule,
        rng: np.random.Generator,
        around: tuple[
            ArrayLike | Mapping[str, ArrayLike] | None, ArrayLike | Mapping[str, ArrayLike] | None
        ],
        spread: float,
        rounding: float,
    ) -> Subject:
        """Read the box from user values."""
        return Subject(module, rng, module.point(*around), spread, rounding)

    @property
    def name(self) -> str:
        """The module's class, for messages."""
        return type(self.module).__name__

    def draw(self, *batch: int) -> Point:
        """A batch of random points of the box, each with parameters of its own."""
        x, u, theta = self.centre.x, self.centre.u, self.module.theta
        return Point(
            x + self.spread * self._uniform(*batch, x.size),
            u + self.spread * self._uniform(*batch, u.size),
            theta * (1.0 + PARAMETER_SPREAD * self._uniform(*batch, theta.size)),
        )

    def normal(self, *shape: int) -> Array:
        """Random tangents or cotangents."""
        return self.rng.standard_normal(shape)

    def _uniform(self, *shape: int) -> Array:
        return self.rng.uniform(-1.0, 1.0, shape)

    def evaluate(self, at: Point) -> Array:
        """``(dx, y)`` joined, shape (..., n + q)."""
        return np.concatenate(self.module.forward(at.x, at.u, at.theta), axis=-1)

    def derivative(self, at: Point) -> Array:
        """The whole Jacobian as one matrix, shape (..., n + q, n + m + p)."""
        J = self.module.jacobian(at.x, at.u, at.theta)
        return np.concatenate(
            [np.concatenate([J.A, J.B, J.E], -1), np.concatenate([J.C, J.D, J.F], -1)], -2
        )

    def noise(self, at: Point) -> float:
        """How far two correct evaluations at one point may differ.

        A value's rounding is relative to the terms that it is the sum of; ``|J| |z|`` stands for
        them.
        """
        z = np.abs(flat(at))[..., None]
        terms = np.abs(self.derivative(at)) @ z
        largest = np.abs(self.evaluate(at)).max(initial=0.0) + terms.max(initial=0.0)
        return SLACK * self.rounding * float(largest)


def flat(at: Point) -> Array:
    """State, inputs and parameters joined, shape (..., n + m + p)."""
    parts = (at.x, at.u, at.theta)
    batch = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return np.concatenate([np.broadcast_to(p, (*batch, p.shape[-1])) for p in parts], -1)


def check(holds: bool | np.bool_, message: str) -> None:  # noqa: FBT001 - the assertion itself
    """An assertion that survives ``python -O``.

    Raises:
        AssertionError: If it does not hold.
    """
    if not holds:
        raise AssertionError(message)


def check_close(name: str, got: Array, expected: Array, tolerance: float | Array) -> None:
    """Raise unless shapes agree, all is finite, and no entry differs by over ``tolerance``."""
    check(got.shape == expected.shape, f"{name}: expected shape {expected.shape}, got {got.shape}.")
    if not got.size:
        return
    finite = np.isfinite(got) & np.isfinite(expected)
    check(finite.all(), f"{name}: {np.sum(~finite)} of {got.size} numbers are not finite.")
    error = np.abs(got - expected)
    worst = np.unravel_index(int(np.argmax(error - tolerance)), got.shape)
    check(
        (error <= tolerance).all(),
        f"{name}: at {tuple(map(int, worst))} expected {expected[worst]!r}, got {got[worst]!r}; "
        f"they differ by {error[worst]:.3g}, allowed is "
        f"{np.broadcast_to(tolerance, got.shape)[worst]:.3g}.",
    )
