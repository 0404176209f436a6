"""The scale of each state: how large it becomes, or what flows into it lets it become.

An absolute tolerance is a share of this scale, so that amounts in mol, in nM or in numbers of
molecules come out with the same digits. A state that starts at zero gets the scale of what its rate
moves it by within the time in which it, or what moves it, changes. No state is known better than
the rounding of what flows into it: that bounds the scale of states that hang at zero because large
flows cancel, which a share of their own size would make the solver follow.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4
(weights of local errors, starting step); rounding by Higham, *Accuracy and Stability*, chapter 3.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import numpy as np
from typing_extensions import override

from riemannian_modules.integration.problem import AnyInitialValueProblem, SmoothProblem
from riemannian_modules.spaces import Array

# Robertson's problem comes out right to 4e-7 up to t = 4e10, where one state is 1e-13 and another
# 1e-8 of what it was. A smaller share gains nothing.
SHARE = 5e-15
SLACK = 100.0  # a scale so many times too large leaves 5e-13 of a state: far less than is asked for
LEAST = 1e-290  # a tolerance whose inverse squared is still finite where solvers divide by it
LOOKS = 5  # times of a stretch at which inputs are looked at
MOST_POINTS = 48
MOST_RUNS = 5  # repeats with better scales
MOST_SWEEPS = 64  # states in a row, each zero until the one before it is not
ULP = float(np.finfo(float).eps)
EVERY = 4096  # evaluations after which it is looked whether steps follow rounding
INFLOW = 0.25  # the least scale, as a share of what flows in while the state would relax

Result = TypeVar("Result")


class Floors(abc.ABC):
    """The absolute tolerance of each state, asked for at the start of each stretch of a run."""

    @abc.abstractmethod
    def at(self, problem: AnyInitialValueProblem, start: float, corners: Array) -> Array:
        """Those for a stretch of the problem up to the last of its corners, (n,)."""

    @abc.abstractmethod
    def watched(self, problem: SmoothProblem, times: Array) -> SmoothProblem:
        """The problem, perhaps one that stops a run whose tolerances follow rounding."""

    @abc.abstractmethod
    def met(self, problem: AnyInitialValueProblem, times: Array, states: Array) -> None:
        """Take note of where a stretch went: states (k, n) at times (k,)."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class GivenFloors(Floors):
    """Tolerances that the user gave, (n,)."""

    values: Array

    @override
    def at(self, problem: AnyInitialValueProblem, start: float, corners: Array) -> Array:
        return self.values

    @override
    def watched(self, problem: SmoothProblem, times: Array) -> SmoothProblem:
        return problem

    @override
    def met(self, problem: AnyInitialValueProblem, times: Array, states: Array) -> None:
        pass


class TooFineError(Exception):
    """Steps follow the rounding of a state; ``floors`` do not."""

    def __init__(self, floors: ScaledFloors) -> None:
        super().__init__()
        self.floors = floors


@final
class ScaledFloors(Floors):
    """Tolerances that are a share of each state's scale, guessed at the start of a run.

    Args:
        scale: The scales as far as they are known, (n,); zero for what is to be guessed.
        rtol: The relative tolerance beside them.
        least: What the scales are at least, as far as rounding was met in runs before, (n,).
    """

    def __init__(self, scale: Array, rtol: float, least: Array | float = 0.0) -> None:
        self.scale, self.rtol, self.least = np.maximum(scale, least), rtol, least
        self.peaks = np.zeros(len(scale))
        self.used = scale
        self.points: list[tuple[AnyInitialValueProblem, float, Array, float]] = []

    @override
    def at(self, problem: AnyInitialValueProblem, start: float, corners: Array) -> Array:
        if not self.scale.all():
            times = np.union1d(np.linspace(start, corners[-1], LOOKS), corners)
            found = first_scale(problem, times.tolist())
            self.scale = np.where(self.scale > 0.0, self.scale, found)
        # What nothing moves yet follows with the least of the others.
        positive = self.scale[self.scale > 0.0]
        least = positive.min() if len(positive) else 1.0
        self.used = np.where(self.scale > 0.0, self.scale, least)
        return self.floors

    @property
    def floors(self) -> Array:
        """The tolerances in use, (n,)."""
        return np.maximum(SHARE * self.used, LEAST)

    @override
    def watched(self, problem: SmoothProblem, times: Array) -> SmoothProblem:
        derivative, span, calls = problem.derivative, float(times[-1] - times[0]), 0

        def rate(t: float, x: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % EVERY == 0:
                self._require_above_rounding(problem, t, np.asarray(x, dtype=np.float64), span)
            return derivative(t, x)

        return replace(problem, derivative=rate)

    def _require_above_rounding(
        self, problem: AnyInitialValueProblem, t: float, x: Array, span: float
    ) -> None:
        with np.errstate(all="ignore"):
            inflow = _inflow(problem, t, x, np.abs(x), span)
        follows = ULP * inflow > 0.1 * (self.rtol * np.abs(x) + self.floors)
        if follows.any():
            least = np.maximum(self.least, np.where(follows, INFLOW * inflow, 0.0))
            raise TooFineError(ScaledFloors(self.used, self.rtol, least))

    @override
    def met(self, problem: AnyInitialValueProblem, times: Array, states: Array) -> None:
        self.peaks = np.maximum(self.peaks, np.abs(states).max(0))
        if len(self.points) < MOST_POINTS:
            span = float(times[-1] - times[0])
            for i in (0, len(times) // 2, -1):
                self.points.append((problem, float(times[i]), states[i], span))

    def repeated(self) -> ScaledFloors | None:
        """The floors for another run, now that it is known where this one went, if one is due."""
        moved = self.peaks > 0.0
        if not (moved & (self.used > SLACK * self.peaks)).any():
            return None
        scale = np.maximum(self.peaks, self.least)
        with np.errstate(all="ignore"):
            for problem, t, x, span in self.points:
                scale = np.maximum(scale, INFLOW * _inflow(problem, t, x, self.peaks, span))
        too_large = moved & (self.used > SLACK * scale)
        return ScaledFloors(scale, self.rtol, self.least) if too_large.any() else None


def with_scales(attempt: Callable[[Floors], Result], start: Array, rtol: float) -> Result:
    """What a run gives whose absolute tolerances are shares of the states' scales.

    A run whose first guess was much larger than what a state became is repeated.

    Args:
        attempt: Runs with given tolerances, and tells them where it went.
        start: The state where it begins, (n,).
        rtol: The relative tolerance beside them.
    """
    floors = ScaledFloors(np.abs(start), rtol)
    for _ in range(MOST_RUNS):
        try:
            found = attempt(floors)
        except TooFineError as fine:
            floors = fine.floors
            continue
        better = floors.repeated()
        if better is None:
            return found
        floors = better
    return attempt(GivenFloors(floors.floors))


def first_scale(problem: AnyInitialValueProblem, times: Sequence[float]) -> Array:
    """The scale of each state as far as the start tells it, (n,); zero for what nothing moves.

    Args:
        problem: From where ``times`` begins.
        times: Some times, the start first; inputs that begin later are seen at those.
    """
    z, span = problem.start.copy(), times[-1] - times[0]
    with np.errstate(all="ignore"):
        for _ in range(MOST_SWEEPS):
            moved = _moved(problem, times, z, span)
            if not moved.any():
                break
            z += moved
        inflow = _inflow(problem, times[0], z, np.abs(z), span)
    return np.maximum(np.abs(z), INFLOW * inflow)


def _moved(problem: AnyInitialValueProblem, times: Sequence[float], z: Array, span: float) -> Array:
    """How far the rates move the states that are zero so far."""
    for t in times if not z.all() else ():
        rate = problem.rate(t, z)
        reach = rate / _fastest(problem.matrix(t, z), span)
        moved = np.where((z == 0.0) & np.isfinite(reach), reach, 0.0)
        if moved.any():
            return moved
    return np.zeros_like(z)


def _inflow(problem: AnyInitialValueProblem, t: float, x: Array, size: Array, span: float) -> Array:
    """What flows into a state, in sums that may cancel, in the time in which it relaxes.

    Flows that cancel within one derivative show as rounding: in how the rate moves when the state
    moves by some units in its last place.
    """
    matrix = problem.matrix(t, x)
    flows = abs(matrix) @ size - np.abs(matrix.diagonal()) * size
    rate, place = problem.rate(t, x), np.arange(len(x))
    for k in (2, 3, 5):
        signs = np.where(place % k == 1, -1.0, 1.0)
        moved = np.abs(problem.rate(t, x * (1.0 + k * ULP * signs)) - rate) / (k * ULP)
        flows = np.maximum(flows, moved)
    inflow = flows / _fastest(matrix, span)
    return np.where(np.isfinite(inflow), inflow, 0.0)


def _fastest(matrix: Any, span: float) -> Array:
    """For each state its own rate; that of what moves it where it has none, at least 1 / span."""
    own = np.abs(matrix.diagonal())
    if isinstance(matrix, np.ndarray):
        of_others = ((matrix != 0) * own).max(1, initial=0.0)
    else:
        # The largest over a row's entries: sparse matrices have no maximum of products.
        rows = matrix.tocsr()
        of_others = np.zeros(len(own))
        row = np.repeat(np.arange(len(own)), np.diff(rows.indptr))
        np.maximum.at(of_others, row, np.where(rows.data != 0, own[rows.indices], 0.0))
    return np.maximum(np.where(own > 0, own, of_others), 1.0 / span)
