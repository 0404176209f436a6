"""Norms of a stable linear model: the largest gain over frequency, and the response to noise.

The largest gain is closed in on from below: at a level, the Hamiltonian matrix tells the
frequencies at which a gain has just that level, and between them lie larger ones.
Source: Bruinsma and Steinbuch (1990), Systems and Control Letters 14, 287-293; Zhou, Doyle and
Glover (1996), Robust and Optimal Control, chapter 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.frequency import pole_speeds, response_of
from riemannian_modules.engine.gramians import lyapunov
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array

ABOVE = 1e-7  # relative: the level at which larger gains are looked for
MOST_ROUNDS = 60


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PeakGain(Shown):
    """The H-infinity norm: the largest singular value of the response over all frequencies.

    Attributes:
        gain: The norm.
        frequency: Where it is taken, in radians per unit of time; may be infinite.
        time_unit: What times are counted in.
    """

    gain: float
    frequency: float
    time_unit: str

    @override
    def facts(self) -> Facts:
        at = f"{self.frequency:.6g} rad/{self.time_unit}"
        return Facts(f"PeakGain: {self.gain:.6g}", (("at", at),))


def peak_gain(model: StateSpaceModel) -> PeakGain:
    """The H-infinity norm of a stable model, to 1e-7 from above and to rounding at the peak.

    Raises:
        ConvergenceError: If the levels do not close in on the peak.
    """
    model.require_stable("h_infinity", "otherwise the norm is infinite")
    at = response_of(model)

    def gains(w: Array) -> Array:
        is_finite = np.isfinite(w)
        found = np.full(len(w), _largest(model.D))
        if is_finite.any():
            with np.errstate(over="ignore", invalid="ignore"):
                responses = at(w[is_finite])
            if not np.isfinite(responses).all():
                raise ConvergenceError(
                    "h_infinity: a gain at some frequency is beyond the largest float, beside the "
                    f"pole {model.poles[0]:.4g}. Choose other units of time, inputs or outputs."
                )
            found[is_finite] = [_largest(h) for h in responses]
        return found

    speeds = pole_speeds(model)
    w = np.concatenate([[0.0], np.minimum(speeds, model.highest_frequency)])
    w = np.append(w, model.highest_frequency)
    best = _Best(float(w[gains(w).argmax()]), float(gains(w).max()))
    system = model.as_continuous()
    for _ in range(MOST_ROUNDS):
        level = best.gain * (1.0 + ABOVE)
        heights = _heights(system, level) if best.gain > 0 else np.zeros(0)
        if len(heights) < 2:
            return PeakGain(*_climbed(gains, best, model.highest_frequency), model.time_unit)
        middle = model.from_continuous(0.5 * (heights[1:] + heights[:-1]))
        values = gains(middle)
        if values.max() <= best.gain:
            return PeakGain(*_climbed(gains, best, model.highest_frequency), model.time_unit)
        best = _Best(float(middle[values.argmax()]), float(values.max()))
    raise ConvergenceError(f"h_infinity: no end after {MOST_ROUNDS} rounds, at {best.gain:.6g}.")


@final
@dataclass(frozen=True, slots=True)
class _Best:
    frequency: float
    gain: float


def _largest(response: Any) -> float:
    return float(np.linalg.norm(response, 2)) if response.size else 0.0


def _heights(system: tuple[Array, Array, Array, Array], level: float) -> Array:
    """Frequencies at which some singular value of the response is the level, ascending."""
    A = system[0]
    if not len(A):
        return np.zeros(0)
    # Of the response over the level, so that no square of a level leaves the range of floats.
    B, C, D = system[1] / math.sqrt(level), system[2] / math.sqrt(level), system[3] / level
    R, S = np.eye(D.shape[1]) - D.T @ D, np.eye(D.shape[0]) - D @ D.T
    inner = A + B @ np.linalg.solve(R, D.T @ C)
    H = np.block([
        [inner, B @ np.linalg.solve(R, B.T)], [-C.T @ np.linalg.solve(S, C), -inner.T],
    ])  # fmt: skip
    values = np.linalg.eigvals(H)
    # Rounding moves a pair that has just met on the axis by the root of its size.
    near = np.abs(values.real) <= 1e-7 * np.maximum(np.abs(values), np.abs(values).max() * 1e-8)
    heights: Any = np.sort(values.imag[near & (values.imag >= 0)])
    return np.concatenate([[0.0], heights]) if len(heights) % 2 else heights


def _climbed(gains: Any, best: _Best, top: float) -> tuple[float, float]:
    """The peak next to a frequency that is almost it."""
    from scipy.optimize import minimize_scalar

    if not 0.0 < best.frequency < top:
        return best.gain, best.frequency
    low, high = best.frequency * 0.98, min(best.frequency * 1.02, top)
    found: Any = minimize_scalar(
        lambda w: -float(gains(np.array([w]))[0]), bounds=(low, high), method="bounded",
        options={"xatol": 1e-10 * best.frequency},
    )  # fmt: skip
    return (-found.fun, float(found.x)) if -found.fun > best.gain else (best.gain, best.frequency)


def h2_norm(model: StateSpaceModel) -> float:
    """The H2 norm of a stable model: the outputs' root mean square under unit white noise.

    Infinite in continuous time where noise passes through at once (D is not zero).
    """
    model.require_stable("h2", "otherwise the norm is infinite")
    if not model.is_discrete and model.D.any():
        return np.inf
    P = lyapunov(model, model.A, model.B @ model.B.T)
    through = float(np.sum(model.D**2)) if model.is_discrete else 0.0
    return float(np.sqrt(max(np.trace(model.C @ P @ model.C.T) + through, 0.0)))
