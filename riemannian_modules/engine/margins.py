"""Stability margins of a loop: all crossings of the unit circle and of the negative real axis.

Where ``|L(i w)| = 1`` and where ``L(i w)`` is real are zeros of rational functions of ``s`` that
are computed as such, so none is missed between points of a grid; a change of sign between the
candidates decides, and is then closed in on.
Source: Astrom and Murray (2021), Feedback Systems, second edition, section 10.3; for the zeros,
Boyd, Balakrishnan and Kabamba (1989), Mathematics of Control, Signals and Systems 2, 207-219.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.closed_loop import closed_loop_matrix
from riemannian_modules.engine.frequency import response_of
from riemannian_modules.engine.poles import Stability, poles_of
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.engine.zeros import invariant_zeros
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Margins(Shown):
    """How far a loop under negative feedback is from the border of stability.

    Every crossing is listed. One is *binding* where the closed loop is stable and stays so up to
    it: no other lies between. Where the closed loop is not stable, none is.

    Attributes:
        output: The loop's output.
        input: The loop's input, to which minus the output is fed back.
        time_unit: What times are counted in.
        closed_loop: Whether the loop, closed, is stable.
        gains: Factors (g,) of the loop that bring it to the border.
        gain_frequencies: The frequencies (g,) there, in radians per unit of time; 0 and infinity
            (half the sampling rate) included.
        gain_binds: Which of them bind, (g,).
        phases: Further lags (p,) in degrees that bring it to the border, in (-180, 180].
        phase_frequencies: The frequencies (p,) at which the gain is 1.
        phase_binds: Which of them bind, (p,).
        delays: Further delays (p,), in units of time, that bring it to the border.
        delay_binds: The shortest of them where the closed loop is stable, (p,).
        distance: The least distance of ``L(i w)`` from -1: 1 over the largest gain of ``1 / (1 +
            L)``; NaN where the closed loop is not stable.
    """

    output: str
    input: str
    time_unit: str
    closed_loop: Stability
    gains: Array
    gain_frequencies: Array
    gain_binds: NDArray[np.bool_]
    phases: Array
    phase_frequencies: Array
    phase_binds: NDArray[np.bool_]
    delays: Array
    delay_binds: NDArray[np.bool_]
    distance: float

    @property
    def gain(self) -> float:
        """The binding factor above 1; infinite where the gain may grow without end."""
        return float(self.gains[self.gain_binds & (self.gains > 1)].min(initial=np.inf))

    @property
    def smallest_gain(self) -> float:
        """The binding factor below 1; 0 where the gain may fall to nothing."""
        return float(self.gains[self.gain_binds & (self.gains < 1)].max(initial=0.0))

    @property
    def phase(self) -> float:
        """The smallest binding angle in degrees, lag or lead; infinite where there is none."""
        return float(np.abs(self.phases[self.phase_binds]).min(initial=np.inf))

    @property
    def delay(self) -> float:
        """The binding delay, in units of time; infinite where there is none."""
        return float(self.delays[self.delay_binds].min(initial=np.inf))

    @override
    def facts(self) -> Facts:
        title = (
            f"Margins of the loop {self.input} -> {self.output}: closed, {self.closed_loop.value}"
        )
        if self.closed_loop is not Stability.STABLE:
            counts = f"{len(self.gains)} in gain, {len(self.phases)} in phase; none binds"
            return Facts(title, (("crossings", counts),))
        at = f"rad/{self.time_unit}"
        rows = [
            ("gain", _at(self.gain, self.gains, self.gain_frequencies, at)),
            ("least gain", _at(self.smallest_gain, self.gains, self.gain_frequencies, at)),
            ("phase", _at(self.phase, np.abs(self.phases), self.phase_frequencies, at, "°")),
            ("delay", _at(self.delay, self.delays, self.phase_frequencies, at, self.time_unit)),
            ("distance from -1", f"{self.distance:.5g}"),
        ]
        return Facts(title, tuple(rows))


def _at(value: float, all_values: Array, frequencies: Array, unit: str, own: str = "") -> str:
    where = frequencies[all_values == value]
    gap = " " if own.isalpha() else ""
    return f"{value:.5g}{gap}{own}" + (f" at {where[0]:.5g} {unit}" if where.size else "")


def margins_of(loop: StateSpaceModel, distance: Callable[[StateSpaceModel], float]) -> Margins:
    """The margins of a loop of one input and one output; ``distance`` is asked for a stable one."""
    at = response_of(loop)

    def one(w: float) -> complex:
        return complex(at(np.array([w]))[0, 0, 0])

    gain_w, phase_w = _real_crossings(loop, one), _unit_crossings(loop, one)
    values = np.array([one(w).real if np.isfinite(w) else loop.D[0, 0] for w in gain_w])
    gain_w, gains = gain_w[values < 0], -1.0 / values[values < 0]
    angles = np.angle([one(w) for w in phase_w]) if len(phase_w) else np.zeros(0)
    lags = np.where(angles > 0, angles - np.pi, angles + np.pi)  # in (-pi, pi]
    delays = np.where(lags >= 0, lags, lags + 2 * np.pi) / phase_w
    closed = closed_loop_matrix(loop, 1.0)
    stability = poles_of(closed, loop.signature.time).stability
    is_stable = stability is Stability.STABLE
    return Margins(
        loop.outputs[0], loop.inputs[0], loop.time_unit, stability,
        gains, gain_w, is_stable & _nearest(np.log(gains)),
        np.degrees(lags), phase_w, is_stable & _nearest(lags),
        delays, is_stable & (delays == delays.min(initial=np.inf)),
        distance(loop) if is_stable else np.nan,
    )  # fmt: skip


def _nearest(offsets: Array) -> Any:
    """Which offsets are the smallest above zero, or the largest below."""
    above = offsets == offsets[offsets >= 0].min(initial=np.inf)
    return above | (offsets == offsets[offsets < 0].max(initial=-np.inf))


def _real_crossings(loop: StateSpaceModel, one: Callable[[float], complex]) -> Array:
    """Frequencies at which L is real: those inside, zero, and the highest one."""
    A, B, C, _ = loop.as_continuous()
    # L(s) - L(-s), whose zeros they are.
    zeros = invariant_zeros(_beside(A, -A), np.vstack([B, B]), np.hstack([C, C]), np.zeros((1, 1)))
    inner = _sign_changes(loop, zeros, lambda w: one(w).imag)
    ends = [0.0] if np.isfinite(one(0.0)) else []
    return np.array([*ends, *inner, loop.highest_frequency])


def _unit_crossings(loop: StateSpaceModel, one: Callable[[float], complex]) -> Array:
    """Frequencies at which ``|L| = 1``."""
    A, B, C, D = loop.as_continuous()
    # L(s) L(-s) - 1: the loop followed by its mirror image.
    A2 = np.block([[A, np.zeros_like(A)], [B @ C, -A]])
    zeros = invariant_zeros(A2, np.vstack([B, B @ D]), np.hstack([D @ C, -C]), D @ D - 1.0)

    def excess(w: float) -> float:
        size = abs(one(w))
        return (size - 1.0) / (size + 1.0) if np.isfinite(size) else 1.0

    return _sign_changes(loop, zeros, excess)


def _beside(A: Array, B: Array) -> Array:
    n = len(A)
    whole = np.zeros((2 * n, 2 * n))
    whole[:n, :n], whole[n:, n:] = A, B
    return whole


def _sign_changes(
    loop: StateSpaceModel, candidates: Any, function: Callable[[float], float]
) -> Array:
    """Where a function of the frequency changes its sign, through zero, near the candidates."""
    from scipy.optimize import brentq

    heights = np.unique(np.abs(candidates.imag))
    heights = heights[heights > 0]  # a zero that is all but infinite has to hide no other
    if not len(heights):
        return np.zeros(0)
    between = np.sqrt(heights[1:] * heights[:-1])
    grid = loop.from_continuous(np.array([heights[0] / 30, *between, heights[-1] * 30]))
    values = np.array([function(w) for w in grid])
    found: list[float] = []
    for a, b, f, g in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True):
        if f == 0:
            found.append(float(a))
        elif f * g < 0:
            w: Any = brentq(function, a, b, xtol=1e-300, rtol=4 * np.finfo(float).eps)
            # At a pole on the axis the sign changes through infinity.
            if abs(function(w)) <= max(abs(f), abs(g)):
                found.append(float(w))
    return np.array(found)
