"""An initial value problem whose derivative is smooth on either side of some borders.

The side is told by a sign for each border and not by the state, so that a step may run over a
border and be taken back. On a border from both sides of which the flow leads onto it, the flow
slides along it.

Source: Filippov (1988), *Differential Equations with Discontinuous Righthand Sides*, section 4;
Utkin (1992), *Sliding Modes in Control and Optimization*, chapter 2 (several borders at once).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array

SLOPE = 1e-7  # relative step of the differences that give the Jacobian of a sliding flow


@final
@dataclass(frozen=True, slots=True)
class Mode:
    """The side of each border, -1, 0 (on it) or 1, and the borders along which the flow slides."""

    signs: tuple[float, ...]
    sliding: tuple[int, ...] = ()

    def on(self, border: int, sign: float) -> Mode:
        """The same mode on a side of one border, along which it does not slide."""
        signs = (*self.signs[:border], sign, *self.signs[border + 1 :])
        return Mode(signs, tuple(i for i in self.sliding if i != border))

    def along(self, border: int) -> Mode:
        """The same mode, sliding along one border more."""
        return Mode(self.on(border, 0.0).signs, tuple(sorted({*self.sliding, border})))


def _unchanged(t: float, x: Array, before: Mode, after: Mode) -> Array:  # noqa: ARG001
    return x


def _one_by_one(t: Array, x: Array, signs: Numbers) -> None:  # noqa: ARG001
    return None


def _none(t: float, x: Array, end: float) -> list[float]:  # noqa: ARG001
    return []


@final
@dataclass(frozen=True, slots=True, eq=False)
class SwitchedProblem:
    """``dx/dt = derivative(t, x, signs)``, where each sign is that of its border.

    Attributes:
        count: The number of borders, k.
        derivative: From a time, n floats and k signs to n numbers.
        jacobian: From the same to the derivative in x, (n, n).
        borders: From the same to the values of the k borders.
        sizes: To k numbers, relative to which the borders' values are rounded.
        slopes: To the borders' derivatives in x (k, n), and in time (k,).
        crossed: From a time, a state and the modes before and after to the state after.
        separators: From a time, a state and an end to times between the zeros of borders that
            depend on time alone: no step passes over one, so none crosses a border twice.
        along: The borders' values (T, k) at times (T,), states (T, n) and k signs, all at once;
            None where they are asked for one by one.
    """

    count: int
    derivative: Callable[[float, list[float], Numbers], Numbers]
    jacobian: Callable[[float, list[float], Numbers], Array]
    borders: Callable[[float, list[float], Numbers], Numbers]
    sizes: Callable[[float, list[float], Numbers], Numbers]
    slopes: Callable[[float, list[float], Numbers], tuple[Array, Array]]
    crossed: Callable[[float, Array, Mode, Mode], Array] = _unchanged
    separators: Callable[[float, Array, float], list[float]] = _none
    along: Callable[[Array, Array, Numbers], Array | None] = _one_by_one

    def flow(self, mode: Mode) -> Callable[[float, list[float]], Numbers]:
        """The derivative in a mode; where it is undefined there, that of the state's own side."""
        if mode.sliding:
            return lambda t, x: self.sliding(t, x, mode)[0]
        derivative, signs = self.derivative, mode.signs

        def velocity(t: float, x: list[float]) -> Numbers:
            dx = derivative(t, x, signs)
            if signs and not math.isfinite(sum(dx)):
                own = [float(np.sign(v)) for v in self.borders(t, x, signs)]
                return derivative(t, x, own)
            return dx

        return velocity

    def velocity(self, t: float, x: list[float], mode: Mode) -> Numbers:
        """What `flow` gives at one point."""
        return self.flow(mode)(t, x)

    def rate(self, t: float, x: list[float], mode: Mode, border: int) -> tuple[float, float]:
        """How fast the value of a border changes in a mode, and to what size of rounding."""
        dx = np.array(self.velocity(t, x, mode))
        slopes, drifts = self.slopes(t, x, mode.signs)
        parts = slopes[border] * dx
        return (
            float(parts.sum() + drifts[border]),
            float(np.abs(parts).sum() + abs(drifts[border])),
        )

    def sliding(self, t: float, x: list[float], mode: Mode) -> tuple[Numbers, Numbers]:
        """The velocity of a sliding flow, and the share of the lower side at each border of it.

        It is the mixture of the sides' velocities under which the borders' values stay, each
        border taken to act by itself; it slides while all shares are between 0 and 1.
        """
        above = mode
        for i in mode.sliding:
            above = above.on(i, 1.0)
        up = np.array(self.derivative(t, x, above.signs))
        gaps = [up - self.derivative(t, x, above.on(i, -1.0).signs) for i in mode.sliding]
        slopes, drifts = (part[list(mode.sliding)] for part in self.slopes(t, x, mode.signs))
        across = np.stack(gaps, 1)  # (n, r)
        shares = np.linalg.lstsq(slopes @ across, slopes @ up + drifts)[0]
        return (up - across @ shares).tolist(), shares.tolist()

    def slope(self, t: float, x: list[float], mode: Mode) -> Array:
        """The derivative in x of the velocity in a mode, (n, n)."""
        if not mode.sliding:
            return self.jacobian(t, x, mode.signs)
        here, columns = np.array(self.velocity(t, x, mode)), list[Array]()
        for i, value in enumerate(x):
            h = SLOPE * max(abs(value), SLOPE)
            moved = [*x[:i], value + h, *x[i + 1 :]]
            columns.append((np.array(self.velocity(t, moved, mode)) - here) / h)
        return np.stack(columns, 1)
